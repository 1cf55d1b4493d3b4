//! What is due, from the file into memory: at the start, and when memory runs low.

use std::sync::Arc;

use rusqlite::{Connection, Row, params};

use super::due::{Due, Open, Place};
use super::schema;

/// Rows read in one refill: acks wait for it.
const REFILL: usize = 2_048;

/// At the start: the oldest due of every destination.
pub(super) fn load_open(conn: &Connection, due: &Due, limit: usize) -> rusqlite::Result<()> {
    let mut names = conn.prepare("SELECT name FROM destinations")?;
    let names: Vec<Arc<str>> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names {
        let rows = open_from(conn, &name, (i64::MIN, 0), limit.min(REFILL))?;
        let complete = rows.len() < limit.min(REFILL);
        due.refill(&name, rows, complete);
        due.resumed(&name, schema::meta(conn, &resumed(&name))?);
    }
    Ok(())
}

/// Under which name the file has when a destination's last pause ended.
pub(super) fn resumed(destination: &str) -> String {
    format!("resumed {destination}")
}

/// Reads on where memory ended.
pub(super) fn refill(conn: &Connection, due: &Due, destination: &Arc<str>, limit: usize) -> rusqlite::Result<()> {
    let Some(horizon) = due.horizon(destination) else {
        due.refill(destination, Vec::new(), true);
        return Ok(());
    };
    let room = limit.min(REFILL);
    let rows = open_from(conn, destination, horizon, room)?;
    let complete = rows.len() < room;
    due.refill(destination, rows, complete);
    Ok(())
}

/// Those of the same time first: from a time on, the index would begin with the first of that time, and most have the same.
pub(super) fn open_from(
    conn: &Connection,
    name: &str,
    from: Place,
    limit: usize,
) -> rusqlite::Result<Vec<(Place, Open)>> {
    let columns = "SELECT next, id, event, attempts, base, since, order_key FROM deliveries INDEXED BY deliveries_open \
         WHERE state < 2 AND destination = (SELECT id FROM destinations WHERE name = ?)";
    let same = format!("{columns} AND next = ? AND id >= ? ORDER BY id LIMIT ?");
    let later = format!("{columns} AND next > ? ORDER BY next, id LIMIT ?");
    let mut rows = conn
        .prepare_cached(&same)?
        .query_map(params![name, from.0, from.1, limit as i64], open)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.len() < limit {
        let mut select = conn.prepare_cached(&later)?;
        let more = select.query_map(params![name, from.0, (limit - rows.len()) as i64], open)?;
        rows.extend(more.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(rows)
}

fn open(row: &Row<'_>) -> rusqlite::Result<(Place, Open)> {
    let (attempts, base, since, order) = (row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
    let open = Open { event: row.get(2)?, attempts, base, since, order, cached: None };
    Ok(((row.get(0)?, row.get(1)?), open))
}
