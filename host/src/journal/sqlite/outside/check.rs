//! Whether a journal is as it was written: SQLite's own check, then every row by what it must fit to.
//!
//! What is damaged is said with its place, and how much can still be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};
use serde::Serialize;
use uuid::Uuid;

use super::scan::{Scan, Seen};
use super::{Progress, look};
use crate::journal::sqlite::open::OpenError;
use crate::journal::sqlite::{answer, ids, mark, schema, sum};

/// More are counted and not told.
const TOLD: usize = 100;

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// Nothing is wrong.
    pub whole: bool,
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more: usize,
    /// What can be read, by table.
    pub rows: BTreeMap<&'static str, Count>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where.
    pub place: String,
    /// What.
    pub what: String,
}

/// Rows of a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// As they were written.
    pub good: u64,
    /// Damaged, or not readable.
    pub bad: u64,
}

const REQUESTS: &str = "SELECT id, received, method, target, headers, body, sum FROM requests WHERE id > ? AND id <= ? \
    ORDER BY id";
const EVENTS: &str = "SELECT e.id, e.uuid, r.id, r.sum, e.sum, e.kind, e.subject, e.provider_id, e.time, e.form, \
    e.content, e.head, e.tail, e.data, coalesce(e.seal, r.seal) IS NULL, length(r.body), e.deliveries, \
    (SELECT count(*) FROM deliveries d WHERE d.id >= e.first_delivery AND d.id < e.first_delivery + e.deliveries), \
    o.id FROM events e LEFT JOIN requests r ON r.id = e.request LEFT JOIN origins o ON o.id = e.origin \
    WHERE e.id > ? AND e.id <= ? ORDER BY e.id";
const DELIVERIES: &str = "SELECT d.id, e.id, n.id, d.state FROM deliveries d LEFT JOIN events e ON e.id = d.event \
    LEFT JOIN destinations n ON n.id = d.destination WHERE d.id > ? AND d.id <= ? ORDER BY d.id";
const REJECTIONS: &str = "SELECT id, reason, received, length(headers), length(body) FROM rejections \
    WHERE id > ? AND id <= ? ORDER BY id";

/// Checks a folder's journal, or a file; `quick` leaves the rows and the order of the indexes out.
pub fn check(path: &Path, quick: bool, progress: Progress<'_>) -> Result<Checked, OpenError> {
    let file = look::file(path);
    // Before the first reading: what is acknowledged later is not missing.
    let reached = file.parent().and_then(mark::read).filter(|_| path.is_dir());
    let mut found = Found::default();
    match look::open(&file) {
        Err(
            error @ (OpenError::Missing { .. }
            | OpenError::Foreign { .. }
            | OpenError::Newer { .. }
            | OpenError::Older { .. }),
        ) => return Err(error),
        Err(error) => found.problem("file".into(), error.to_string()),
        Ok(conn) => {
            whole_file(&conn, quick, &mut found, progress);
            if !quick {
                rows(&conn, &mut found, progress);
                runs(&conn, &mut found);
            }
            let last = last(&conn, "events", "last_event");
            if let Some(reached) = reached.filter(|reached| reached.event > last) {
                let what = "were acknowledged and are not there: the log journal.db-wal is missing or damaged, or the \
                            file is an older copy";
                found.problem(numbers("events", last + 1, reached.event), what.into());
            }
        }
    }
    let Found { problems, more, rows } = found;
    Ok(Checked { file, whole: problems.is_empty(), problems, more, rows })
}

#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    more: usize,
    rows: BTreeMap<&'static str, Count>,
}

impl Found {
    fn problem(&mut self, place: String, what: String) {
        match self.problems.len() < TOLD {
            true => self.problems.push(Problem { place, what }),
            false => self.more += 1,
        }
    }
}

fn numbers(table: &str, first: i64, last: i64) -> String {
    if first == last { format!("{table} {first}") } else { format!("{table} {first} to {last}") }
}

fn whole_file(conn: &Connection, quick: bool, found: &mut Found, progress: Progress<'_>) {
    progress("file", 0, 1);
    match schema::lacking(conn) {
        Ok(lacking) => {
            lacking.into_iter().for_each(|what| found.problem(what, "is missing".into()));
        }
        Err(error) => found.problem("file".into(), answer::words(&error)),
    }
    let check = if quick { "PRAGMA quick_check(100)" } else { "PRAGMA integrity_check(100)" };
    let said = |conn: &Connection| -> rusqlite::Result<Vec<String>> {
        conn.prepare(check)?.query_map([], |row| row.get(0))?.collect()
    };
    match said(conn) {
        Ok(said) => {
            let wrong =
                said.iter().flat_map(|said| said.lines()).filter(|line| *line != "ok" && !line.starts_with("***"));
            wrong.for_each(|line| found.problem("file".into(), line.to_owned()));
        }
        Err(error) => found.problem("file".into(), answer::words(&error)),
    }
}

/// The greatest number that a table has or had, as far as that can be read.
fn last(conn: &Connection, table: &str, meta: &str) -> i64 {
    let max = conn.query_row(&format!("SELECT max(id) FROM {table}"), [], |row| row.get::<_, Option<i64>>(0));
    max.ok().flatten().unwrap_or(0).max(schema::meta(conn, meta).unwrap_or(0))
}

type Judge = fn(&Row<'_>) -> rusqlite::Result<Option<String>>;

fn rows(conn: &Connection, found: &mut Found, progress: Progress<'_>) {
    let tables: [(&'static str, &'static str, &str, Judge); 4] = [
        ("requests", REQUESTS, "last_request", request),
        ("events", EVENTS, "last_event", event),
        ("deliveries", DELIVERIES, "last_delivery", delivery),
        ("rejections", REJECTIONS, "", |row| row.get::<_, String>(1).map(|_| None)),
    ];
    for (table, select, meta, judge) in tables {
        // Neighbours with the same trouble are one problem.
        let mut troubles: Vec<(i64, i64, String)> = Vec::new();
        let mut count = Count::default();
        let scan = Scan { conn, table, select, last: last(conn, table, meta) };
        scan.all(progress, |seen| {
            let (id, trouble) = match seen {
                Seen::Unreadable(id) => (id, Some("cannot be read: their page is damaged".to_owned())),
                Seen::Row(id, row) => (id, judge(row).unwrap_or_else(|error| Some(answer::words(&error)))),
            };
            let Some(trouble) = trouble else {
                count.good += 1;
                return;
            };
            count.bad += 1;
            match troubles.last_mut() {
                Some((_, last, same)) if *same == trouble && *last + 1 == id => *last = id,
                _ => troubles.push((id, id, trouble)),
            }
        });
        found.rows.insert(table, count);
        troubles.into_iter().for_each(|(first, last, what)| found.problem(numbers(table, first, last), what));
    }
}

fn request(row: &Row<'_>) -> rusqlite::Result<Option<String>> {
    let kept: Option<i64> = row.get(6)?;
    let Some(kept) = kept else { return Ok(None) };
    let (method, target) = (row.get_ref(2)?.as_str()?, row.get_ref(3)?.as_str()?);
    let (headers, body) = (row.get_ref(4)?.as_blob()?, row.get_ref(5)?.as_blob()?);
    let found = sum::Request { received: row.get(1)?, method, target, headers, body }.sum();
    Ok((found != kept).then(changed))
}

fn changed() -> String {
    "the bytes are not those that were recorded".into()
}

fn event(row: &Row<'_>) -> rusqlite::Result<Option<String>> {
    let id: i64 = row.get(0)?;
    if ids::number(Uuid::from_bytes(row.get(1)?)) != id {
        return Ok(Some("its id is that of another".into()));
    }
    if row.get::<_, Option<i64>>(2)?.is_none() || row.get::<_, Option<i64>>(18)?.is_none() {
        return Ok(Some("its request or its origin is not there".into()));
    }
    let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?);
    let (head, tail): (i64, i64) = (row.get(11)?, row.get(12)?);
    if let Some(kept) = row.get::<_, Option<i64>>(4)? {
        let found = sum::Event {
            request: row.get::<_, Option<i64>>(3)?.unwrap_or_default(),
            kind: row.get_ref(5)?.as_str()?,
            subject: text(6)?,
            provider_id: text(7)?,
            time: row.get(8)?,
            form: row.get(9)?,
            content: text(10)?,
            head,
            tail,
            data: row.get_ref(13)?.as_blob_or_null()?.unwrap_or_default(),
        };
        if found.sum() != kept {
            return Ok(Some(changed()));
        }
    }
    let (plain, length): (bool, i64) = (row.get(14)?, row.get(15)?);
    if plain && (head < 0 || tail < 0 || head > length || tail > length) {
        return Ok(Some("its data does not fit its request".into()));
    }
    let (planned, there): (i64, i64) = (row.get(16)?, row.get(17)?);
    Ok((planned != there).then(|| format!("{} of its deliveries are not there", planned - there)))
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Option<String>> {
    if row.get::<_, Option<i64>>(1)?.is_none() {
        return Ok(Some("its event is not there".into()));
    }
    if row.get::<_, Option<i64>>(2)?.is_none() {
        return Ok(Some("its destination is not there".into()));
    }
    let state: i64 = row.get(3)?;
    Ok((!(0..=6).contains(&state)).then(|| format!("its state is {state}")))
}

/// The dedup keys that were written in runs: a run that is damaged would let a repeat pass as new.
fn runs(conn: &Connection, found: &mut Found) {
    let read = |conn: &Connection| -> rusqlite::Result<Vec<(i64, i64, i64, i64)>> {
        let sql = "SELECT r.id, r.last_event, length(r.filter), (SELECT count(*) FROM keys k WHERE k.run = r.id) \
                   FROM runs r ORDER BY r.id";
        let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        conn.prepare(sql)?.query_map([], columns)?.collect()
    };
    match read(conn) {
        Err(error) => found.problem("keys".into(), answer::words(&error)),
        Ok(runs) => {
            let mut before = i64::MIN;
            for (id, last_event, filter, keys) in runs {
                if filter == 0 || filter % 64 != 0 || keys == 0 || last_event < before {
                    found.problem(format!("keys, run {id}"), "repeats may not be known as such".into());
                }
                before = last_event;
            }
        }
    }
}
