//! Deleting an event: only where nothing of it is open, with all that belongs to it, and never its key before its time.

use rusqlite::{Connection, params};

/// An event as retention looks at it.
pub(super) struct Old {
    pub(super) event: i64,
    pub(super) received: i64,
    request: i64,
    /// The deliveries that were made with it: the first, and the first that is none.
    first: i64,
    end: i64,
}

/// Up to where the keys of events and requests are written in runs, which outlive them.
#[derive(Clone, Copy)]
pub(super) struct Covered {
    pub(super) event: i64,
    pub(super) request: i64,
}

/// The next ones, in the order of their arrival.
pub(super) fn after(conn: &Connection, event: i64, limit: usize) -> rusqlite::Result<Vec<Old>> {
    let mut select = conn.prepare_cached(
        "SELECT id, received, request, first_delivery, first_delivery + deliveries FROM events WHERE id > ? \
         ORDER BY id LIMIT ?",
    )?;
    let old = |row: &rusqlite::Row<'_>| {
        Ok(Old {
            event: row.get(0)?,
            received: row.get(1)?,
            request: row.get(2)?,
            first: row.get(3)?,
            end: row.get(4)?,
        })
    };
    select.query_map(params![event, limit as i64], old)?.collect()
}

impl Old {
    /// Waiting for its first try, its next, its turn, or an operator who lets its key go.
    pub(super) fn is_open(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let open = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE id >= ?1 AND id < ?2 AND state IN (0, 1, 5, 6)) \
             OR EXISTS (SELECT 1 FROM deliveries WHERE event = ?3 AND replay IS NOT NULL AND state IN (0, 1, 5, 6))";
        conn.prepare_cached(open)?.query_row([self.first, self.end, self.event], |row| row.get(0))
    }

    /// An event that stays although it is old keeps its keys: the same event must not be taken again beside it.
    pub(super) fn hold_keys(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let hold_event = "INSERT INTO keys (run, hash, received, until) SELECT 0, key, received, ?2 FROM events \
             WHERE id = ?1 AND key_until IS NULL \
             ON CONFLICT DO UPDATE SET until = ?2 WHERE until IS NULL OR until < ?2";
        let hold_nonce = "INSERT INTO keys (run, hash, received, until) SELECT 0, nonce, received, ?2 FROM requests \
             WHERE id = ?1 AND nonce IS NOT NULL AND nonce_until IS NULL \
             ON CONFLICT DO UPDATE SET until = ?2 WHERE until IS NULL OR until < ?2";
        let held = conn.prepare_cached(hold_event)?.execute([self.event, i64::MAX])?
            + conn.prepare_cached(hold_nonce)?.execute([self.request, i64::MAX])?;
        Ok(held > 0)
    }

    /// The reverse of [`hold_keys`](Self::hold_keys), when the event goes.
    pub(super) fn release_keys(&self, conn: &Connection) -> rusqlite::Result<()> {
        let release = "DELETE FROM keys WHERE run = 0 AND until = ?3 AND hash IN \
             (SELECT key FROM events WHERE id = ?1 UNION ALL SELECT nonce FROM requests WHERE id = ?2)";
        conn.prepare_cached(release)?.execute([self.event, self.request, i64::MAX])?;
        Ok(())
    }

    /// A key that holds longer than its event is here, and that is in no run yet, moves to run 0. `early`: the event goes
    /// before its age, and keys that hold as long as retention do so without it.
    pub(super) fn keep_keys(
        &self,
        conn: &Connection,
        covered: Covered,
        now: i64,
        early: bool,
    ) -> rusqlite::Result<bool> {
        let mut kept = 0;
        if self.event > covered.event {
            let keep = "INSERT OR REPLACE INTO keys (run, hash, received, until) SELECT 0, key, received, key_until \
                 FROM events WHERE id = ?1 AND (key_until > ?2 OR (?3 AND key_until IS NULL))";
            kept += conn.prepare_cached(keep)?.execute(params![self.event, now, early])?;
        }
        if self.request > covered.request {
            let keep = "INSERT OR REPLACE INTO keys (run, hash, received, until) SELECT 0, nonce, received, nonce_until \
                 FROM requests WHERE id = ?1 AND nonce IS NOT NULL \
                 AND (nonce_until > ?2 OR (?3 AND nonce_until IS NULL))";
            kept += conn.prepare_cached(keep)?.execute(params![self.request, now, early])?;
        }
        Ok(kept > 0)
    }

    /// The event with its deliveries and their attempts, and its request when it was the last of it.
    pub(super) fn delete(&self, conn: &Connection) -> rusqlite::Result<()> {
        if self.first < self.end {
            let made = [self.first, self.end];
            conn.prepare_cached("DELETE FROM attempts WHERE delivery >= ? AND delivery < ?")?.execute(made)?;
            conn.prepare_cached("DELETE FROM deliveries WHERE id >= ? AND id < ?")?.execute(made)?;
        }
        let replayed = "DELETE FROM attempts WHERE delivery IN \
             (SELECT id FROM deliveries WHERE event = ? AND replay IS NOT NULL)";
        conn.prepare_cached(replayed)?.execute([self.event])?;
        conn.prepare_cached("DELETE FROM deliveries WHERE event = ? AND replay IS NOT NULL")?.execute([self.event])?;
        conn.prepare_cached("DELETE FROM events WHERE id = ?")?.execute([self.event])?;
        let unused = "DELETE FROM requests WHERE id = ?1 AND NOT EXISTS \
             (SELECT 1 FROM events e WHERE e.id >= first_event AND e.id < first_event + events)";
        conn.prepare_cached(unused)?.execute([self.request])?;
        Ok(())
    }
}
