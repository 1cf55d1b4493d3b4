//! `/healthz`: the process answers. `/readyz`: it would take a request now, or why not.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};

use super::Shared;
use crate::journal::Journal;

/// A journal that takes longer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// An answer of the journal counts so long, so that those who ask often do not keep its writer busy.
const FRESH: Duration = Duration::from_secs(1);

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
pub struct Readiness {
    told: Arc<watch::Sender<Phase>>,
    asked: Arc<Mutex<Option<Asked>>>,
}

/// When the journal was asked last, and why it was not ready.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    reason: Option<&'static str>,
}

impl Readiness {
    /// Says where the gateway is now.
    pub fn set(&self, phase: Phase) {
        self.told.send_replace(phase);
        if let Ok(mut asked) = self.asked.try_lock() {
            *asked = None;
        }
    }

    /// Where the gateway is.
    pub fn phase(&self) -> Phase {
        *self.told.borrow()
    }

    /// Whether the journal would keep an event.
    pub(super) async fn is_writable(&self, journal: &dyn Journal) -> bool {
        self.unwritable(journal).await.is_none()
    }

    /// Why the journal takes nothing. All who ask within a second get one answer.
    async fn unwritable(&self, journal: &dyn Journal) -> Option<&'static str> {
        let mut asked = self.asked.lock().await;
        if let Some(fresh) = asked.filter(|asked| asked.at.elapsed() < FRESH) {
            return fresh.reason;
        }
        let reason = unwritable(journal).await;
        *asked = Some(Asked { at: Instant::now(), reason });
        reason
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self { told: Arc::new(watch::Sender::new(Phase::Starting)), asked: Arc::default() }
    }
}

pub(super) async fn alive() -> Response {
    Json(json!({ "alive": true })).into_response()
}

pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    let reason = match shared.state.readiness.phase() {
        Phase::Starting => Some("starting"),
        Phase::Draining => Some("draining"),
        Phase::Running => shared.state.readiness.unwritable(shared.state.journal.as_ref()).await,
    };
    match reason {
        None => Json(json!({ "ready": true })).into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": reason }))).into_response()
        }
    }
}

/// Asks the writer whether it could keep an event.
async fn unwritable(journal: &dyn Journal) -> Option<&'static str> {
    match timeout(PATIENCE, journal.ready()).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => {
            // Everybody may ask, so the words that name files go to the log alone.
            tracing::warn!("not ready: {error}");
            Some("the journal takes nothing")
        }
        Err(_) => Some("the journal does not answer"),
    }
}
