//! The way in: each of a few tasks takes a group, writes it by one statement, and answers those who wait for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::fault::Fault;
use super::partitions;
use super::queue::Group;
use super::record::{self, Decided};
use crate::journal::kept::Kept;
use crate::journal::{Answer, Committed, JournalError, Recorded};

/// A group that takes longer is answered as failed; whether it was kept is known when its senders come again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a group is tried: a day may be missing, and two may have waited for each other.
const TRIES: usize = 4;
/// After a failure the next group waits so long, and twice as long after each further one.
const REST: Duration = Duration::from_millis(50);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Until the journal is closing and nothing waits any more.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut rest = REST;
    while let Some(group) = shared.queue.take(|| shared.clock.now()).await {
        let (requests, begun) = (group.requests.len(), Instant::now());
        match tokio::time::timeout(PATIENCE, write(&shared, &group)).await.unwrap_or(Err(Fault::Silent)) {
            Ok(decided) => {
                rest = REST;
                shared.observer.committed(Committed { requests, took: begun.elapsed() });
                answer(&shared, group, decided).await;
            }
            Err(fault) => {
                shared.observer.failed();
                let error = shared.failed(&fault);
                tracing::warn!(requests, "{error}");
                shared.queue.written(&group);
                refuse(group, &error);
                // Those who come meanwhile wait, and are told soon; the server is not stormed.
                tokio::time::sleep(rest).await;
                rest = (rest * 2).min(LONGEST_REST);
            }
        }
    }
}

async fn write(shared: &Shared, group: &Group) -> Result<Decided, Fault> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut client = shared.server.client().await?;
        let now = shared.clock.now();
        let written = record::record(&client, &shared.names, &group.requests, group.instant, now).await;
        match written {
            Err(fault) if tries < TRIES && fault.is_missing_day() => {
                partitions::make(&mut client, partitions::day_of(group.instant.id(0))).await?;
            }
            Err(fault) if tries < TRIES && fault.is_passing() => {}
            Err(fault) => {
                if fault.is_connection() {
                    // Not lent again.
                    drop(deadpool_postgres::Object::take(client));
                }
                return Err(fault);
            }
            Ok(decided) => return Ok(decided),
        }
    }
}

/// What is refused although it is authentic is kept first, so that it can be released.
async fn answer(shared: &Arc<Shared>, group: Group, decided: Decided) {
    shared.queue.written(&group);
    shared.due.add(&decided.due);
    shared.wake.tell(&decided.due);
    let decided = group.requests.into_iter().zip(decided.recorded);
    let (refused, others): (Vec<_>, Vec<_>) =
        decided.partition(|(_, recorded)| matches!(recorded, Recorded::Refused(_)));
    let undelivered =
        Answer::send_all(others.into_iter().map(|(waiting, recorded)| (waiting.answer, Ok(recorded))).collect());
    tokio::task::yield_now().await;
    undelivered.deliver();
    let kept = refused.iter().filter_map(|(waiting, recorded)| match recorded {
        Recorded::Refused(rejection) => Some(Kept::stale(&waiting.prepared, rejection.clone())),
        _ => None,
    });
    let kept: Vec<Kept> = kept.collect();
    if kept.is_empty() {
        return;
    }
    let kept = tokio::time::timeout(PATIENCE, shared.keep(kept)).await.unwrap_or(Err(Fault::Silent));
    let failed = kept.err().map(|fault| shared.failed(&fault));
    for (waiting, recorded) in refused {
        let _ = waiting.answer.send(failed.clone().map_or(Ok(recorded), Err));
    }
}

fn refuse(group: Group, error: &JournalError) {
    for waiting in group.requests {
        let _ = waiting.answer.send(Err(error.clone()));
    }
}
