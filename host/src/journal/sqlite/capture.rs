//! Secrets that senders told: a chore each, because they are rare, but one that waits for the disk as an event does.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use secrecy::{ExposeSecret, SecretString};

use super::answer::Sender;
use super::rows;
use crate::journal::seal::Vault;
use crate::journal::{Capture, CaptureFilter, NewCapture, PENDING_IN_ALL, PENDING_OF_A_SOURCE};

/// What is to be done with them.
pub(super) enum Capturing {
    Keep(NewCapture, Sender<()>),
    Confirm(CaptureFilter, Sender<Option<Capture>>),
    Discard(CaptureFilter, Sender<u64>),
}

/// Of one source, or all where it is none: those that are pending and too many.
const TOO_MANY: &str = "DELETE FROM captures WHERE confirmed IS NULL AND (?1 IS NULL OR source = ?1) AND id NOT IN \
    (SELECT id FROM captures WHERE confirmed IS NULL AND (?1 IS NULL OR source = ?1) ORDER BY id DESC LIMIT ?2)";
const WHICH: &str = "source = ?1 AND (?2 IS NULL OR secret = ?2) AND (?3 IS NULL OR fingerprint = ?3)";
const COLUMNS: &str = "source, secret, CASE typeof(value) WHEN 'blob' THEN CAST(unwrapped(value) AS TEXT) ELSE value END, \
    received, peer, confirmed";

/// Keeps one as the newest; the oldest go where there are too many. One that is confirmed stays so.
pub(super) fn keep(conn: &Connection, new: &NewCapture, vault: Option<&Vault>) -> rusqlite::Result<()> {
    let (source, fingerprint) = (&*new.source, new.fingerprint());
    let same = "source = ?1 AND secret = ?2 AND fingerprint = ?3 AND \
        CASE typeof(value) WHEN 'blob' THEN CAST(unwrapped(value) AS TEXT) ELSE value END = ?4";
    let known = params![source, new.secret, fingerprint, new.value.expose_secret()];
    let confirmed = format!("SELECT 1 FROM captures WHERE confirmed IS NOT NULL AND {same}");
    if conn.query_row(&confirmed, known, |_| Ok(())).optional()?.is_some() {
        return Ok(());
    }
    conn.execute(&format!("DELETE FROM captures WHERE {same}"), known)?;
    let value = new.value.expose_secret();
    let kept = vault.map_or_else(|| Value::from(value.to_owned()), |vault| vault.wrap(value.as_bytes()).into());
    conn.execute(
        "INSERT INTO captures (source, secret, value, fingerprint, received, peer) VALUES (?, ?, ?, ?, ?, ?)",
        params![
            source,
            new.secret,
            kept,
            fingerprint,
            new.received.as_microsecond(),
            new.peer.map(|peer| peer.to_string()),
        ],
    )?;
    conn.execute(TOO_MANY, params![source, PENDING_OF_A_SOURCE as i64])?;
    conn.execute(TOO_MANY, params![None::<&str>, PENDING_IN_ALL as i64])?;
    Ok(())
}

/// Newest first.
pub(super) fn list(conn: &Connection) -> rusqlite::Result<Vec<Capture>> {
    conn.prepare_cached(&format!("SELECT {COLUMNS} FROM captures ORDER BY id DESC"))?.query_map([], capture)?.collect()
}

/// Confirms the newest that is pending, and forgets the others of the same secret.
pub(super) fn confirm(conn: &Connection, which: &CaptureFilter, now: Timestamp) -> rusqlite::Result<Option<Capture>> {
    let newest = format!("SELECT max(id) FROM captures WHERE confirmed IS NULL AND {WHICH}");
    let found = params![which.source, which.secret, which.fingerprint];
    let Some(id) = conn.query_row(&newest, found, |row| row.get::<_, Option<i64>>(0))? else { return Ok(None) };
    let mark = format!("UPDATE captures SET confirmed = ?2 WHERE id = ?1 RETURNING {COLUMNS}");
    let confirmed = conn.query_row(&mark, params![id, now.as_microsecond()], capture)?;
    let others = "DELETE FROM captures WHERE confirmed IS NULL AND source = ?1 AND secret = ?2";
    conn.execute(others, params![confirmed.source, confirmed.secret])?;
    Ok(Some(confirmed))
}

/// Forgets what is pending, and what is confirmed too where its fingerprint is named.
pub(super) fn discard(conn: &Connection, which: &CaptureFilter) -> rusqlite::Result<u64> {
    let forget = format!("DELETE FROM captures WHERE {WHICH} AND (confirmed IS NULL OR ?3 IS NOT NULL)");
    Ok(conn.execute(&forget, params![which.source, which.secret, which.fingerprint])? as u64)
}

fn capture(row: &Row<'_>) -> rusqlite::Result<Capture> {
    Ok(Capture {
        source: row.get(0)?,
        secret: row.get(1)?,
        value: SecretString::from(row.get::<_, String>(2)?),
        received: rows::time(row.get(3)?),
        peer: row.get::<_, Option<String>>(4)?.and_then(|peer| FromStr::from_str(&peer).ok()),
        confirmed: row.get::<_, Option<i64>>(5)?.map(rows::time),
    })
}
