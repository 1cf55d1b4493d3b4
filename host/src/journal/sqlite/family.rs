//! A request and its copies: where the same bytes lie, and all the events that lean on them.
//!
//! A replay that adds an event copies its request, because the events of one request lie side by side. What is erased of
//! one is erased of all.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::rows::{self, ERASED};
use super::seal::Vault;
use super::{ids, sum};
use crate::event::Data;

/// The requests of a family; of each its number, its first event, and the one behind its last.
pub(super) struct Family(Vec<(i64, i64, i64)>);

impl Family {
    /// That of a request.
    pub(super) fn of(conn: &Connection, request: i64) -> rusqlite::Result<Self> {
        // The first one may have gone with its age, and its copies know it still.
        let find = "WITH root (id) AS (SELECT coalesce(copy_of, id) FROM requests WHERE id = ?) \
             SELECT id, first_event, first_event + events FROM requests WHERE id = (SELECT id FROM root) UNION ALL \
             SELECT id, first_event, first_event + events FROM requests INDEXED BY requests_copies \
             WHERE copy_of IS NOT NULL AND copy_of = (SELECT id FROM root)";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
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
        for (_, first, end) in &self.0 {
            if planned.exists([first, end])? || replayed.exists([first, end])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one that was cancelled is still on its way: its answer is still to come.
    pub(super) fn flies(&self, conn: &Connection, flying: &[i64]) -> rusqlite::Result<bool> {
        let mut find = conn.prepare_cached("SELECT 1 FROM deliveries WHERE id = ? AND event >= ? AND event < ?")?;
        for (_, first, end) in &self.0 {
            for delivery in flying {
                if find.exists([delivery, first, end])? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Erases the requests' bytes. Their events but this one are written whole before: they share the bytes.
    pub(super) fn erase(&self, conn: &Connection, event: i64, vault: Option<&Vault>) -> rusqlite::Result<()> {
        for (_, first, end) in &self.0 {
            free(conn, (*first, *end), event, vault)?;
        }
        for (request, first, end) in &self.0 {
            let blank = "UPDATE requests SET seal = NULL, sum = NULL, target = '', headers = x'', body = x'', erased = 1 \
                 WHERE id = ?";
            conn.prepare_cached(blank)?.execute([request])?;
            // The sums of its events are over its own, too.
            let sums = "UPDATE events SET sum = NULL WHERE id >= ? AND id < ?";
            conn.prepare_cached(sums)?.execute([first, end])?;
        }
        Ok(())
    }
}

/// Writes events whole, but one.
fn free(conn: &Connection, (first, end): (i64, i64), but: i64, vault: Option<&Vault>) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT {} FROM {} WHERE e.id >= ? AND e.id < ? AND e.id <> ? AND e.seal IS NULL AND e.state <> {ERASED}",
        rows::EVENT,
        rows::EVENT_FROM
    );
    let others: Vec<_> = conn
        .prepare_cached(&sql)?
        .query_map([first, end, but], rows::event)?
        // Of what is damaged there is nothing to keep.
        .filter(|other| !matches!(other, Err(error) if sum::is_damage(error)))
        .collect::<rusqlite::Result<_>>()?;
    for other in others {
        let (Data::Json(data) | Data::Bytes(data, _)) = other.data else { continue };
        write_whole(conn, other.id, &data, vault)?;
    }
    Ok(())
}

fn write_whole(conn: &Connection, id: Uuid, data: &[u8], vault: Option<&Vault>) -> rusqlite::Result<()> {
    let key = vault.map(Vault::data_key);
    let data = key.as_ref().map_or_else(|| data.to_vec(), |key| key.seal(data));
    let whole = "UPDATE events SET head = 0, tail = 0, data = ?, seal = ? WHERE id = ?";
    conn.prepare_cached(whole)?.execute(params![data, key.map(|key| key.wrapped), ids::number(id)])?;
    Ok(())
}
