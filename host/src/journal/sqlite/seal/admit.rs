//! Whether the configured keys are the file's: asked when it is opened, so that a wrong key is a clear refusal and not a
//! surprise at the first delivery.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::journal::seal::Vault;
use crate::journal::sqlite::open::OpenError;

const PROOF: &[u8] = b"hookport journal";

/// A key that the file was written with.
struct Used {
    id: i64,
    since: i64,
    /// Which of the configured keys it is.
    configured: Option<usize>,
}

/// Compares the keys with the file's, and notes the first one if it is new.
pub(in crate::journal::sqlite) fn admit(
    conn: &Connection,
    vault: Option<&Vault>,
    file: &Path,
    now: i64,
) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of(file, &error);
    let used = used(conn, vault).map_err(failed)?;
    let Some(newest) = used.last() else {
        return vault.map_or(Ok(()), |vault| note(conn, vault, now).map_err(failed));
    };
    let Some(vault) = vault else { return Err(OpenError::Sealed { file: file.into() }) };
    if newest.configured.is_none() {
        return Err(OpenError::Key { file: file.into() });
    }
    for (old, next) in used.iter().zip(&used[1..]) {
        if old.configured.is_some() {
            continue;
        }
        if holds_older(conn, next.since).map_err(failed)? {
            return Err(OpenError::OldKey { file: file.into() });
        }
        conn.execute("DELETE FROM vault WHERE id = ?", [old.id]).map_err(failed)?;
    }
    if newest.configured != Some(0) {
        note(conn, vault, now).map_err(failed)?;
    }
    Ok(())
}

/// Whether these keys are the file's, for who only reads it. Where that cannot be told the file is damaged, and says so
/// elsewhere.
pub(in crate::journal::sqlite) fn fits(conn: &Connection, vault: &Vault, file: &Path) -> Result<(), OpenError> {
    let used = used(conn, Some(vault)).unwrap_or_default();
    if used.last().is_some_and(|newest| newest.configured.is_none()) {
        return Err(OpenError::Key { file: file.into() });
    }
    let older = used.iter().zip(used.iter().skip(1)).filter(|(old, _)| old.configured.is_none());
    for (_, next) in older {
        if holds_older(conn, next.since).unwrap_or(false) {
            return Err(OpenError::OldKey { file: file.into() });
        }
    }
    Ok(())
}

fn used(conn: &Connection, vault: Option<&Vault>) -> rusqlite::Result<Vec<Used>> {
    let mut select = conn.prepare("SELECT id, since, proof FROM vault ORDER BY id")?;
    let read = |row: &rusqlite::Row<'_>| {
        let proof: Vec<u8> = row.get(2)?;
        let opened = vault.and_then(|vault| vault.unwrap_by(&proof)).filter(|(_, text)| text.as_slice() == PROOF);
        Ok(Used { id: row.get(0)?, since: row.get(1)?, configured: opened.map(|(index, _)| index) })
    };
    select.query_map([], read)?.collect()
}

/// What senders told outlives retention, so the new key seals it anew.
fn note(conn: &Connection, vault: &Vault, now: i64) -> rusqlite::Result<()> {
    let transaction = conn.unchecked_transaction()?;
    let told: Vec<(i64, Vec<u8>)> = transaction
        .prepare("SELECT id, value FROM captures WHERE typeof(value) = 'blob'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, value) in told {
        // What no key opens stays as it is, and is refused where it is read.
        let Ok(value) = vault.unwrap(&value) else { continue };
        transaction.execute("UPDATE captures SET value = ? WHERE id = ?", params![vault.wrap(&value), id])?;
    }
    transaction.execute("INSERT INTO vault (since, proof) VALUES (?, ?)", params![now, vault.wrap(PROOF)])?;
    transaction.commit()
}

/// Whether something that may be under an older key is still kept.
fn holds_older(conn: &Connection, since: i64) -> rusqlite::Result<bool> {
    let oldest = |table: &str| {
        let sql = format!("SELECT 1 FROM {table} WHERE seal IS NOT NULL AND received <= ? LIMIT 1");
        conn.query_row(&sql, [since], |_| Ok(())).optional().map(|found| found.is_some())
    };
    let answers = "SELECT EXISTS (SELECT 1 FROM attempts WHERE typeof(answer) = 'blob' AND at <= ?)";
    Ok(oldest("requests")?
        || oldest("events")?
        || oldest("rejections")?
        || conn.query_row(answers, [since], |row| row.get(0))?)
}
