//! What operators do with a journal from outside, beside a gateway that runs or without one: look, check, copy, pack.
//!
//! Everything but [`pack`] only reads. A reader keeps the log from starting again while it reads, and holds up nobody.

mod backup;
mod check;
mod judge;
mod look;
mod pack;
mod scan;

#[cfg(feature = "postgres")]
use std::fs::File;
use std::path::Path;

#[cfg(feature = "postgres")]
use rusqlite::Connection;

pub use self::backup::backup;
pub use self::check::{Checked, Count, Problem, check};
pub use self::pack::pack;
use super::open::OpenError;
use super::query;
#[cfg(feature = "postgres")]
use super::{folder, schema};
use crate::journal::Stats;

/// How far something is: what is being done, how much of it, and of how much.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// The numbers of a journal, from its folder or file.
pub fn stats(path: &Path) -> Result<Stats, OpenError> {
    let file = look::file(path);
    let conn = look::open(&file)?;
    query::stats(&conn, &file).map_err(|error| OpenError::of(&file, &error))
}

/// A journal that is read whole: nobody else has it open as long as this is held. A file that stands alone is a backup.
#[cfg(feature = "postgres")]
pub(in crate::journal) struct Reader {
    pub(in crate::journal) conn: Connection,
    pub(in crate::journal) lock: Option<File>,
}

#[cfg(feature = "postgres")]
pub(in crate::journal) fn reader(path: &Path) -> Result<Reader, OpenError> {
    let lock = path.is_dir().then(|| folder::lock(path)).transpose()?;
    Ok(Reader { conn: look::open(&look::file(path))?, lock })
}

/// A number that a journal keeps of itself; 0 where it has none of the name.
#[cfg(feature = "postgres")]
pub(in crate::journal) fn meta(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    schema::meta(conn, name)
}
