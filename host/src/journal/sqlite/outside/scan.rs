//! Every row of a table in the order of its number, also where pages between them cannot be read.
//!
//! Each piece is a reading of its own, so that a gateway's log can start again in between.

use rusqlite::{Connection, Row};

use super::Progress;

/// Numbers looked at in one reading.
const PIECE: i64 = 1_000;

/// A table, by its numbers.
pub(super) struct Scan<'c> {
    pub(super) conn: &'c Connection,
    /// What is counted.
    pub(super) table: &'static str,
    /// Selects rows with `?1 < id <= ?2` in order, the id as the first column.
    pub(super) select: &'static str,
    /// No number is greater.
    pub(super) last: i64,
}

/// A row that was read, or a number under which nothing can be.
pub(super) enum Seen<'r, 'c> {
    Row(i64, &'r Row<'c>),
    Unreadable(i64),
}

impl Scan<'_> {
    /// Shows all of them.
    pub(super) fn all(&self, progress: Progress<'_>, mut seen: impl FnMut(Seen<'_, '_>)) {
        let next = format!("SELECT min(id) FROM {} WHERE id > ?", self.table);
        let mut after = 0;
        while after < self.last {
            progress(self.table, after.unsigned_abs(), self.last.unsigned_abs());
            // Over what was deleted; where that cannot be read, number by number.
            match self.conn.query_row(&next, [after], |row| row.get::<_, Option<i64>>(0)) {
                Ok(Some(first)) => after = after.max(first - 1),
                Ok(None) => return,
                Err(_) => {}
            }
            let end = after.saturating_add(PIECE).min(self.last);
            if self.piece(after, end, &mut |_, _| {}).is_ok() {
                // It can be read; now for what it says.
                let _ = self.piece(after, end, &mut |id, row| seen(Seen::Row(id, row)));
            } else {
                for id in after + 1..=end {
                    let mut found = None;
                    let read = self.piece(id - 1, id, &mut |id, row| {
                        seen(Seen::Row(id, row));
                        found = Some(id);
                    });
                    if read.is_err() && found.is_none() {
                        seen(Seen::Unreadable(id));
                    }
                }
            }
            after = end;
        }
    }

    fn piece(&self, after: i64, end: i64, each: &mut dyn FnMut(i64, &Row<'_>)) -> rusqlite::Result<()> {
        let mut select = self.conn.prepare_cached(self.select)?;
        let mut rows = select.query([after, end])?;
        while let Some(row) = rows.next()? {
            each(row.get(0)?, row);
        }
        Ok(())
    }
}
