//! Erasing content, in steps: the data keys go, and with them what they sealed; plain content is overwritten. That an event was
//! there stays known: its type, times, ids and deliveries.
//!
//! The server keeps the old version of a row until it is vacuumed, which follows at the end, and in its log and its backups,
//! which are the operator's: there only a key that is thrown away erases.

use std::collections::BTreeSet;

use jiff::civil::Date;
use tokio_postgres::{Client, Row, Transaction};

use super::events::{self, OLDEST_FIRST};
use super::family::Family;
use super::fault::Fault;
use super::filter::parameters;
use super::partitions::{self, TABLES};
use super::rows::{ERASED, get};
use crate::journal::seal::Vault;
use crate::journal::{Erased, EventFilter};

/// Events looked at in one step.
const STEP: usize = 64;

/// An event that is to be erased.
#[derive(Debug, Clone, Copy)]
struct Found {
    request: i64,
    place: i32,
    day: Date,
    id: uuid::Uuid,
}

/// Erases finished events; `dry` only counts.
pub(super) async fn erase(
    client: &mut Client,
    filter: &EventFilter,
    dry: bool,
    vault: Option<&Vault>,
) -> Result<Erased, Fault> {
    let (mut done, mut after, mut days) = (Erased::default(), None::<Found>, BTreeSet::new());
    loop {
        let seen = usize::try_from(done.erased + done.open).unwrap_or(usize::MAX);
        let room = if filter.limit == 0 { STEP } else { filter.limit.saturating_sub(seen).min(STEP) };
        let found = find(client, filter, after, room).await?;
        for event in &found {
            if erase_one(client, event, dry, vault).await? {
                done.erased += 1;
                days.insert(event.day);
            } else {
                done.open += 1;
            }
        }
        after = found.last().copied().or(after);
        // Who set a limit goes on after it.
        let ended = filter.limit > 0 && seen + found.len() >= filter.limit;
        done.after = after.filter(|_| ended).map(|event| event.id);
        if ended || found.len() < room {
            break;
        }
    }
    if !dry {
        for day in days {
            vacuum(client, day).await?;
        }
    }
    Ok(done)
}

async fn find(client: &Client, filter: &EventFilter, after: Option<Found>, room: usize) -> Result<Vec<Found>, Fault> {
    let mut wanted = events::wanted(client, filter).await?;
    wanted.always(format!("e.state <> {ERASED}"));
    if let Some(after) = after {
        let (request, place) = (wanted.bind(after.request), wanted.bind(after.place));
        wanted.always(format!("(e.request, e.place) > ({request}, {place})"));
    }
    let (text, values) = wanted.limited(OLDEST_FIRST, room.max(1));
    let sql = format!("SELECT e.request, e.place, e.day, e.id FROM events e {text}");
    let read = |row: &Row| {
        Ok(Found {
            request: get(row, "request")?,
            place: get(row, "place")?,
            day: get(row, "day")?,
            id: get(row, "id")?,
        })
    };
    client.query(&sql, &parameters(&values)).await?.iter().map(read).collect()
}

/// False: a delivery of its request is open.
async fn erase_one(client: &mut Client, event: &Found, dry: bool, vault: Option<&Vault>) -> Result<bool, Fault> {
    let transaction = client.transaction().await?;
    if !dry {
        Family::lock(&transaction, event.request, event.day).await?;
    }
    let mut family = Family::of(&transaction, event.request, event.day).await?;
    if !dry {
        Family::lock_ended(&transaction, &family.numbers()).await?;
    }
    if family.has_open(&transaction).await? {
        return Ok(false);
    }
    if !dry {
        family.erase(&transaction, (event.request, event.place), vault).await?;
        event.erase(&transaction).await?;
        transaction.commit().await?;
    }
    Ok(true)
}

impl Found {
    async fn erase(&self, transaction: &Transaction<'_>) -> Result<(), Fault> {
        let event = format!(
            "UPDATE events SET state = {ERASED}, seal = NULL, sum = NULL, subject = NULL, warnings = NULL, form = 0, content = NULL, \
             head = 0, tail = 0, data = NULL WHERE request = $1 AND place = $2 AND day = $3"
        );
        // What a destination said, and a hash of what may be a subject.
        let answers = "UPDATE attempts SET answer = NULL, sealed = false, error = NULL WHERE day = $3 AND delivery IN \
             (SELECT id FROM deliveries WHERE request = $1 AND place = $2 AND day = $3)";
        let keys = "UPDATE deliveries SET order_key = NULL, reason = NULL WHERE request = $1 AND place = $2 AND day = $3 \
             AND (order_key IS NOT NULL OR reason IS NOT NULL)";
        for change in [&event[..], answers, keys] {
            transaction.execute(change, &[&self.request, &self.place, &self.day]).await?;
        }
        Ok(())
    }
}

/// Makes room of what is no longer seen.
pub(super) async fn vacuum(client: &Client, day: Date) -> Result<(), Fault> {
    for table in TABLES {
        client.batch_execute(&format!("VACUUM {}", partitions::name(table, day))).await?;
    }
    Ok(())
}
