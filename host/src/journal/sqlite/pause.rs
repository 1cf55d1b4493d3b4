//! Pauses, which are rare and wait for the disk, so that a crash starts nothing that an operator stopped; and what waits.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::answer::Sender;
use super::{refill, rows, schema};
use crate::journal::{Backlog, Pausable, Paused};

/// What is to be done with a pause.
pub(super) enum Pausing {
    Pause(Pausable, String, Sender<Timestamp>),
    Resume(Pausable, String, Sender<bool>),
}

/// Since when it is paused; a pause that is on goes on.
pub(super) fn pause(conn: &Connection, kind: Pausable, name: &str, now: Timestamp) -> rusqlite::Result<Timestamp> {
    let put = "INSERT INTO paused (kind, name, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    conn.execute(put, params![kind.word(), name, now.as_microsecond()])?;
    let find = "SELECT since FROM paused WHERE kind = ? AND name = ?";
    conn.query_row(find, params![kind.word(), name], |row| row.get(0)).map(rows::time)
}

/// Whether it was paused; when a destination's pause ended is remembered, because its deliveries could not be tried before.
pub(super) fn resume(conn: &Connection, kind: Pausable, name: &str, now: Timestamp) -> rusqlite::Result<bool> {
    let gone = conn.execute("DELETE FROM paused WHERE kind = ? AND name = ?", params![kind.word(), name])? > 0;
    if gone && kind == Pausable::Destination {
        schema::set_meta(conn, &refill::resumed(name), now.as_microsecond())?;
    }
    Ok(gone)
}

/// All, by kind and name.
pub(super) fn list(conn: &Connection) -> rusqlite::Result<Vec<Paused>> {
    let read = |row: &Row<'_>| {
        let kind =
            if row.get_ref(0)?.as_str()? == Pausable::Source.word() { Pausable::Source } else { Pausable::Destination };
        Ok(Paused { kind, name: row.get(1)?, since: rows::time(row.get(2)?) })
    };
    conn.prepare_cached("SELECT kind, name, since FROM paused ORDER BY kind, name")?.query_map([], read)?.collect()
}

/// What waits for each destination that has something.
pub(super) fn backlog(conn: &Connection) -> rusqlite::Result<Vec<Backlog>> {
    // One snapshot for all the numbers.
    let snapshot = conn.unchecked_transaction()?;
    let mut found: BTreeMap<String, Backlog> = BTreeMap::new();
    let counted =
        |row: &Row<'_>| Ok((row.get::<_, String>(0)?, rows::unsigned(row, 1)?, row.get::<_, Option<i64>>(2)?));
    let open = "SELECT n.name, w.open, (SELECT e.received FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = w.first) \
        FROM (SELECT destination, count(*) AS open, min(id) AS first FROM deliveries INDEXED BY deliveries_open \
              WHERE state < 2 GROUP BY destination) w JOIN destinations n ON n.id = w.destination";
    for row in snapshot.prepare_cached(open)?.query_map([], counted)? {
        let (name, open, oldest) = row?;
        let entry = found.entry(name).or_default();
        (entry.open, entry.oldest_open) = (open, oldest.map(rows::time));
    }
    let waiting = "SELECT n.name, w.waiting, (SELECT e.received FROM deliveries d JOIN events e ON e.id = d.event WHERE d.id = w.first) \
        FROM (SELECT destination, count(*) AS waiting, min(id) AS first FROM deliveries \
              WHERE order_key IS NOT NULL AND state IN (0, 1, 5, 6, 7) AND state = 5 GROUP BY destination) w \
        JOIN destinations n ON n.id = w.destination";
    for row in snapshot.prepare_cached(waiting)?.query_map([], counted)? {
        let (name, waiting, oldest) = row?;
        let (entry, oldest) = (found.entry(name).or_default(), oldest.map(rows::time));
        entry.open += waiting;
        entry.oldest_open = entry.oldest_open.into_iter().chain(oldest).min();
    }
    let failed = "SELECT n.name, w.failed, NULL FROM (SELECT destination, count(*) AS failed FROM deliveries \
        INDEXED BY deliveries_failed WHERE state > 2 AND state IN (3, 6) GROUP BY destination) w \
        JOIN destinations n ON n.id = w.destination";
    for row in snapshot.prepare_cached(failed)?.query_map([], counted)? {
        let (name, failed, _) = row?;
        found.entry(name).or_default().exhausted = failed;
    }
    Ok(found.into_iter().map(|(destination, backlog)| Backlog { destination, ..backlog }).collect())
}
