//! `/metrics`: the gateway's numbers for a collector, in OpenMetrics text. It names sources, destinations and plugins, so it is
//! not for everybody; a token of its own opens it and nothing else.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{Failure, Shared};
use crate::metrics;

pub(super) async fn page(State(shared): State<Shared>) -> Result<Response, Failure> {
    let state = &shared.state;
    let writable = state.readiness.is_writable(state.journal.as_ref()).await;
    let scrape = state.measure.measure(writable).await;
    let unwritten = |_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written");
    let page = metrics::page(scrape).map_err(unwritten)?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response())
}
