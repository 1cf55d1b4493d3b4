//! Whether a journal is as it was written: SQLite's own check, then every row by what it must fit to (`judge`).
//!
//! What is damaged is said with its place, and how much can still be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};
use serde::Serialize;

use super::judge::{ALL, Judged, Verdict};
use super::scan::{Scan, Seen};
use super::{Progress, look};
use crate::journal::sqlite::open::OpenError;
use crate::journal::sqlite::{Vault, answer, mark, schema, seal};

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
    /// Encrypted, and there was no key to open them.
    pub sealed: u64,
    /// Damaged, or not readable.
    pub bad: u64,
}

/// Checks a folder's journal, or a file; `quick` leaves the rows and the order of the indexes out. What is encrypted is opened
/// where there is a key.
pub fn check(path: &Path, quick: bool, vault: Option<&Vault>, progress: Progress<'_>) -> Result<Checked, OpenError> {
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
            // Under a wrong key everything would look damaged.
            if let Some(vault) = vault.filter(|_| !quick) {
                seal::fits(&conn, vault, &file)?;
            }
            whole_file(&conn, quick, &mut found, progress);
            if !quick {
                rows(&conn, &mut found, vault, progress);
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

fn rows(conn: &Connection, found: &mut Found, vault: Option<&Vault>, progress: Progress<'_>) {
    for Judged { table, select, last: meta, judge } in ALL {
        // Neighbours with the same trouble are one problem.
        let mut troubles: Vec<(i64, i64, String)> = Vec::new();
        let mut count = Count::default();
        let scan = Scan { conn, table, select, last: last(conn, table, meta) };
        scan.all(progress, |seen| {
            let (id, verdict) = match seen {
                Seen::Unreadable(id) => (id, Verdict::Bad("cannot be read: their page is damaged".to_owned())),
                Seen::Row(id, row) => {
                    (id, judge(row, vault).unwrap_or_else(|error| Verdict::Bad(answer::words(&error))))
                }
            };
            let trouble = match verdict {
                Verdict::Good => return count.good += 1,
                Verdict::Sealed => return count.sealed += 1,
                Verdict::Bad(trouble) => trouble,
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
