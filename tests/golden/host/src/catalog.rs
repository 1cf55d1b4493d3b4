//! No catalogue.

use std::path::{Path, PathBuf};

pub(super) struct Entry {
    pub(super) id: &'static str,
    pub(super) text: &'static str,
}

impl Entry {
    pub(super) fn file(&self) -> PathBuf {
        PathBuf::new()
    }

    pub(super) fn samples(&self) -> Vec<super::Sample> {
        Vec::new()
    }
}

pub(super) fn id(_: &Path) -> Option<&str> {
    None
}

pub(super) fn find(_: &str) -> Option<&'static Entry> {
    None
}

pub(super) fn entries() -> &'static [Entry] {
    &[]
}
