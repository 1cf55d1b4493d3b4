//! `/v1/destinations`: what is configured, how each lane is, and what waits for it.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;

use super::shown::DestinationShown;
use super::{Failure, Shared};
use crate::journal::Backlog;

/// Every destination.
#[derive(Serialize)]
pub(super) struct Page {
    destinations: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    destination: DestinationShown,
    open: u64,
    exhausted: u64,
    oldest_open: Option<Timestamp>,
}

pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Page>, Failure> {
    let destinations = shared.state.switches.destinations().await?;
    let mut backlogs = shared.state.journal.backlog().await?;
    let listed = |destination: DestinationShown| {
        let waits = backlogs.iter_mut().find(|backlog| backlog.destination == destination.name);
        let Backlog { open, exhausted, oldest_open, .. } = waits.map(std::mem::take).unwrap_or_default();
        Listed { destination, open, exhausted, oldest_open }
    };
    Ok(Json(Page { destinations: destinations.into_iter().map(listed).collect() }))
}
