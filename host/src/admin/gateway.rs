//! `/v1/stats` and `/v1/journal/vacuum`: the gateway's numbers, and free space.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Failure, Shared};
use crate::journal::Stats;

pub(super) async fn stats(State(shared): State<Shared>) -> Result<Json<Stats>, Failure> {
    Ok(Json(shared.state.journal.stats().await?))
}

/// Gives a part of the free space back; whoever wants all of it asks again.
pub(super) async fn vacuum(State(shared): State<Shared>) -> Result<Json<Value>, Failure> {
    Ok(Json(json!({ "free_bytes": shared.state.journal.vacuum().await? })))
}
