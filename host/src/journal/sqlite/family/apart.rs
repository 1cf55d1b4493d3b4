//! Setting a request's events apart from it, before its bytes go: their data is written whole, and their sums lean on
//! nothing but themselves.
//!
//! A request may have thousands of events: each is read and written once, and the request's own bytes are read once.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use crate::journal::seal::Vault;
use crate::journal::sqlite::rows::{self, ERASED};
use crate::journal::{splice, sqlite::sum};

/// What the events of a request lean on.
struct Leaned {
    /// Empty where it is damaged: nothing can be made of it.
    body: Bytes,
    sum: i64,
}

/// What an event is without its request.
struct Apart {
    /// None where it has none.
    data: Option<Bytes>,
    sum: i64,
}

/// Does it for all of these but one, which goes with the request; says how many there are.
pub(super) fn set_apart(
    conn: &Connection,
    request: i64,
    ((first, end), but): ((i64, i64), i64),
    vault: Option<&Vault>,
) -> rusqlite::Result<usize> {
    // What has a key of its own leans on nothing.
    let others = "SELECT id FROM events WHERE id >= ? AND id < ? AND id <> ? AND seal IS NULL AND state <> ?";
    let others: Vec<i64> = conn
        .prepare_cached(others)?
        .query_map([first, end, but, ERASED], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if others.is_empty() {
        return Ok(0);
    }
    let leaned = leaned(conn, request)?;
    let mut read = conn.prepare_cached(
        "SELECT e.kind, e.subject, e.provider_id, e.time, e.form, e.content, e.head, e.tail, \
         CASE WHEN r.seal IS NULL THEN e.data ELSE opened(r.seal, e.data) END, e.sum \
         FROM events e CROSS JOIN requests r ON r.id = e.request WHERE e.id = ?",
    )?;
    for other in &others {
        match read.query_row([other], |row| apart(row, &leaned)) {
            Ok(Some(apart)) => write(conn, *other, &apart, vault)?,
            // What is damaged stays as it is, and goes on saying so.
            Ok(None) => {}
            Err(error) if sum::is_damage(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(others.len())
}

fn leaned(conn: &Connection, request: i64) -> rusqlite::Result<Leaned> {
    let read = "SELECT received, method, \
         CASE WHEN seal IS NULL THEN target ELSE CAST(opened(seal, target) AS TEXT) END, \
         CASE WHEN seal IS NULL THEN headers ELSE opened(seal, headers) END, \
         CASE WHEN seal IS NULL THEN body ELSE opened(seal, body) END, sum FROM requests WHERE id = ?";
    let found = |row: &Row<'_>| {
        let (method, target): (String, String) = (row.get(1)?, row.get(2)?);
        let (headers, body): (Vec<u8>, Vec<u8>) = (row.get(3)?, row.get(4)?);
        let (received, kept) = (row.get(0)?, row.get(5)?);
        let request = sum::Request { received, method: &method, target: &target, headers: &headers, body: &body };
        sum::check(kept, || request.sum())?;
        Ok(Bytes::from(body))
    };
    let body = match conn.prepare_cached(read)?.query_row([request], found) {
        Err(error) if sum::is_damage(&error) => Bytes::new(),
        body => body?,
    };
    let sum: Option<i64> = conn.query_row("SELECT sum FROM requests WHERE id = ?", [request], |row| row.get(0))?;
    Ok(Leaned { body, sum: sum.unwrap_or_default() })
}

/// None where its bytes are not those that were recorded.
fn apart(row: &Row<'_>, leaned: &Leaned) -> rusqlite::Result<Option<Apart>> {
    let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?);
    let event = sum::Event {
        request: leaned.sum,
        kind: row.get_ref(0)?.as_str()?,
        subject: text(1)?,
        provider_id: text(2)?,
        time: row.get(3)?,
        form: row.get(4)?,
        content: text(5)?,
        head: row.get(6)?,
        tail: row.get(7)?,
        data: row.get_ref(8)?.as_blob_or_null()?.unwrap_or_default(),
    };
    sum::check(row.get(9)?, || event.sum())?;
    let (head, tail) = (rows::unsigned(row, 6)? as usize, rows::unsigned(row, 7)? as usize);
    let data = match event.form {
        0 => None,
        _ => match splice::join(head, event.data, tail, &leaned.body) {
            Some(data) => Some(data),
            None => return Ok(None),
        },
    };
    let whole = sum::Event { request: 0, head: 0, tail: 0, data: data.as_deref().unwrap_or_default(), ..event };
    let sum = whole.sum();
    Ok(Some(Apart { data, sum }))
}

fn write(conn: &Connection, event: i64, Apart { data, sum }: &Apart, vault: Option<&Vault>) -> rusqlite::Result<()> {
    let key = vault.filter(|_| data.is_some()).map(Vault::data_key);
    let sealed = key.as_ref().zip(data.as_deref()).map(|(key, data)| key.seal(data));
    let data = sealed.as_deref().or(data.as_deref());
    let sum = key.is_none().then_some(sum);
    let whole = "UPDATE events SET head = 0, tail = 0, data = ?, seal = ?, sum = ? WHERE id = ?";
    conn.prepare_cached(whole)?.execute(params![data, key.map(|key| key.wrapped), sum, event])?;
    Ok(())
}
