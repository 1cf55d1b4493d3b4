//! `/v1/sources`: what is configured, which secrets senders told, and an operator's word on those.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::shown::SourceShown;
use super::{Confirmed, Failure, Shared};
use crate::journal::{Capture, CaptureFilter, Pausable, Paused};

/// Every source.
#[derive(Serialize)]
pub(super) struct Page {
    sources: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    source: SourceShown,
    paused: Option<Timestamp>,
    captures: Vec<CaptureShown>,
}

/// A secret that a sender told, without what it is.
#[derive(Serialize)]
struct CaptureShown {
    secret: String,
    fingerprint: String,
    received: Timestamp,
    peer: Option<std::net::IpAddr>,
    confirmed: Option<Timestamp>,
}

/// Which one, and whether its value is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    secret: Option<String>,
    fingerprint: Option<String>,
    #[serde(default)]
    reveal: bool,
}

/// What is confirmed now.
#[derive(Serialize)]
pub(super) struct ConfirmedShown {
    source: String,
    #[serde(flatten)]
    capture: CaptureShown,
    others: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

/// How many are forgotten.
#[derive(Serialize)]
pub(super) struct Discarded {
    discarded: u64,
}

pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Page>, Failure> {
    let captures = shared.state.journal.captures().await?;
    let paused = shared.state.journal.paused().await?;
    let listed = |source: &SourceShown| {
        let mut source = source.clone();
        let captures: Vec<_> = captures.iter().filter(|capture| capture.source == source.name).collect();
        let confirmed = |name: &String| captures.iter().any(|one| one.confirmed.is_some() && one.secret == *name);
        source.missing.retain(|name| !confirmed(name));
        let is_it = |paused: &&Paused| paused.kind == Pausable::Source && paused.name == source.name;
        let paused = paused.iter().find(is_it).map(|paused| paused.since);
        Listed { source, paused, captures: captures.into_iter().map(CaptureShown::new).collect() }
    };
    Ok(Json(Page { sources: shared.state.sources.iter().map(listed).collect() }))
}

pub(super) async fn confirm(
    State(shared): State<Shared>,
    Path(source): Path<String>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<ConfirmedShown>, Failure> {
    let Json(Wanted { secret, fingerprint, reveal }) = wanted?;
    let confirmed = shared.state.captures.confirm(CaptureFilter { source, secret, fingerprint }).await?;
    let Confirmed { capture, others } = confirmed;
    let value = reveal.then(|| capture.value.expose_secret().to_owned());
    Ok(Json(ConfirmedShown { capture: CaptureShown::new(&capture), source: capture.source, others, value }))
}

pub(super) async fn discard(
    State(shared): State<Shared>,
    Path(source): Path<String>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Discarded>, Failure> {
    let Json(Wanted { secret, fingerprint, .. }) = wanted?;
    let discarded = shared.state.captures.discard(CaptureFilter { source, secret, fingerprint }).await?;
    Ok(Json(Discarded { discarded }))
}

impl CaptureShown {
    fn new(capture: &Capture) -> Self {
        Self {
            secret: capture.secret.clone(),
            fingerprint: capture.fingerprint(),
            received: capture.received,
            peer: capture.peer,
            confirmed: capture.confirmed,
        }
    }
}
