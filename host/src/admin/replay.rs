//! `/v1/events/replay`: stored events go to destinations again. A request does a few hundred; whoever asks goes on with the
//! next, and so knows how far it is, and nothing is lost or doubled where one of the two goes away in between.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    /// Everything is decided and nothing done.
    #[serde(default)]
    pub dry_run: bool,
    /// As the first answer has it.
    #[serde(default)]
    pub run: Option<Timestamp>,
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
    let after = wanted.events.after.unwrap_or_default();
    let mut events = journal.events(EventFilter { after: Some(after), limit, ..wanted.events }).await?;
    // What came since is not what was asked for, and a replay must end.
    events.retain(|event| !is_after(event.id, run));
    let batch = Batch {
        run,
        after: events.last().map(|event| event.id),
        total,
        looked_at: events.len() as u64,
        done: Redelivered::default(),
    };
    let events = events.into_iter().map(|event: Event| Replayed { event, content: Content::Stored }).collect();
    let done = journal.redeliver(Replay { run, events, to, dry: wanted.dry_run }).await?;
    if !wanted.dry_run && done.deliveries > 0 {
        tracing::info!(
            deliveries = done.deliveries,
            events = done.events,
            "stored events go out again, asked for by the admin API"
        );
    }
    Ok(Json(Batch { done, ..batch }))
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

/// Whether an event was recorded after a time: its id says when it was.
fn is_after(id: Uuid, time: Timestamp) -> bool {
    let recorded = id.get_timestamp().map(|recorded| recorded.to_unix());
    recorded.is_some_and(|(seconds, _)| i64::try_from(seconds).is_ok_and(|seconds| seconds > time.as_second()))
}
