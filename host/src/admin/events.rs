//! `/v1/events`: a list, one with all that belongs to it, and those that come (`tail`).

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::shown::{EventShown, RequestShown};
use super::{Failure, Shared};
use crate::event::Build;
use crate::journal::{Delivery, Erased, EventFilter};

/// So long a `tail` waits for the next event before it answers without one.
const WAIT: Duration = Duration::from_secs(25);

/// How often a waiting `tail` looks.
const LOOK: Duration = Duration::from_millis(200);

/// More is asked for in pages.
pub(super) const MOST: usize = 1000;

/// A page of events.
#[derive(Serialize)]
pub(super) struct Page {
    events: Vec<EventShown>,
}

/// What came, and where to go on.
#[derive(Serialize)]
pub(super) struct Tail {
    events: Vec<EventShown>,
    /// For the next request's `after`.
    after: Uuid,
}

/// One event with all that belongs to it.
#[derive(Serialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    event: EventShown,
    request: RequestShown,
    deliveries: Vec<Delivery>,
    /// What made it; nothing of what is older than its being written down.
    plugin: Option<Build>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    filter: Result<Query<EventFilter>, QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let Query(filter) = filter?;
    let filter = EventFilter { limit: filter.limit.min(MOST), ..filter };
    let events = shared.state.journal.events(filter).await?;
    Ok(Json(Page { events: shared.state.events(events) }))
}

pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Detail>, Failure> {
    let id = id.parse().map_err(|_| Failure::unusable(format!("\"{id}\" is not an event's id")))?;
    let detail = shared.state.journal.event(id).await?.ok_or_else(|| Failure::not_found("event of this id"))?;
    let request = shared.state.request(&detail.event.source, &detail.request);
    Ok(Json(Detail {
        event: shared.state.event(detail.event),
        request,
        deliveries: detail.deliveries,
        plugin: detail.build,
    }))
}

/// What is to be erased, and whether it is only counted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erase {
    filter: EventFilter,
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn erase(
    State(shared): State<Shared>,
    asked: Result<Json<Erase>, JsonRejection>,
) -> Result<Json<Erased>, Failure> {
    let Json(Erase { filter, dry_run }) = asked?;
    if !filter.restricts() {
        return Err(Failure::unusable("the filter names nothing: all events would be erased"));
    }
    let erased = shared.state.journal.erase(filter, dry_run).await?;
    if !dry_run {
        tracing::info!(events = erased.erased, "content was erased, asked for by the admin API");
    }
    Ok(Json(erased))
}

/// Without `after`: where the end is now. With it: what came since, as soon as something did.
pub(super) async fn tail(
    State(shared): State<Shared>,
    filter: Result<Query<EventFilter>, QueryRejection>,
) -> Result<Json<Tail>, Failure> {
    let Query(filter) = filter?;
    let journal = &shared.state.journal;
    let Some(after) = filter.after else {
        let newest = journal.events(EventFilter { limit: 1, ..EventFilter::default() }).await?;
        // Before the first event there is: after nothing.
        return Ok(Json(Tail { events: Vec::new(), after: newest.first().map_or(Uuid::nil(), |event| event.id) }));
    };
    let _place = shared.tails.try_acquire().map_err(|_| {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too many are waiting for events already; try again later")
    })?;
    let filter = EventFilter { limit: filter.limit.min(MOST), ..filter };
    let mut closed = shared.closed.clone();
    let end = Instant::now() + WAIT;
    loop {
        let events = journal.events(filter.clone()).await?;
        if let Some(last) = events.last() {
            let after = last.id;
            return Ok(Json(Tail { events: shared.state.events(events), after }));
        }
        tokio::select! {
            () = sleep(LOOK) => {}
            _ = closed.wait_for(|closed| *closed) => return Ok(Json(Tail { events: Vec::new(), after })),
        }
        if Instant::now() >= end {
            return Ok(Json(Tail { events: Vec::new(), after }));
        }
    }
}
