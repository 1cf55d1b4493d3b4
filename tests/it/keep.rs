//! A journal that is kept well: what damage, a wrong clock and a bad disk do to it, and what operators do about it.

mod damage;
mod disk;
mod mount;
mod mounted;
mod operate;

use std::path::Path;
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::journal::sqlite::{Options, Sqlite, open};

use crate::journal_contract::ByType;

pub(crate) fn options(folder: &Path) -> Options {
    Options::new(folder, Clock::default(), Arc::new(ByType))
}

pub(crate) fn opened(folder: &Path) -> Arc<Sqlite> {
    open(options(folder)).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn refusal(folder: &Path) -> String {
    open(options(folder)).map(|_| ()).unwrap_err().to_string()
}

/// Where some bytes are in a file, all of them.
pub(crate) fn places(bytes: &[u8], of: &[u8]) -> Vec<usize> {
    bytes.windows(of.len()).enumerate().filter(|(_, window)| *window == of).map(|(at, _)| at).collect()
}
