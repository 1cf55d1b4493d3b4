//! `/v1/destinations/{name}/pause` and the like: an operator stops something for a while, and lets it go on.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Failure, Shared};
use crate::journal::Pausable;

/// Nothing is asked for; that it is JSON keeps web forms out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Since when it is paused.
#[derive(Serialize)]
pub(super) struct PausedSince {
    name: String,
    paused: Timestamp,
}

/// Whether it was paused.
#[derive(Serialize)]
pub(super) struct Resumed {
    name: String,
    resumed: bool,
}

type Asked = Result<Json<Nothing>, JsonRejection>;

pub(super) async fn pause_destination(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Json<PausedSince>, Failure> {
    pause(&shared, Pausable::Destination, name, asked).await
}

pub(super) async fn resume_destination(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Json<Resumed>, Failure> {
    resume(&shared, Pausable::Destination, name, asked).await
}

pub(super) async fn pause_source(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Json<PausedSince>, Failure> {
    pause(&shared, Pausable::Source, name, asked).await
}

pub(super) async fn resume_source(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Json<Resumed>, Failure> {
    resume(&shared, Pausable::Source, name, asked).await
}

async fn pause(shared: &Shared, kind: Pausable, name: String, asked: Asked) -> Result<Json<PausedSince>, Failure> {
    let Json(Nothing {}) = asked?;
    let paused = shared.state.switches.pause(kind, name.clone()).await?;
    Ok(Json(PausedSince { name, paused }))
}

async fn resume(shared: &Shared, kind: Pausable, name: String, asked: Asked) -> Result<Json<Resumed>, Failure> {
    let Json(Nothing {}) = asked?;
    let resumed = shared.state.switches.resume(kind, name.clone()).await?;
    Ok(Json(Resumed { name, resumed }))
}
