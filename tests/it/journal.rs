//! The embedded journal: the contract of every engine, and what only a file has.

use std::path::Path;
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::journal::Journal;
use hookport::journal::sqlite::{Limits, Options, open};
use tempfile::TempDir;

use crate::journal_contract::{Bounds, ByType, Engine};

crate::journal_contract::contract!(crate::journal::place);

/// A folder of its own, gone with the last engine that uses it.
struct Place {
    folder: TempDir,
}

fn place() -> Box<dyn Engine> {
    Box::new(Place { folder: TempDir::new().unwrap() })
}

fn limits(bounds: Bounds) -> Limits {
    Limits {
        rejections: bounds.rejections,
        rejection_bytes: bounds.rejection_bytes,
        run: bounds.memory,
        due: bounds.memory,
        ..Limits::default()
    }
}

impl Engine for Place {
    fn open(&self, clock: &Clock, bounds: Bounds) -> Arc<dyn Journal> {
        let limits = limits(bounds);
        open(Options { limits, ..Options::new(self.folder.path(), clock.clone(), Arc::new(ByType)) }).unwrap()
    }

    fn crash(&self) -> Box<dyn Engine> {
        let folder = TempDir::new().unwrap();
        copy(self.folder.path(), folder.path());
        Box::new(Place { folder })
    }
}

/// What kill -9 leaves: the files as they are, without the index, which is rebuilt, and without the lock.
fn copy(from: &Path, to: &Path) {
    for name in ["journal.db", "journal.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}
