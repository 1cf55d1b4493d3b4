//! A file that may become a plugin: read once, hashed, its identity and description understood, and no code run.
//!
//! What [`load`](super::load), [`discover`](super::discover) and [`inspect`](super::inspect) have in common.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookport_plugin_api::description::{Description, Operation};
use hookport_plugin_api::identity::{ABI_MAJOR, ABI_MINOR, Identity, flag};
use sha2::{Digest, Sha256};

use super::catalog::{self, Entry};
use super::folders::{named_after, signature};
use super::policy::Standing;
use super::preflight::{Preflight, preflight};
use super::store::{Build, Store};
use super::{LoadError, LoadFault, Sample, describe};
use crate::provider::complaint::did_you_mean;

const MAX_LIBRARY: u64 = 256 << 20;
const MAX_TEXT: u64 = 4 << 20;
/// A file that has not changed for so long is whole.
pub const SETTLE: Duration = Duration::from_millis(500);
/// So often it may be found changed.
const PATIENCE: usize = 20;

/// A file read whole.
pub(super) struct Candidate {
    pub(super) file: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: String,
    /// Where it is one of the catalogue.
    entry: Option<&'static Entry>,
    /// Where its bytes lie, where that is not the file: a copy of the store.
    copy: Option<PathBuf>,
    /// Where it is a copy: whether the build came with the gateway.
    own: bool,
}

impl Candidate {
    /// Reads a file once; everything after works on these bytes.
    pub(super) fn read(file: &Path) -> Result<Self, LoadError> {
        let limit = if is_description(file) { MAX_TEXT } else { MAX_LIBRARY };
        let bytes = read_at_most(file, limit).map_err(|fault| LoadError { file: file.into(), fault })?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(Self { file: file.into(), bytes, sha256, entry: None, copy: None, own: false })
    }

    /// As [`Candidate::read`], of a file that somebody may be writing: it must not have changed for so long, and where it
    /// has, it is read until it says the same twice.
    pub(super) fn settled(file: &Path, known: Option<&str>, settle: Duration) -> Result<Self, LoadError> {
        let mut first = Self::read(file)?;
        if known == Some(first.sha256.as_str()) {
            return Ok(first);
        }
        for _ in 0..PATIENCE {
            match age(file) {
                Some(age) if age >= settle => return Ok(first),
                // Several files that came together are waited for together.
                age => std::thread::sleep(settle.saturating_sub(age.unwrap_or_default())),
            }
            let again = Self::read(file)?;
            if again.sha256 == first.sha256 {
                return Ok(again);
            }
            first = again;
        }
        Err(first.error(LoadFault::Unsettled))
    }

    /// A build of the store, under the name of the file that it came from.
    pub(super) fn kept(store: &Store, id: &str, build: &Build, file: &Path) -> Result<Self, LoadError> {
        let bytes =
            store.read(id, build).map_err(|error| LoadError { file: file.into(), fault: LoadFault::Read(error) });
        Ok(Self {
            file: file.into(),
            bytes: bytes?,
            sha256: build.sha256.clone(),
            entry: None,
            copy: store.place(id, build),
            own: build.own,
        })
    }

    /// How it stands by where it came from, and nothing else: of a copy that is where the build did.
    pub(super) fn standing_by_place(&self) -> Standing {
        match (&self.copy, self.own) {
            (Some(_), true) => Standing::Own,
            (Some(_), false) => Standing::Unsigned,
            (None, _) => Standing::of(&self.file),
        }
    }

    /// As [`Candidate::read`]; where there is no such file, the name may be that of a provider of the catalogue.
    pub(super) fn named(file: &Path) -> Result<Self, LoadError> {
        let Some(id) = catalog::id(file).filter(|_| !file.exists()) else { return Self::read(file) };
        catalog::find(id).map(Self::embedded).ok_or_else(|| {
            let near = did_you_mean(id, catalog::entries().iter().map(|entry| entry.id));
            LoadError { file: file.into(), fault: LoadFault::Nowhere(near) }
        })
    }

    pub(super) fn embedded(entry: &'static Entry) -> Self {
        let bytes = entry.text.as_bytes().to_vec();
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Self { file: entry.file(), bytes, sha256, entry: Some(entry), copy: None, own: false }
    }

    /// Where its bytes lie.
    pub(super) fn place(&self) -> &Path {
        self.copy.as_ref().unwrap_or(&self.file)
    }

    /// Where its signature lies, if it has one.
    pub(super) fn signature(&self) -> PathBuf {
        signature(self.place())
    }

    /// Whether it is one of the catalogue.
    pub(super) fn is_embedded(&self) -> bool {
        self.entry.is_some()
    }

    pub(super) fn is_description(&self) -> bool {
        self.entry.is_some() || is_description(&self.file)
    }

    /// The provider's id, as far as it can be told of a file that is refused.
    pub(super) fn claimed_id(&self) -> Option<String> {
        match self.text().ok()?.0.parse::<toml::Table>() {
            Ok(table) => table.get("provider")?.get("id")?.as_str().map(str::to_owned),
            Err(_) => named_after(&self.file).map(str::to_owned),
        }
    }

    pub(super) fn error(&self, fault: LoadFault) -> LoadError {
        LoadError { file: self.file.clone(), fault }
    }

    /// What the bytes of a native plugin say.
    pub(super) fn native(&self) -> Result<(Preflight<'_>, Identity<'_>), LoadFault> {
        let preflight = preflight(&self.bytes)?;
        let (major, minor) = Identity::abi_version(preflight.block)?;
        if major != ABI_MAJOR {
            return Err(LoadFault::OtherMajor { major, minor });
        }
        let identity = Identity::read(preflight.block)?;
        Ok((preflight, identity))
    }

    /// The description's text, and whether it is of a newer grammar than this host's.
    pub(super) fn text(&self) -> Result<(&str, bool), LoadFault> {
        if self.is_description() {
            let text = std::str::from_utf8(&self.bytes);
            return text.map(|text| (text, false)).map_err(|_| LoadFault::Description("it is not UTF-8".into()));
        }
        let (_, identity) = self.native()?;
        Ok((identity.description, identity.abi_minor > ABI_MINOR))
    }

    /// The description and its text; a native plugin's is judged by the grammar that it was built for.
    pub(super) fn description(&self) -> Result<(Description, String), LoadFault> {
        let (text, newer) = self.text()?;
        let description = describe(text, newer).map_err(LoadFault::Description)?;
        Ok((description, text.to_owned()))
    }

    /// What a description promises and only code can keep.
    pub(super) fn complete(&self, description: &Description) -> Result<(), LoadFault> {
        const OPERATIONS: u16 = flag::OP_BUILD | flag::OP_PARSE;
        let flags = if self.is_description() { 0 } else { self.native()?.1.flags };
        let built = |operation: &&Operation| flags & OPERATIONS == OPERATIONS || operation.request.is_some();
        if let Some(operation) = description.operations.iter().find(|operation| !built(operation)) {
            return Err(LoadFault::Operations(operation.id.clone()));
        }
        match description.code_texts().next().filter(|_| flags & flag::CANONICALIZE == 0) {
            None => Ok(()),
            Some(name) => Err(LoadFault::Text(name.to_owned())),
        }
    }

    /// The cases that came with it: embedded in a native plugin, beside a description as `fixtures/*.http`.
    pub(super) fn samples(&self) -> Result<Vec<Sample>, LoadFault> {
        if let Some(entry) = self.entry {
            return Ok(entry.samples());
        }
        if self.is_description() {
            return samples_beside(&self.file);
        }
        let (_, identity) = self.native()?;
        let sample = |(path, text): &(&str, &[u8])| Sample { name: stem(Path::new(path)), text: text.to_vec() };
        Ok(identity.samples.iter().map(sample).collect())
    }
}

/// Why a host must refuse a native plugin whose file is sound; nothing has run yet.
pub(super) fn acceptable(
    preflight: &Preflight<'_>,
    identity: &Identity<'_>,
    glibc: Option<(u32, u32)>,
) -> Result<(), LoadFault> {
    if !preflight.this_machine {
        return Err(LoadFault::Machine { file: preflight.machine.clone() });
    }
    if identity.abi_min_minor > ABI_MINOR {
        return Err(LoadFault::NeedsNewer { minor: identity.abi_minor, needs: identity.abi_min_minor });
    }
    if identity.flags & flag::UNWIND == 0 {
        return Err(LoadFault::PanicAbort);
    }
    match (preflight.glibc, glibc) {
        (Some(needs), Some(has)) if needs > has => Err(LoadFault::Glibc { needs, has }),
        _ => Ok(()),
    }
}

/// How long ago a file was last changed, renamed or linked; the system sets this time, and nobody else can.
fn age(file: &Path) -> Option<Duration> {
    let since = |found: fs::Metadata| {
        let changed = jiff::Timestamp::new(found.ctime(), i32::try_from(found.ctime_nsec()).ok()?).ok()?;
        Duration::try_from(crate::clock::Clock::default().now().duration_since(changed)).ok()
    };
    fs::metadata(file).ok().and_then(since)
}

/// Whether a path names a code-free provider.
pub(super) fn is_description(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

fn samples_beside(file: &Path) -> Result<Vec<Sample>, LoadFault> {
    let folder = file.parent().unwrap_or(Path::new(".")).join("fixtures");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut cases: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    cases.retain(|case| case.extension().is_some_and(|extension| extension == "http"));
    cases.sort_unstable();
    cases.iter().map(|case| Ok(Sample { name: stem(case), text: read_at_most(case, MAX_TEXT)? })).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read_at_most(file: &Path, limit: u64) -> Result<Vec<u8>, LoadFault> {
    let metadata = fs::metadata(file).map_err(LoadFault::Read)?;
    // Opening a named pipe would block for ever; a folder says so itself.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(LoadFault::Read(std::io::Error::other("it is not a regular file")));
    }
    if metadata.len() > limit {
        return Err(LoadFault::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(LoadFault::Read)?;
    opened.take(limit).read_to_end(&mut bytes).map_err(LoadFault::Read)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stands_as_its_build_did_and_not_as_the_file_that_lies_where_it_came_from() {
        // Beside the program, as what came with it.
        let own = std::env::current_exe().unwrap();
        let file = |copy: Option<&str>, own_build| Candidate {
            file: own.clone(),
            bytes: Vec::new(),
            sha256: String::new(),
            entry: None,
            copy: copy.map(PathBuf::from),
            own: own_build,
        };
        assert_eq!(file(None, false).standing_by_place(), Standing::Own);
        assert_eq!(file(Some("store/acme/00.so"), false).standing_by_place(), Standing::Unsigned);
        assert_eq!(file(Some("store/acme/00.so"), true).standing_by_place(), Standing::Own);
    }
}
