//! How much room the journal takes, and giving it back: free pages go in small steps, and the next checkpoint cuts the file.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

/// Pages given back in one step.
const PAGES: u64 = 64;

/// The journal's room, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Space {
    /// The database file and its log, as the file system shows them.
    pub(super) file: u64,
    pub(super) log: u64,
    /// What the pages in use take, and those that are free.
    pub(super) used: u64,
    pub(super) free: u64,
}

impl Space {
    pub(super) fn of(conn: &Connection, file: &Path) -> rusqlite::Result<Self> {
        let number =
            |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        let (page, pages, free) = (number("page_size")?, number("page_count")?, number("freelist_count")?);
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        Ok(Self {
            file: size(file),
            log: size(&log_of(file)),
            used: pages.saturating_sub(free) * page,
            free: free * page,
        })
    }

    pub(super) fn all(&self) -> u64 {
        self.file + self.log
    }

    /// Up to where the pages in use may go for all of it to be below a bound, with a tenth to spare.
    pub(super) fn room(&self, max: u64) -> u64 {
        // A log that is long for the moment is no reason to delete half of what is kept.
        (max / 10 * 9).saturating_sub(self.log).max(max / 2)
    }
}

pub(super) fn log_of(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}

/// Moves pages from the file's end into free ones; says how many went, fewer than a step's where none are left.
pub(super) fn give_back(conn: &Connection) -> rusqlite::Result<(u64, bool)> {
    let free: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let vacuum = format!("PRAGMA incremental_vacuum({PAGES})");
    let mut vacuum = conn.prepare_cached(&vacuum)?;
    let mut rows = vacuum.query([])?;
    while rows.next().optional()?.flatten().is_some() {}
    Ok((free.unsigned_abs().min(PAGES), free.unsigned_abs() <= PAGES))
}
