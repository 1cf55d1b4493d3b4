//! The files that a name on the command line stands for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::plugin;

/// A file to check.
pub(super) struct Found {
    pub(super) file: PathBuf,
    /// Where its cases are, unless somebody says otherwise.
    pub(super) fixtures: PathBuf,
    /// What it was built of, where the folder of its sources was named.
    built_of: Option<PathBuf>,
}

/// The folder of a file.
pub(super) fn beside(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

impl Found {
    fn alone(file: PathBuf) -> Self {
        Self { fixtures: beside(&file).join("fixtures"), file, built_of: None }
    }

    /// Why the library is not that of its sources.
    pub(super) fn outdated(&self) -> Option<String> {
        let written = fs::read_to_string(self.built_of.as_ref()?).ok()?;
        let built = plugin::text(&self.file).ok()?.text;
        let file = self.built_of.as_ref()?.display();
        (built != written).then(|| format!("was built of another {file}: build it again"))
    }
}

/// The plugins that a name stands for: a file, a folder with sources, a folder of plugins.
pub(super) fn find(named: &Path) -> Result<Vec<Found>, Failure> {
    if !named.is_dir() {
        return Ok(vec![Found::alone(named.to_owned())]);
    }
    let own = named.join("provider.toml");
    if own.is_file() {
        let library = library(named);
        return Ok(vec![match library {
            Some(file) => Found { file, fixtures: named.join("fixtures"), built_of: Some(own) },
            None => Found::alone(own),
        }]);
    }
    let entries = fs::read_dir(named).map_err(|error| Failure::unusable(format!("{}: {error}", named.display())))?;
    let library = |path: &Path| path.extension().is_some_and(|ending| ending == "so") && path.is_file();
    let within = entries.flatten().map(|entry| entry.path());
    let within = within.map(|path| if path.is_dir() { path.join("provider.toml") } else { path });
    let plugin = |path: &PathBuf| library(path) || path.ends_with("provider.toml") && path.is_file();
    let mut files: Vec<PathBuf> = within.filter(plugin).collect();
    files.sort();
    match files.is_empty() {
        true => Err(Failure::unusable(format!(
            "{0}: no {0}/provider.toml, {0}/*/provider.toml or {0}/*.so",
            named.display()
        ))),
        false => Ok(files.into_iter().map(Found::alone).collect()),
    }
}

/// The newest library that was built of a folder's sources.
fn library(folder: &Path) -> Option<PathBuf> {
    let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml")).ok()?.parse().ok()?;
    let name = |table: &str| manifest.get(table)?.get("name")?.as_str().map(str::to_owned);
    let name = name("lib").or_else(|| name("package"))?.replace('-', "_");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| folder.join("target"), PathBuf::from);
    let built = ["release", "debug"].map(|profile| target.join(profile).join(format!("lib{name}.so")));
    let changed = |file: &PathBuf| fs::metadata(file).and_then(|about| about.modified()).ok();
    built.into_iter().filter(|file| file.is_file()).max_by_key(changed)
}
