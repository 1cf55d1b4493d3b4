//! Moving an embedded journal into PostgreSQL: all of it, in pieces, and compared at the end.
//!
//! Rows are taken over as they are, sealed content with its seals; ids and numbers stay, and new ones go on behind them. A
//! piece and how far the copy is are written together, so that whoever breaks it off goes on where it was.

mod cell;
mod file;
mod keys;
mod server;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use secrecy::SecretString;

use self::cell::{Cell, Odd, digest};
use self::file::Embedded;
use self::keys::Keys;
use self::server::Filled;
use self::tables::{DAILY, EVENTS, NAMES, REQUESTS, REST, Table};
use super::connect::{self, Server};
use super::fault::Fault;
use super::layout;
use super::open::OpenError;
use crate::journal::sqlite;

/// Requests in one piece.
const PIECE: i64 = 500;

/// How far it is: what is being done, how much of it, and of how much.
pub type Progress<'a> = &'a mut dyn FnMut(&'static str, u64, u64);

/// Where it goes.
pub struct Target {
    /// The server.
    pub url: SecretString,
    /// The schema; made if missing.
    pub schema: String,
}

/// What was copied, and is the same on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows of each day, by table.
    pub days: BTreeMap<Date, BTreeMap<&'static str, u64>>,
    /// Rows of what is of no day.
    pub others: BTreeMap<&'static str, u64>,
    /// Dedup keys and nonces.
    pub keys: u64,
}

/// Why it was not copied, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source.
    #[error(transparent)]
    File(#[from] sqlite::OpenError),
    /// A row of it.
    #[error("the embedded journal cannot be read: {0}; `hookport journal check` says where it is damaged")]
    Read(#[from] rusqlite::Error),
    /// A value of it.
    #[error("the embedded journal cannot be read: {0}")]
    Odd(String),
    /// The target.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What the server said meanwhile.
    #[error("the copy broke off: {0}; the same command goes on where it was")]
    Server(String),
    /// It holds something.
    #[error(
        "the target is not empty, or a gateway uses it: choose another schema, or drop this one if nothing in it is of use"
    )]
    Used,
    /// It is half of another copy.
    #[error("the target is half a copy of {begun}: go on with that one, or drop the schema")]
    Other {
        /// What it was copied from.
        begun: String,
    },
    /// It is not the same.
    #[error(
        "the copy of {table} of {day} is not what it was copied from: {from} rows there, {to} here; nobody may use it"
    )]
    Different {
        /// Which.
        table: &'static str,
        /// Of which day.
        day: String,
        /// Rows.
        from: u64,
        /// Rows.
        to: u64,
    },
    /// The runtime.
    #[error("copying could not be begun: {0}")]
    Begin(#[from] std::io::Error),
}

impl From<Fault> for CopyError {
    fn from(fault: Fault) -> Self {
        Self::Server(fault.words())
    }
}

impl From<tokio_postgres::Error> for CopyError {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<Odd> for CopyError {
    fn from(odd: Odd) -> Self {
        Self::Odd(odd.to_string())
    }
}

/// Copies all of it; where it was broken off, the rest.
pub fn copy(from: &Path, to: &Target, now: Timestamp, progress: Progress<'_>) -> Result<Copied, CopyError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(copy_all(from, to, now.as_microsecond(), progress))
}

async fn copy_all(from: &Path, to: &Target, now: i64, progress: Progress<'_>) -> Result<Copied, CopyError> {
    let source = Embedded::open(from)?;
    let server = Server::new(&to.url, &to.schema, 2, None)?;
    let mut client = server.client().await?;
    connect::judge(&client).await?;
    layout::prepare_copy(&mut client, &to.schema).await?;
    let name = std::path::absolute(from).unwrap_or_else(|_| from.to_owned()).display().to_string();
    let mut target = Filled::begin(client, &name, &all_of(&source, &NAMES)?).await?;
    let forgotten = source.meta("forgotten")?;
    let (last, new_keys) = (source.last("requests")?, || Keys::new(now, forgotten));
    while let Some(until) = source.piece_after(target.after, PIECE)? {
        progress("requests", target.after.unsigned_abs(), last.unsigned_abs());
        let piece = DAILY.map(|table| Ok((table, source.rows(table, Some((target.after, until)))?)));
        let piece: Vec<(&Table, Vec<Vec<Cell>>)> = piece.into_iter().collect::<Result<_, CopyError>>()?;
        let mut keys = new_keys();
        for (table, rows) in &piece {
            let columns = match table.name {
                name if name == EVENTS.name => ["key", "key_until", "received"].map(|name| table.at(name)),
                name if name == REQUESTS.name => ["nonce", "nonce_until", "received"].map(|name| table.at(name)),
                _ => continue,
            };
            rows.iter().for_each(|row| keys.add_of(row, columns));
        }
        target.add(&piece, &keys, until).await?;
    }
    let mut place = None;
    loop {
        let mut keys = new_keys();
        let Some(next) = source.keys(place.as_ref(), &mut keys)? else { break };
        target.add_keys(&keys).await?;
        place = Some(next);
    }
    target.replace(&all_of(&source, &REST)?).await?;
    let copied = compare(&source, &target, last, progress).await?;
    let numbers = [
        last.max(source.meta("last_request")?),
        source.last("deliveries")?.max(source.meta("last_delivery")?),
        source.last("rejections")?.max(source.meta("last_rejection")?),
    ];
    target.finish(numbers, now).await?;
    Ok(copied)
}

/// A table and its rows.
type Whole<'t> = (&'t Table, Vec<Vec<Cell>>);

fn all_of<'t>(source: &Embedded, tables: &'t [Table]) -> Result<Vec<Whole<'t>>, CopyError> {
    tables.iter().map(|table| Ok((table, source.rows(table, None)?))).collect()
}

/// Rows and their sum, whatever their order.
type Sum = (u64, u64);

/// Reads both sides again.
async fn compare(source: &Embedded, target: &Filled, last: i64, progress: Progress<'_>) -> Result<Copied, CopyError> {
    let mut copied = Copied { keys: target.count("keys").await?, ..Copied::default() };
    let mut after = 0;
    let (mut there, mut here) = (BTreeMap::<(Date, &str), Sum>::new(), BTreeMap::<(Date, &str), Sum>::new());
    while let Some(until) = source.piece_after(after, PIECE)? {
        progress("compared", after.unsigned_abs(), last.unsigned_abs());
        for table in DAILY {
            sum(table, &source.rows(table, Some((after, until)))?, &mut there);
            sum(table, &target.rows(table, (after, until)).await?, &mut here);
        }
        after = until;
    }
    for (day, table) in there.keys().chain(here.keys()) {
        let at = (*day, *table);
        let (from, to) = (there.get(&at).copied().unwrap_or_default(), here.get(&at).copied().unwrap_or_default());
        if from != to {
            let table = DAILY.iter().find(|known| known.name == *table).map_or("rows", |known| known.name);
            return Err(CopyError::Different { table, day: day.to_string(), from: from.0, to: to.0 });
        }
    }
    for table in DAILY {
        for ((day, name), (count, _)) in &there {
            if *name == table.name {
                copied.days.entry(*day).or_default().insert(table.name, *count);
            }
        }
    }
    for table in NAMES.iter().chain(&REST) {
        let (from, to) = (source.rows(table, None)?.len() as u64, target.count(table.name).await?);
        if from != to {
            return Err(CopyError::Different { table: table.name, day: "all days".into(), from, to });
        }
        copied.others.insert(table.name, to);
    }
    Ok(copied)
}

fn sum<'t>(table: &'t Table, rows: &[Vec<Cell>], sums: &mut BTreeMap<(Date, &'t str), Sum>) {
    let at = table.at("day");
    for row in rows {
        let Some(day) = row.get(at).and_then(Cell::day) else { continue };
        let sum = sums.entry((day, table.name)).or_default();
        *sum = (sum.0 + 1, sum.1.wrapping_add(digest(row)));
    }
}
