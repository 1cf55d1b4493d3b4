//! `/v1/plugins` and `/v1/stats`: what the gateway is made of, and its numbers.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::{Failure, Shared};
use crate::journal::Stats;

pub(super) async fn plugins(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({ "plugins": &*shared.state.plugins }))
}

pub(super) async fn stats(State(shared): State<Shared>) -> Result<Json<Stats>, Failure> {
    Ok(Json(shared.state.journal.stats().await?))
}
