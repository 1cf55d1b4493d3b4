//! `/v1/events/replay`: stored events go to destinations again. A request does a few hundred; whoever asks goes on with the
//! next, and so knows how far it is, and nothing is lost or doubled where one of the two goes away in between.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use super::difference::Difference;
use super::redecode::Redecoded;
pub use super::redecode::{Change, Verdict};
use super::{Failure, Shared};
use crate::event::Event;
use crate::journal::{Content, Counted, EventFilter, Redelivered, Replay, Replayed};

/// Events of one request.
const BATCH: usize = 200;

/// What is to be replayed, and where to go on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Which events; `after` says where to go on.
    pub events: EventFilter,
    /// The destinations; empty: those that the routes choose.
    #[serde(default)]
    pub to: Vec<String>,
    /// As they were decoded then, or as they are now.
    #[serde(default)]
    pub decode: Decode,
    /// Everything is decided and nothing done.
    #[serde(default)]
    pub dry_run: bool,
    /// As the first answer has it.
    #[serde(default)]
    pub run: Option<Timestamp>,
}

/// Which decoding goes out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decode {
    /// That of then.
    #[default]
    Stored,
    /// That of the descriptions, the secrets and the code of now: what differs takes the stored one's place.
    Current,
}

/// What a request did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    /// For the next request: by it the gateway knows what this replay has made already.
    pub run: Timestamp,
    /// For the next request; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Uuid>,
    /// How many events there are; with the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many of them this request was about.
    pub looked_at: u64,
    /// What came of it.
    pub done: Redelivered,
    /// Where they were decoded again: how many are the same.
    #[serde(default)]
    pub same: u64,
    /// Those that are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

pub(super) async fn replay(
    State(shared): State<Shared>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Batch>, Failure> {
    let Json(wanted) = wanted?;
    let journal = &shared.state.journal;
    let to = destinations(&shared, &wanted.to)?;
    let (run, total) = match wanted.run {
        Some(run) => (run, None),
        None => (shared.state.again.now(), Some(journal.count(Counted::Events(wanted.events.clone())).await?)),
    };
    let limit = if wanted.events.limit == 0 { BATCH } else { wanted.events.limit.min(BATCH) };
    let after = Some(wanted.events.after.unwrap_or_default());
    let filter = EventFilter { after, limit, ..wanted.events };
    let page = match wanted.decode {
        Decode::Stored => stored(&shared, filter, run).await?,
        Decode::Current => current(&shared, filter, run).await?,
    };
    let Page { after, looked_at, decoded } = page;
    let Redecoded { replayed: events, same, changes } = decoded;
    let done = journal.redeliver(Replay { run, events, to, dry: wanted.dry_run }).await?;
    if !wanted.dry_run && done.deliveries > 0 {
        tracing::info!(
            deliveries = done.deliveries,
            events = done.events,
            "stored events go out again, asked for by the admin API"
        );
    }
    Ok(Json(Batch { run, after, total, looked_at, done, same, changes }))
}

/// Some events, and where the next ones begin.
struct Page {
    after: Option<Uuid>,
    looked_at: u64,
    decoded: Redecoded,
}

async fn stored(shared: &Shared, filter: EventFilter, run: Timestamp) -> Result<Page, Failure> {
    let mut events = shared.state.journal.events(filter).await?;
    // What came since is not what was asked for, and a replay must end.
    events.retain(|event| !is_after(event.id, run));
    let (after, looked_at) = (events.last().map(|event| event.id), events.len() as u64);
    let replayed = events.into_iter().map(|event: Event| Replayed { event, content: Content::Stored }).collect();
    Ok(Page { after, looked_at, decoded: Redecoded { replayed, ..Redecoded::default() } })
}

async fn current(shared: &Shared, filter: EventFilter, run: Timestamp) -> Result<Page, Failure> {
    let mut requests = shared.state.journal.requests(filter).await?;
    for request in &mut requests {
        request.events.retain(|stored| !is_after(stored.event.id, run));
    }
    let events = || requests.iter().flat_map(|request| &request.events);
    let (after, looked_at) = (events().map(|stored| stored.event.id).last(), events().count() as u64);
    let mut decoded = Redecoded::default();
    for request in requests {
        decoded.add(shared, request).await;
    }
    Ok(Page { after, looked_at, decoded })
}

/// The destinations that were named, if they are there: a delivery to nobody would wait for ever.
fn destinations(shared: &Shared, named: &[String]) -> Result<Vec<Arc<str>>, Failure> {
    let known = shared.state.again.destinations();
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        return Err(Failure::unusable(format!(
            "there is no destination \"{unknown}\"; there are: {}",
            known.join(", ")
        )));
    }
    Ok(named.iter().map(|name| name.as_str().into()).collect())
}

/// Whether an event was recorded after a time: its id says when it was, in milliseconds and 4,096ths of one.
fn is_after(id: Uuid, time: Timestamp) -> bool {
    let bits = id.as_u128();
    let (ms, fraction) = (bits >> 80, (bits >> 64) & 0xfff);
    let recorded = ms * 1_000_000 + fraction * 1_000_000 / 4_096;
    i128::try_from(recorded).is_ok_and(|recorded| recorded > time.as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_replay_adds_in_its_first_second_is_after_it() {
        let run: Timestamp = "2026-11-20T12:00:00.250Z".parse().unwrap();
        let id = |time: Timestamp| {
            let (ms, rest) = (time.as_millisecond() as u128, time.subsec_nanosecond() as u128 % 1_000_000);
            Uuid::from_u128(ms << 80 | 0x7 << 76 | (rest * 4_096 / 1_000_000) << 64 | 0b10 << 62)
        };
        let micro = jiff::SignedDuration::from_micros(1);
        assert!(is_after(id(run + micro), run) && is_after(id(run + jiff::SignedDuration::from_millis(3)), run));
        assert!(!is_after(id(run), run) && !is_after(id(run - micro), run));
    }
}
