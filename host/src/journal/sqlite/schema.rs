//! The file's layout and version. A file of a newer version is refused, never changed.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::copies;
use super::ids::Ids;
use super::open::OpenError;
use super::wipe::wiping;

const TABLES: &str = include_str!("schema.sql");
/// What each layout adds to the one before it, from the second on.
const ADDED: [&str; 6] = [
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
];
/// `user_version` of this layout.
pub(super) const VERSION: i64 = 1 + ADDED.len() as i64;
/// "HkPt": says whose file it is (`application_id`).
pub(super) const APPLICATION: i64 = 0x486b_5074;

/// Makes the tables in a new file, or checks that they are ours and adds what a newer layout has.
pub(super) fn prepare(conn: &Connection, file: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::of(file, &error);
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables = "SELECT count(*) FROM sqlite_schema";
    if application == 0 && version == 0 && conn.query_row(tables, [], |row| row.get::<_, i64>(0)).map_err(failed)? == 0
    {
        return create(conn).map_err(failed);
    }
    if application != APPLICATION {
        return Err(OpenError::Foreign { file: file.into() });
    }
    if version > VERSION {
        return Err(OpenError::Newer { file: file.into(), found: version, known: VERSION });
    }
    if version < VERSION {
        add(conn, version).map_err(failed)?;
        tracing::info!("the journal {} has layout {VERSION} now; it had {version}", file.display());
    }
    match lacking(conn).map_err(failed)?.into_iter().next() {
        Some(what) => Err(OpenError::Incomplete { file: file.into(), what }),
        None => Ok(()),
    }
}

/// Tables, indexes and views of this layout that a file does not have.
pub(super) fn lacking(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let names = |conn: &Connection| -> rusqlite::Result<BTreeSet<String>> {
        conn.prepare("SELECT type || ' ' || name FROM sqlite_schema")?.query_map([], |row| row.get(0))?.collect()
    };
    let whole = Connection::open_in_memory()?;
    tables(&whole)?;
    let found = names(conn)?;
    Ok(names(&whole)?.into_iter().filter(|name| !found.contains(name)).collect())
}

fn tables(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(TABLES)?;
    ADDED.iter().try_for_each(|added| conn.execute_batch(added))
}

/// All of it or nothing: a crash in between leaves the older layout. Rows are written anew by some of it, and what they
/// said before is wiped.
fn add(conn: &Connection, version: i64) -> rusqlite::Result<()> {
    wiping(conn, || {
        let transaction = conn.unchecked_transaction()?;
        for added in ADDED.iter().skip(usize::try_from(version - 1).unwrap_or(0)) {
            transaction.execute_batch(added)?;
        }
        copies::blank(&transaction)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()
    })
}

fn create(conn: &Connection) -> rusqlite::Result<()> {
    // Before the first table: later it would need a VACUUM of everything.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = conn.unchecked_transaction()?;
    tables(&transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// A number that the journal remembers; 0 at first.
pub(super) fn meta(conn: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut select = conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?.unwrap_or(0))
}

pub(super) fn set_meta(conn: &Connection, name: &str, value: i64) -> rusqlite::Result<()> {
    let put = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2";
    conn.prepare_cached(put)?.execute(rusqlite::params![name, value])?;
    Ok(())
}

/// The last ids that were given, also where retention deleted them since.
pub(super) fn ids(conn: &Connection) -> rusqlite::Result<Ids> {
    let last = |table: &str, name: &str| -> rusqlite::Result<i64> {
        let max: Option<i64> = conn.query_row(&format!("SELECT max(id) FROM {table}"), [], |row| row.get(0))?;
        Ok(max.unwrap_or(0).max(meta(conn, name)?))
    };
    let mut ids = Ids::default();
    ids.event = last("events", "last_event")?;
    ids.request = last("requests", "last_request")?;
    ids.delivery = last("deliveries", "last_delivery")?;
    // Of rejections the newest stays, unless it became an event.
    ids.rejection = last("rejections", "last_rejection")?;
    let newest = "SELECT uuid FROM events ORDER BY id DESC LIMIT 1";
    if let Some(bytes) = conn.query_row(newest, [], |row| row.get(0)).optional()? {
        ids.resume_after(uuid::Uuid::from_bytes(bytes));
    }
    Ok(ids)
}

/// Called where rows are deleted, in the same transaction.
pub(super) fn remember_ids(conn: &Connection, ids: &Ids) -> rusqlite::Result<()> {
    set_meta(conn, "last_event", ids.event)?;
    set_meta(conn, "last_request", ids.request)?;
    set_meta(conn, "last_delivery", ids.delivery)
}
