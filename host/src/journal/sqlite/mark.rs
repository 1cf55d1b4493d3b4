//! The last event that was acknowledged, in a file beside the database: how a journal that lost its end is known.
//!
//! SQLite takes a log that is missing, or whose end is, for one that was never written: acknowledged events would be gone
//! without a word. The mark is written after each group's sync and without one of its own. So it survives a process that
//! is killed, and after a power failure it is behind by what the system had not written yet, never ahead.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::folder;
use super::ids::Ids;

const NAME: &str = "journal.mark";
const MAGIC: &[u8; 8] = b"HkPtMark";
const LENGTH: usize = 28;

/// How far the journal was acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) event: i64,
    pub(super) request: i64,
}

/// The open mark.
pub(super) struct Mark {
    file: File,
    written: Reached,
    failing: bool,
}

impl Reached {
    /// Events that are missing from a journal that ends here.
    pub(super) fn beyond(self, ids: &Ids) -> Option<(i64, i64)> {
        (self.event > ids.event).then(|| (ids.event + 1, self.event))
    }

    fn bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.event.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.request.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..24]);
        bytes[24..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        let number = |from: usize| bytes[from..from + 8].try_into().map(i64::from_le_bytes).ok();
        let reached = Self { event: number(8)?, request: number(16)? };
        (reached.bytes() == *bytes).then_some(reached)
    }
}

/// Where the mark of a journal is.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// What a folder's mark says; nothing where there is none, or none that can be read.
pub(super) fn read(folder: &Path) -> Option<Reached> {
    Reached::of(&std::fs::read(path(folder)).ok()?)
}

impl Mark {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = path(folder);
        folder::private(&path)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { file, written: Reached::default(), failing: false })
    }

    /// After a group's sync. A mark that cannot be written is old, and the journal is as good as before.
    pub(super) fn reach(&mut self, ids: &Ids) {
        let reached = Reached { event: ids.event, request: ids.request };
        if reached == self.written {
            return;
        }
        match self.file.write_all_at(&reached.bytes(), 0) {
            Ok(()) => (self.written, self.failing) = (reached, false),
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%error, "{NAME} cannot be written: a loss of the journal's end might not be noticed");
                }
            }
        }
    }

    pub(super) fn close(&self) {
        let _ = self.file.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_is_torn_or_changed_is_none() {
        let reached = Reached { event: 12, request: 7 };
        let bytes = reached.bytes();
        assert_eq!(Reached::of(&bytes), Some(reached));
        assert_eq!(Reached::of(&bytes[..20]), None);
        for at in 0..LENGTH {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(Reached::of(&changed), None, "{at}");
        }
    }
}
