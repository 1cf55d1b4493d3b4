//! The embedded journal, as it is read: nobody writes to it meanwhile.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::cell::Cell;
use super::tables::Table;
use super::{CopyError, keys::Keys};
use crate::journal::sqlite::{Reader, meta, reader};

/// Keys read in one piece.
const PIECE: i64 = 5_000;

/// An embedded journal that nobody else has open, or a copy of one.
pub(super) struct Embedded {
    conn: Connection,
    /// Held as long as it is read.
    _lock: Option<File>,
}

/// How far keys were read.
#[derive(Debug, Clone)]
pub(super) struct KeyPlace(i64, Vec<u8>);

impl Embedded {
    pub(super) fn open(path: &Path) -> Result<Self, CopyError> {
        let Reader { conn, lock } = reader(path)?;
        Ok(Self { conn, _lock: lock })
    }

    /// The rows of a table, of requests in a range where it is of requests.
    pub(super) fn rows(&self, table: &Table, range: Option<(i64, i64)>) -> Result<Vec<Vec<Cell>>, CopyError> {
        let mut select = self.conn.prepare_cached(table.file)?;
        let mut found = match range {
            Some((after, until)) => select.query([after, until])?,
            None => select.query([])?,
        };
        let (columns, mut rows) = (table.columns(), Vec::new());
        while let Some(row) = found.next()? {
            let cells =
                columns.iter().enumerate().map(|(index, (name, kind))| Ok(Cell::of(row.get_ref(index)?, name, kind)?));
            rows.push(cells.collect::<Result<_, CopyError>>()?);
        }
        Ok(rows)
    }

    /// The last number of a table.
    pub(super) fn last(&self, table: &str) -> Result<i64, CopyError> {
        let last = format!("SELECT coalesce(max(id), 0) FROM {table}");
        Ok(self.conn.query_row(&last, [], |row| row.get(0))?)
    }

    /// A number that it keeps of itself.
    pub(super) fn meta(&self, name: &str) -> Result<i64, CopyError> {
        Ok(meta(&self.conn, name)?)
    }

    /// The end of the piece of so many requests after one; none at the end.
    pub(super) fn piece_after(&self, after: i64, count: i64) -> Result<Option<i64>, CopyError> {
        let end = "SELECT max(id) FROM (SELECT id FROM requests WHERE id > ? ORDER BY id LIMIT ?)";
        Ok(self.conn.query_row(end, [after, count], |row| row.get(0))?)
    }

    /// The next keys that lie in runs; those that hold as long as their event hold as long as retention.
    pub(super) fn keys(&self, after: Option<&KeyPlace>, keys: &mut Keys) -> Result<Option<KeyPlace>, CopyError> {
        let KeyPlace(run, hash) = after.cloned().unwrap_or(KeyPlace(-1, Vec::new()));
        let next = "SELECT run, hash, received, until FROM keys WHERE (run, hash) > (?, ?) ORDER BY run, hash LIMIT ?";
        let mut select = self.conn.prepare_cached(next)?;
        let mut found = select.query(params![run, hash, PIECE])?;
        let mut last = None;
        while let Some(row) = found.next()? {
            let (hash, until): (Vec<u8>, Option<i64>) = (row.get(1)?, row.get(3)?);
            if let Ok(key) = Uuid::from_slice(&hash) {
                keys.add(key, until.filter(|until| *until != i64::MAX), row.get(2)?, until == Some(i64::MAX));
            }
            last = Some(KeyPlace(row.get(0)?, hash));
        }
        Ok(last)
    }
}
