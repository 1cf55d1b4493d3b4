//! A request and its copies: where the same bytes lie, and all the events that lean on them.
//!
//! A replay that adds an event copies its request, because the events of one request lie side by side. What is erased of
//! one is erased of all.

mod apart;

use rusqlite::{Connection, Row};

use crate::journal::seal::Vault;

/// The requests of a family.
pub(super) struct Family(Vec<Member>);

/// One of them.
struct Member {
    request: i64,
    /// Its first event, and the one behind its last.
    events: (i64, i64),
    /// Its bytes are gone, and its events are written whole.
    blank: bool,
}

impl Family {
    /// That of a request.
    pub(super) fn of(conn: &Connection, request: i64) -> rusqlite::Result<Self> {
        // The first one may have gone with its age, and its copies know it still.
        let find = "WITH root (id) AS (SELECT coalesce(copy_of, id) FROM requests WHERE id = ?) \
             SELECT id, first_event, first_event + events, erased FROM requests WHERE id = (SELECT id FROM root) UNION ALL \
             SELECT id, first_event, first_event + events, erased FROM requests INDEXED BY requests_copies \
             WHERE copy_of IS NOT NULL AND copy_of = (SELECT id FROM root)";
        let read =
            |row: &Row<'_>| Ok(Member { request: row.get(0)?, events: (row.get(1)?, row.get(2)?), blank: row.get(3)? });
        conn.prepare_cached(find)?.query_map([request], read)?.collect::<rusqlite::Result<_>>().map(Self)
    }

    /// Whether a delivery still needs the request's bytes, or an event's data.
    pub(super) fn has_open(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let mut planned = conn.prepare_cached(
            "SELECT 1 FROM events e CROSS JOIN deliveries d ON d.id >= e.first_delivery AND d.id < e.first_delivery + e.deliveries \
             WHERE e.id >= ? AND e.id < ? AND d.state NOT IN (2, 3, 4) LIMIT 1",
        )?;
        let mut replayed = conn.prepare_cached(
            "SELECT 1 FROM deliveries INDEXED BY deliveries_replayed \
             WHERE replay IS NOT NULL AND event >= ? AND event < ? AND state NOT IN (2, 3, 4) LIMIT 1",
        )?;
        for Member { events: (first, end), .. } in &self.0 {
            if planned.exists([first, end])? || replayed.exists([first, end])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one that was cancelled is still on its way: its answer is still to come.
    pub(super) fn flies(&self, conn: &Connection, flying: &[i64]) -> rusqlite::Result<bool> {
        let mut find = conn.prepare_cached("SELECT 1 FROM deliveries WHERE id = ? AND event >= ? AND event < ?")?;
        for Member { events: (first, end), .. } in &self.0 {
            for delivery in flying {
                if find.exists([delivery, first, end])? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Whether a destination got one of its events by this replay.
    pub(super) fn has_got(&self, conn: &Connection, replay: i64, destination: i64) -> rusqlite::Result<bool> {
        let mut find = conn.prepare_cached(
            "SELECT 1 FROM deliveries INDEXED BY deliveries_replayed \
             WHERE event >= ? AND event < ? AND replay IS NOT NULL AND replay = ? AND destination = ? LIMIT 1",
        )?;
        for Member { events: (first, end), .. } in &self.0 {
            if find.exists([*first, *end, replay, destination])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Erases the requests' bytes, where they are not gone yet. Their events but this one are written whole before: they
    /// share the bytes. Says how many events were looked at.
    pub(super) fn erase(&mut self, conn: &Connection, but: i64, vault: Option<&Vault>) -> rusqlite::Result<usize> {
        let mut looked_at = 0;
        for Member { request, events, blank } in self.0.iter_mut().filter(|member| !member.blank) {
            looked_at += apart::set_apart(conn, *request, (*events, but), vault)?;
            let wipe = "UPDATE requests SET seal = NULL, sum = NULL, target = '', headers = x'', body = x'', erased = 1 \
                 WHERE id = ?";
            conn.prepare_cached(wipe)?.execute([*request])?;
            *blank = true;
        }
        Ok(looked_at)
    }
}
