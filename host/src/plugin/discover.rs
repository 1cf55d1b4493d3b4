//! Finds plugins in folders, one level deep: `DIR/*.so` and `DIR/*/provider.toml`. One bad plugin never stops the others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::candidate::Candidate;
use super::policy::Policy;
use super::{LoadError, LoadFault, Loaded};

/// What was found in the plugin folders.
#[derive(Debug, Default)]
pub struct Discovered {
    /// Loaded, in the order of the folders and then by name.
    pub loaded: Vec<Loaded>,
    /// Native plugins that were loaded before, by file, and whether the file is another now.
    pub kept: Vec<(PathBuf, bool)>,
    /// Meant to be plugins, and not loaded.
    pub refused: Vec<(PathBuf, LoadError)>,
    /// The providers that refused files are of, where that can be told.
    pub claimed: BTreeSet<String>,
    /// Not plugins, and why we think so.
    pub skipped: Vec<(PathBuf, String)>,
}

/// Loads every plugin in these folders, its code into this process. A provider that was found before is refused, before any of its code runs.
pub fn discover(dirs: &[PathBuf]) -> Discovered {
    discover_again(dirs, &[], &Policy::inline())
}

/// A native plugin whose code is in this process already.
pub struct Known<'a> {
    /// Its provider.
    pub id: &'a str,
    /// Where it was found.
    pub file: &'a Path,
    /// Of the file, hexadecimal.
    pub sha256: &'a str,
}

/// As [`discover`], without loading code again that is here (what has begun with it must end with it), and with code where
/// `policy` wants it.
pub fn discover_again(dirs: &[PathBuf], known: &[Known<'_>], policy: &Policy) -> Discovered {
    let mut found = Discovered::default();
    let mut files = BTreeSet::new();
    let mut providers = BTreeMap::new();
    for dir in dirs {
        let candidates = match candidates(dir) {
            Ok(candidates) => candidates,
            Err(error) => {
                let fault = LoadFault::Read(error);
                found.refused.push((dir.clone(), LoadError { file: dir.clone(), fault }));
                continue;
            }
        };
        for file in candidates {
            // One folder may be named twice, or a file by two links.
            if files.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone())) {
                found.take(&file, known, policy, &mut providers);
            }
        }
    }
    found
}

impl Discovered {
    fn take(&mut self, file: &Path, known: &[Known<'_>], policy: &Policy, providers: &mut BTreeMap<String, PathBuf>) {
        let known = known.iter().find(|known| known.file == file && !providers.contains_key(known.id));
        match unless_there(file, known, policy, providers) {
            Ok(Found::Loaded(loaded)) => {
                providers.insert(loaded.description.provider.id.clone(), file.into());
                self.loaded.push(*loaded);
            }
            Ok(Found::Known { id, is_another }) => {
                providers.insert(id, file.into());
                self.kept.push((file.into(), is_another));
            }
            Err(error) if matches!(error.fault, LoadFault::NoIdentity) => {
                self.skipped.push((file.into(), error.fault.to_string()));
            }
            Err(error) => {
                self.claimed.extend(Candidate::read(file).ok().and_then(|candidate| candidate.claimed_id()));
                self.refused.push((file.into(), error));
            }
        }
    }
}

enum Found {
    Loaded(Box<Loaded>),
    Known { id: String, is_another: bool },
}

fn unless_there(
    file: &Path,
    known: Option<&Known<'_>>,
    policy: &Policy,
    providers: &BTreeMap<String, PathBuf>,
) -> Result<Found, LoadError> {
    let candidate = Candidate::read(file)?;
    if let Some(known) = known {
        return Ok(Found::Known { id: known.id.to_owned(), is_another: candidate.sha256 != known.sha256 });
    }
    if let Ok((description, _)) = candidate.description()
        && let Some(first) = providers.get(&description.provider.id)
    {
        let fault = LoadFault::Duplicate { id: description.provider.id, first: first.clone() };
        return Err(candidate.error(fault));
    }
    candidate.load(policy).map(|loaded| Found::Loaded(Box::new(loaded)))
}

/// The files in these folders that may be plugins; a folder that cannot be read has none.
pub fn files(dirs: &[PathBuf]) -> Vec<PathBuf> {
    dirs.iter().filter_map(|dir| candidates(dir).ok()).flatten().collect()
}

/// The files that may be plugins, by name: libraries first, then descriptions that are nobody's source code.
fn candidates(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort_unstable();
    let library = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "so") && !path.is_dir();
    let mut files: Vec<PathBuf> = entries.iter().filter(library).cloned().collect();
    let folders = entries.iter().filter(|path| path.is_dir() && !path.join("Cargo.toml").exists());
    files.extend(folders.map(|folder| folder.join("provider.toml")).filter(|description| description.is_file()));
    Ok(files)
}
