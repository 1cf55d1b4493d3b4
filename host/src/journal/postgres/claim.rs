//! Claiming: due deliveries of one destination become flights of this host, and come with their events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use super::rows::{self, get};
use super::{Shared, settle};
use crate::journal::{Attempt, Claimed, JournalError, Lost, Outcome, Pending, Settled, Why};

/// No retry waits longer, so one that is due later was planned under a clock that was ahead, and is due.
const LONGEST: i64 = 25 * 3_600 * 1_000_000;

/// What goes back with a clock that went back, and what no clock can mean.
const GO_BACK: &str = "UPDATE queue SET due = greatest(due - $2, $1) WHERE due > $1 AND state IN (0, 1, 5)";
const NEXT: &str = "SELECT due FROM queue WHERE destination = $1 AND host IS NULL AND state < 2 ORDER BY due LIMIT 1";

/// Which ones is said in `flights.sql`.
const CLAIM: &str =
    "SELECT number, of_day, of_request, of_place, tries, tries_before, asked FROM claim($1, $2, $3, $4, $5, $6)";

/// Their events and requests. A statement of its own: what a claim finds may have been committed after the claim's own
/// statement began, and its view of other tables is as old as that.
fn sql() -> String {
    let (columns, joins) = (rows::EVENT, rows::EVENT_JOINS);
    format!(
        "SELECT (SELECT resumed FROM destinations WHERE id = $4) AS resumed, x.* \
         FROM unnest($1::bigint[], $2::int[], $3::date[]) WITH ORDINALITY AS t (request, place, day, n) \
         LEFT JOIN LATERAL (SELECT {columns} FROM events e {joins} \
            WHERE e.request = t.request AND e.place = t.place AND e.day = t.day OFFSET 0) x ON true ORDER BY t.n"
    )
}

/// One that is this host's now.
struct Taken {
    delivery: i64,
    attempt: u32,
    asked: Option<i64>,
}

/// Takes deliveries into flight. Those whose caller is gone before the answer are put back.
pub(super) fn claim(shared: &Arc<Shared>, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>> {
    if shared.is_closing() {
        return Pending::ready(Err(JournalError::Closed));
    }
    let back = shared.due.went_back(now.as_microsecond());
    let (answer, pending) = Pending::new();
    let (name, asked) = (Arc::<str>::from(destination), shared.clone());
    shared.spawn(async move {
        let claimed = take(&asked, &name, limit, now, back).await;
        let answered = claimed.map_err(|fault| asked.failed(&fault));
        if let Err(Ok(unread)) = answer.send(answered) {
            put_back(&asked, unread);
        }
    });
    let shared = shared.clone();
    pending.if_unread(move |unread| put_back(&shared, unread))
}

/// What was claimed and nobody knows of is due again.
fn put_back(shared: &Arc<Shared>, claimed: Vec<Claimed>) {
    let now = shared.clock.now();
    release(shared, claimed.iter().filter_map(|claimed| i64::try_from(claimed.delivery).ok()), now);
}

async fn take(
    shared: &Arc<Shared>,
    destination: &Arc<str>,
    limit: usize,
    now: Timestamp,
    back: Option<i64>,
) -> Result<Vec<Claimed>, Fault> {
    let turn = shared.due.turn(destination);
    let _turn = turn.lock().await;
    // Who looks for flights that nobody knows of waits until those of this claim are known. Before there is a connection: who
    // looks needs one, too.
    let known = shared.host.claiming().await;
    let client = shared.server.client().await?;
    let instant = now.as_microsecond();
    if let Some(back) = back {
        client.execute(GO_BACK, &[&instant, &back]).await?;
    }
    let Some(number) = shared.names.destination_if_any(&client, destination).await? else { return Ok(Vec::new()) };
    let seen = shared.due.seen(destination);
    let me = shared.host.me().ok_or(Fault::Lease)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let late = match limit {
        1 => i64::from(shared.host.every_other()),
        limit => limit / 2,
    };
    let found = async {
        let statement = client.prepare_cached(CLAIM).await?;
        client.query(&statement, &[&me, &number, &instant, &limit, &late, &LONGEST]).await
    };
    let found = match found.await {
        Ok(found) => found,
        Err(error) => {
            // It may have been done, and the answer lost.
            shared.host.is_unsure();
            return Err(error.into());
        }
    };
    let taken = found.iter().map(taken).collect::<Result<Vec<_>, _>>().inspect_err(|_| shared.host.is_unsure())?;
    if shared.host.me() != Some(me) {
        // The server may have let the lease go on all the same.
        shared.host.is_unsure();
        return Err(Fault::Lease);
    }
    shared.due.fly(taken.iter().map(|taken| taken.delivery));
    drop(known);
    let read = read(shared, &client, (destination, number), (&found, &taken), (seen, now)).await;
    if read.is_err() {
        release(shared, taken.iter().map(|taken| taken.delivery), now);
    }
    read
}

fn taken(row: &Row) -> Result<Taken, Fault> {
    let tried = get::<i32>(row, "tries")? - get::<i32>(row, "tries_before")? + 1;
    let attempt = u32::try_from(tried).map_err(|_| Fault::Damaged)?;
    Ok(Taken { delivery: get(row, "number")?, attempt, asked: get(row, "asked")? })
}

/// What they are, and what is due next.
async fn read(
    shared: &Arc<Shared>,
    client: &deadpool_postgres::Client,
    (destination, number): (&Arc<str>, i32),
    (found, taken): (&[Row], &[Taken]),
    (seen, now): (u64, Timestamp),
) -> Result<Vec<Claimed>, Fault> {
    let next = client.query_opt(&client.prepare_cached(NEXT).await?, &[&number]).await?;
    let next = next.map(|row| get::<i64>(&row, "due")).transpose()?;
    shared.due.set(destination, seen, next, None);
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let requests = found.iter().map(|row| get(row, "of_request")).collect::<Result<Vec<i64>, _>>()?;
    let places = found.iter().map(|row| get(row, "of_place")).collect::<Result<Vec<i32>, _>>()?;
    let days = found.iter().map(|row| get(row, "of_day")).collect::<Result<Vec<jiff::civil::Date>, _>>()?;
    let statement = client.prepare_cached(&sql()).await?;
    let whole = client.query(&statement, &[&requests, &places, &days, &number]).await?;
    let raw = shared.plan.load().once_per_request(destination);
    let (mut claimed, mut lost) = (Vec::with_capacity(taken.len()), Vec::new());
    for (taken, row) in taken.iter().zip(&whole) {
        match told_in_full(shared, taken, row, now, raw) {
            Ok(delivery) => claimed.push(delivery),
            Err(Nothing::Fault(fault)) => return Err(fault),
            Err(Nothing::Lost(why, reason)) => lost.push((told(taken, row, destination, why)?, reason)),
        }
    }
    give_up(shared, destination, lost, now);
    Ok(claimed)
}

/// Untried, they are due again.
fn release(shared: &Arc<Shared>, deliveries: impl Iterator<Item = i64>, now: Timestamp) {
    let released = deliveries.filter_map(|delivery| {
        let attempt = Attempt { at: now, took_ms: 0, status: None, error: None, answer: None };
        Some(Settled { delivery: u64::try_from(delivery).ok()?, attempt, outcome: Outcome::Released })
    });
    settle::insist(shared, released.collect());
}

/// Why there is nothing to send.
enum Nothing {
    Lost(Why, String),
    Fault(Fault),
}

impl From<Fault> for Nothing {
    fn from(fault: Fault) -> Self {
        if fault.is_damage() { Self::Lost(Why::Damaged, fault.words()) } else { Self::Fault(fault) }
    }
}

const BLANK: &str = "the bytes of its request were erased with another event of it: there is nothing that a raw \
    destination could get";
const GONE: &str =
    "its event is not in the journal: somebody deleted the row by hand, or it is of a backup that lacks it";

fn told_in_full(shared: &Shared, taken: &Taken, row: &Row, now: Timestamp, raw: bool) -> Result<Claimed, Nothing> {
    if get::<Option<i64>>(row, "received")?.is_none() {
        return Err(Nothing::Lost(Why::Damaged, GONE.to_owned()));
    }
    // For a destination that gets requests one whose bytes are gone is lost, too.
    if raw && get::<bool>(row, "erased")? {
        return Err(Nothing::Lost(Why::Erased, BLANK.to_owned()));
    }
    let (event, request) = rows::shared(rows::event(row, shared.vault.as_ref())?);
    let asked = taken.asked.map_or(event.received, rows::time);
    // While its destination was paused it could not be tried. The clock may have been ahead then.
    let resumed = get::<Option<i64>>(row, "resumed")?.map(rows::time).filter(|resumed| *resumed <= now);
    let since = resumed.map_or(asked, |resumed| asked.max(resumed));
    let delivery = u64::try_from(taken.delivery).map_err(|_| Fault::Damaged)?;
    Ok(Claimed { delivery, attempt: taken.attempt, since, event, request })
}

/// What can be said of one that is lost.
fn told(taken: &Taken, row: &Row, destination: &Arc<str>, why: Why) -> Result<Lost, Fault> {
    Ok(Lost {
        delivery: u64::try_from(taken.delivery).map_err(|_| Fault::Damaged)?,
        event: get::<Option<Uuid>>(row, "id")?.unwrap_or_default(),
        kind: get::<Option<String>>(row, "kind")?.unwrap_or_default(),
        source: get::<Option<String>>(row, "source")?.unwrap_or_default().into(),
        destination: destination.clone(),
        attempts: taken.attempt,
        why,
    })
}

/// Deliveries without a readable event end as exhausted, and hold their key where their destination says so: they are listed,
/// and can be tried again after a restore.
fn give_up(shared: &Arc<Shared>, destination: &str, lost: Vec<(Lost, String)>, now: Timestamp) {
    let holds = shared.plan.load().holds(destination);
    let settled = lost.into_iter().map(|(lost, reason)| {
        let delivery = lost.delivery;
        if let Some(listener) = shared.listener.get() {
            listener(lost);
        }
        tracing::error!(delivery, reason, "a delivery is given up: there is nothing to send in {}", shared.place);
        let attempt = Attempt { at: now, took_ms: 0, status: None, error: Some(reason.clone()), answer: None };
        let outcome = if holds { Outcome::Held(reason) } else { Outcome::Exhausted(reason) };
        Settled { delivery, attempt, outcome }
    });
    settle::insist(shared, settled.collect());
}

/// Every other time.
#[derive(Debug, Default)]
pub(super) struct Turns(AtomicBool);

impl Turns {
    pub(super) fn next(&self) -> bool {
        self.0.fetch_xor(true, Ordering::Relaxed)
    }
}
