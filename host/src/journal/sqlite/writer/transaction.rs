//! The writer's transactions beside its groups, and whether their commits wait for the disk.

use super::Writer;
use crate::journal::sqlite::group;
use crate::journal::sqlite::limits::Synced;

impl Writer<'_> {
    /// Full synchronisation for acks, none for the rest; the next full one covers what was written before.
    pub(super) fn sync(&mut self, wanted: bool) -> rusqlite::Result<()> {
        let full = self.shared.limits.synced;
        if wanted != self.synced && full == Synced::Full {
            let mode = if wanted { full } else { Synced::Normal };
            self.conn.pragma_update(None, "synchronous", mode.pragma())?;
            self.synced = wanted;
        }
        Ok(())
    }

    /// A transaction of its own that nobody's ack waits for.
    pub(super) fn unsynced<T>(&mut self, step: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.transaction(false, step)
    }

    /// A transaction that leaves nothing behind.
    pub(super) fn tried<T>(&mut self, step: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = step(self);
        group::roll_back(self.conn);
        done
    }

    pub(super) fn transaction<T>(
        &mut self,
        synced: bool,
        step: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.sync(synced)?;
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = step(self).and_then(|done| {
            self.conn.prepare_cached("COMMIT")?.execute([])?;
            Ok(done)
        });
        if done.is_err() {
            group::roll_back(self.conn);
        }
        done
    }
}
