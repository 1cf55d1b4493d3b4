//! `/healthz`: the process answers. `/readyz`: it would take a request now, or why not.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Shared;
use crate::journal::{DeliveryFilter, Journal};

/// A journal that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the gateway is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Listeners, destinations or plugins are not there yet.
    Starting,
    /// Requests are taken.
    Running,
    /// No new requests; what was taken is finished.
    Draining,
}

/// The phase, told by the gateway and read here; clones show the same.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<watch::Sender<Phase>>);

impl Readiness {
    /// Says where the gateway is now.
    pub fn set(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// Where the gateway is.
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Starting)))
    }
}

pub(super) async fn alive() -> Response {
    Json(json!({ "alive": true })).into_response()
}

pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    let reason = match shared.state.readiness.phase() {
        Phase::Starting => Some("starting".to_owned()),
        Phase::Draining => Some("draining".to_owned()),
        Phase::Running => unwritable(shared.state.journal.as_ref()).await,
    };
    match reason {
        None => Json(json!({ "ready": true })).into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": reason }))).into_response()
        }
    }
}

/// Asks the writer for a change that changes nothing: retrying a delivery that cannot be there.
async fn unwritable(journal: &dyn Journal) -> Option<String> {
    let nothing = DeliveryFilter { id: Some(i64::MAX as u64), ..DeliveryFilter::default() };
    match timeout(PATIENCE, journal.retry(nothing)).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the journal does not answer".to_owned()),
    }
}
