//! Stored events that a replay replaces, and those that it adds.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::event::DedupKey;
use crate::journal::prepare::PreparedEvent;
use crate::journal::sqlite::columns::{SAYS, says};
use crate::journal::sqlite::insert::Ingest;
use crate::journal::sqlite::wipe::wiping;
use crate::journal::sqlite::{dedup, ids};

/// A stored event's numbers.
pub(super) struct Stored {
    pub(super) number: i64,
    pub(super) request: i64,
    /// The request that it is a copy of, or itself.
    pub(super) root: i64,
    pub(super) erased: bool,
    /// The request's bytes are gone, with another event of it.
    pub(super) blank: bool,
    /// The sum of the request; none where it is sealed, or older than sums are.
    pub(super) sum: Option<i64>,
}

/// Where it is stored, if it is.
pub(super) fn stored(conn: &Connection, event: &PreparedEvent) -> rusqlite::Result<Option<Stored>> {
    let find = "SELECT e.id, e.request, coalesce(r.copy_of, r.id), e.state = 3, r.sum, r.erased \
         FROM events e CROSS JOIN requests r ON r.id = e.request WHERE e.id = ? AND e.uuid = ?";
    let id = event.event.id;
    let read = |row: &Row<'_>| {
        Ok(Stored {
            number: row.get(0)?,
            request: row.get(1)?,
            root: row.get(2)?,
            erased: row.get(3)?,
            sum: row.get(4)?,
            blank: row.get(5)?,
        })
    };
    conn.prepare_cached(find)?.query_row(params![ids::number(id), id.as_bytes()], read).optional()
}

/// Puts an event in the place of the stored one, and remembers its key, which may be another.
pub(super) fn replace(ingest: &mut Ingest<'_>, prepared: &PreparedEvent, stored: &Stored) -> rusqlite::Result<()> {
    let PreparedEvent { event, key, .. } = prepared;
    let origin = ingest.origin([event.source.clone(), event.provider.clone(), event.provider_version.clone()])?;
    let known: Value =
        ingest.conn.query_row("SELECT key FROM events WHERE id = ?", [stored.number], |row| row.get(0))?;
    if known != Value::Blob(key.hash.to_vec()) {
        remember(ingest, key)?;
    }
    let columns = SAYS.split(", ").map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(", ");
    let update = format!("UPDATE events SET {columns} WHERE id = ?");
    let values = says(prepared, origin).into_iter().chain([stored.number.into()]);
    // What it said before may be what its event is erased for one day.
    wiping(ingest.conn, || ingest.conn.prepare_cached(&update)?.execute(params_from_iter(values)))?;
    Ok(())
}

/// Its event may lie in a run of keys already, which is not written again: it joins those that outlive their events, and
/// goes with its event.
fn remember(ingest: &mut Ingest<'_>, key: &DedupKey) -> rusqlite::Result<()> {
    let until = key.until.map_or(i64::MAX, Timestamp::as_microsecond);
    let keep = "INSERT INTO keys (run, hash, received, until) VALUES (0, ?1, 0, ?2) \
         ON CONFLICT DO UPDATE SET until = max(until, ?2)";
    ingest.conn.prepare_cached(keep)?.execute(params![key.hash, until])?;
    ingest.keys.outliving = true;
    Ok(())
}

/// One more event of a request, which it gets a copy of: the events of a request lie side by side, and retention counts
/// on it. None where its key is known.
pub(super) fn add(
    ingest: &mut Ingest<'_>,
    prepared: &PreparedEvent,
    stored: &Stored,
    now: Timestamp,
) -> rusqlite::Result<Option<i64>> {
    let (event, key) = (&prepared.event, &prepared.key);
    if ingest.keys.known(ingest.conn, &key.hash, now.as_microsecond())? {
        return Ok(None);
    }
    let origin = ingest.origin([event.source.clone(), event.provider.clone(), event.provider_version.clone()])?;
    ingest.keys.add(key.hash, dedup::hold(key, event.received.as_microsecond()));
    let (number, id) = ingest.ids.next_event(now);
    ingest.ids.request += 1;
    let copy = "INSERT INTO requests (id, received, origin, first_event, events, method, target, peer, headers, body, seal, sum, \
         copy_of, erased) SELECT ?1, received, ?2, ?3, 1, method, target, peer, headers, body, seal, sum, \
         coalesce(copy_of, id), erased FROM requests WHERE id = ?4";
    ingest.conn.prepare_cached(copy)?.execute([ingest.ids.request, origin, number, stored.request])?;
    let first = ingest.ids.delivery + 1;
    ingest.insert_event(prepared, 0, number, id, origin, first)?;
    Ok(Some(number))
}
