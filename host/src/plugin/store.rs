//! The store of builds: a private copy of every plugin that served, by its hash, and what is known of each provider.
//!
//! A rollback takes its bytes from here, and so does a start whose file on disk cannot be used. Nothing in it is believed: a
//! copy whose hash is not its name is none, and a copy is judged like any file. Only the gateway that runs writes it.

mod ledger;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::folders::SIGNATURE;

pub use self::ledger::{Build, Record};

/// Where builds are kept: one folder for each provider.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Of the gateway whose journal is in this folder.
    pub fn beside(journal: &Path) -> Self {
        Self { folder: journal.join("plugins") }
    }

    /// What is known of a provider; nothing of one that never served.
    pub fn record(&self, id: &str) -> Option<Record> {
        let file = self.of(id)?.join(ledger::NAME);
        let text = fs::read_to_string(&file).ok()?;
        let read = serde_json::from_str(&text);
        read.inspect_err(|error| tracing::warn!(file = %file.display(), "is not what was written there: {error}")).ok()
    }

    /// The provider that was found in this file last, for a file that does not say any more.
    pub(super) fn owner(&self, file: &Path) -> Option<String> {
        self.records().find(|(_, record)| record.file == file).map(|(id, _)| id)
    }

    /// All that is known, by provider.
    pub(super) fn records(&self) -> impl Iterator<Item = (String, Record)> {
        let folders = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let ids = folders.filter_map(|folder| folder.file_name().into_string().ok());
        ids.filter_map(|id| self.record(&id).map(|record| (id, record)))
    }

    /// Writes down what is known of a provider, and forgets the copies that nobody will ask for.
    pub fn write(&self, id: &str, record: &mut Record) -> io::Result<()> {
        let Some(folder) = self.of(id) else { return Ok(()) };
        record.bound();
        self.make(&folder)?;
        replace(&folder, ledger::NAME, 0o600, serde_json::to_string_pretty(record)?.as_bytes())?;
        let builds = record.builds.iter().flat_map(|build| [build.file_name(), signature_of(&build.file_name())]);
        let known: Vec<String> = builds.chain([ledger::NAME.to_owned()]).collect();
        for entry in
            fs::read_dir(&folder)?.flatten().filter(|entry| known.iter().all(|name| entry.file_name() != **name))
        {
            // What stays behind is found by nobody and does no harm.
            let _ = fs::remove_file(entry.path());
        }
        Ok(())
    }

    /// Keeps a copy of a build, with its signature where it has one; one that is damaged is made anew.
    pub(super) fn keep(&self, id: &str, build: &str, bytes: &[u8], signature: Option<&[u8]>) -> io::Result<()> {
        let Some(folder) = self.of(id) else { return Ok(()) };
        self.make(&folder)?;
        if !fs::read(folder.join(build)).is_ok_and(|kept| kept == bytes) {
            replace(&folder, build, 0o500, bytes)?;
        }
        signature.map_or(Ok(()), |signature| replace(&folder, &signature_of(build), 0o400, signature))
    }

    /// The bytes of a build; an error where they are not what was kept.
    pub(super) fn read(&self, id: &str, build: &Build) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "this build is not kept");
        let file = self.place(id, build).ok_or_else(missing)?;
        let bytes = fs::read(&file)?;
        match hex::encode(Sha256::digest(&bytes)) == build.sha256 {
            true => Ok(bytes),
            false => Err(io::Error::other(format!("{} is damaged: its hash is another", file.display()))),
        }
    }

    /// Where a build's copy is.
    pub(super) fn place(&self, id: &str, build: &Build) -> Option<PathBuf> {
        Some(self.of(id)?.join(build.file_name()))
    }

    /// A provider's folder; an id that is no folder's name has none.
    fn of(&self, id: &str) -> Option<PathBuf> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (!id.is_empty() && !id.starts_with('.') && id.bytes().all(is_plain)).then(|| self.folder.join(id))
    }

    fn make(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }
}

/// The name of a file's signature.
fn signature_of(name: &str) -> String {
    format!("{name}{SIGNATURE}")
}

/// Puts a whole file in a name's place, or leaves what is there.
fn replace(folder: &Path, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(format!(".{name}.{}", std::process::id()));
    let written = || -> io::Result<()> {
        // What a process before us left unfinished under this name.
        let _ = fs::remove_file(&new);
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, folder.join(name))
    };
    written().inspect_err(|_| drop(fs::remove_file(&new)))
}

#[cfg(test)]
mod tests;
