//! How attempts ended, by one statement for all that a caller settles. Only this host's own flights: what another host took
//! over is that one's, and what comes of the try here is dropped.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::fault::Fault;
use super::{Shared, text};
use crate::journal::{JournalError, Outcome, Pending, Settled};

const SETTLE: &str = "SELECT lane, again FROM settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
/// Two may wait for each other: the one that is told so tries again.
const TRIES: usize = 4;
/// Between two tries of what nobody else would try again.
const REST: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(30);

/// Deliveries that are being settled, with the flights that they are.
struct Settling {
    settled: Vec<Settled>,
    flights: Vec<(i64, u64)>,
}

/// Writes outcomes. Those of deliveries that are not in flight here are dropped: they were settled before, or are another
/// host's now.
pub(super) fn submit(shared: &Arc<Shared>, settled: Vec<Settled>) -> Pending<()> {
    if shared.is_closing() {
        return Pending::ready(Err(JournalError::Closed));
    }
    let settling = begin(shared, settled);
    shared.ask(|shared| async move {
        let written = write(&shared, &settling).await;
        match &written {
            Ok(()) => shared.due.landed(settling.flights),
            Err(_) => {
                // What was given back is not settled again by its caller: it is freed as soon as that can be done.
                let released = |(settled, _): &(&Settled, _)| settled.outcome == Outcome::Released;
                let all = settling.settled.iter().zip(&settling.flights);
                let (back, again): (Vec<_>, Vec<_>) = all.partition(released);
                shared.due.landed(back.iter().map(|(_, flight)| **flight));
                shared.due.unsettled(again.iter().map(|(settled, _)| delivery(settled)));
                if !back.is_empty() {
                    shared.host.is_unsure();
                }
            }
        }
        written
    })
}

/// The same where nobody waits for it: tried until it is written, or the flights are lost.
pub(super) fn insist(shared: &Arc<Shared>, settled: Vec<Settled>) {
    let settling = begin(shared, settled);
    if settling.settled.is_empty() {
        return;
    }
    let asked = shared.clone();
    shared.spawn(async move {
        while let Err(fault) = write(&asked, &settling).await {
            if asked.is_closing() {
                return;
            }
            tracing::warn!("outcomes are written again: {}", asked.failed(&fault));
            tokio::time::sleep(REST).await;
        }
        asked.due.landed(settling.flights);
    });
}

fn begin(shared: &Shared, settled: Vec<Settled>) -> Settling {
    let mut settling =
        Settling { settled: Vec::with_capacity(settled.len()), flights: Vec::with_capacity(settled.len()) };
    for settled in settled {
        if let Some(turn) = shared.due.settling(delivery(&settled)) {
            settling.flights.push((delivery(&settled), turn));
            settling.settled.push(settled);
        }
    }
    settling
}

async fn write(shared: &Shared, settling: &Settling) -> Result<(), Fault> {
    if settling.settled.is_empty() {
        return Ok(());
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let tried = tokio::time::timeout(PATIENCE, write_once(shared, &settling.settled)).await;
        match tried.unwrap_or(Err(Fault::Silent)) {
            Err(fault) if tries < TRIES && (fault.is_passing() || fault.is_missing_day()) => {}
            written => return written,
        }
    }
}

async fn write_once(shared: &Shared, settled: &[Settled]) -> Result<(), Fault> {
    let Some(me) = shared.host.me() else { return Err(Fault::Lease) };
    let client = shared.server.client().await?;
    let mut sorted: Vec<&Settled> = settled.iter().collect();
    sorted.sort_unstable_by_key(|settled| settled.delivery);
    macro_rules! each {
        ($settled:ident => $value:expr) => {
            &sorted.iter().map(|$settled| $value).collect::<Vec<_>>()
        };
    }
    let (vault, now) = (shared.vault.as_ref(), shared.now());
    let kept = |text: &str| text::kept(text).into_owned();
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 12] = [
        &me,
        &now,
        each!(settled => delivery(settled)),
        each!(settled => ends(&settled.outcome)),
        each!(settled => match &settled.outcome { Outcome::Retry(at) => Some(at.as_microsecond()), _ => None }),
        each!(settled => match &settled.outcome {
            Outcome::Exhausted(reason) | Outcome::Held(reason) => Some(kept(reason)),
            _ => None,
        }),
        each!(settled => settled.attempt.at.as_microsecond()),
        each!(settled => i64::try_from(settled.attempt.took_ms).unwrap_or(i64::MAX)),
        each!(settled => settled.attempt.status.map(i32::from)),
        each!(settled => settled.attempt.error.as_deref().map(kept)),
        // What a destination answers may repeat what it got.
        each!(settled => settled.attempt.answer.as_deref().map(|answer| match vault {
            Some(vault) => vault.wrap(answer.as_bytes()),
            None => answer.as_bytes().to_vec(),
        })),
        &vault.is_some(),
    ];
    let statement = client.prepare_cached(SETTLE).await?;
    let again = client.query(&statement, &values).await?;
    let mut due_elsewhere = Vec::new();
    for row in &again {
        let (lane, at): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(destination) = shared.names.of_destination(lane) {
            shared.due.lower(&destination, at);
            if at <= now {
                due_elsewhere.push(destination);
            }
        }
    }
    shared.wake.tell(&due_elsewhere);
    Ok(())
}

/// As `flights.sql` has it.
fn ends(outcome: &Outcome) -> i16 {
    match outcome {
        Outcome::Released => 0,
        Outcome::Retry(_) => 1,
        Outcome::Delivered => 2,
        Outcome::Exhausted(_) => 3,
        Outcome::Held(_) => 6,
    }
}

fn delivery(settled: &Settled) -> i64 {
    i64::try_from(settled.delivery).unwrap_or(i64::MAX)
}

/// Flights of this host that it does not know of are due again.
pub(super) async fn free_unknown(shared: &Shared, me: Uuid) -> Result<i64, Fault> {
    let client = shared.server.client().await?;
    let free = "SELECT free_unknown($1, $2, $3)";
    Ok(client.query_one(free, &[&me, &shared.due.flights(), &shared.now()]).await?.try_get(0)?)
}
