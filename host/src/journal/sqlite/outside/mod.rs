//! What operators do with a journal from outside, beside a gateway that runs or without one: look, check, copy, pack.
//!
//! Everything but [`pack`] only reads. A reader keeps the log from starting again while it reads, and holds up nobody.

mod backup;
mod check;
mod judge;
mod look;
mod pack;
mod scan;

use std::path::Path;

pub use self::backup::backup;
pub use self::check::{Checked, Count, Problem, check};
pub use self::pack::pack;
use super::open::OpenError;
use super::query;
use crate::journal::Stats;

/// How far something is: what is being done, how much of it, and of how much.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// The numbers of a journal, from its folder or file.
pub fn stats(path: &Path) -> Result<Stats, OpenError> {
    let file = look::file(path);
    let conn = look::open(&file)?;
    query::stats(&conn, &file).map_err(|error| OpenError::of(&file, &error))
}
