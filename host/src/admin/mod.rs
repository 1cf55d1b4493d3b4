//! The admin API: what the journal holds and how the gateway is, as JSON. It shows; `retry` and `replay` deliver again,
//! `cancel` gives up, `erase` throws content away, `confirm` and
//! `discard` are an operator's word on what a sender told, and an operation calls a provider.
//!
//! Who may ask is `guard`'s, what may be seen of data, headers and keys is `shown`'s. Wiring is the gateway's.

mod deliveries;
mod destinations;
mod difference;
mod events;
mod failure;
mod gateway;
mod guard;
mod health;
mod metrics;
mod operations;
mod pauses;
mod plugins;
mod redecode;
mod rejections;
pub mod release;
mod reload;
pub mod replay;
pub mod shown;
mod sources;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

pub use self::deliveries::Nothing;
pub use self::failure::Failure;
pub use self::health::{Phase, Readiness};
pub use self::plugins::{Refusal, Renew, Renewed, Renewing, Upgraded};
pub use self::reload::{Reload, Reloaded, Reloading};
use self::shown::{DestinationShown, PluginShown, SourceShown};
use crate::journal::{Capture, CaptureFilter, Journal, NewRequest, Pausable};
use crate::metrics::Scrape;
use crate::operations::Operations;
use crate::request::Incoming;

/// So many `tail`s may wait at once.
const TAILS: usize = 64;

/// Masks what an operator may not see; the engine knows the pointers.
pub trait Redact: Send + Sync + 'static {
    /// Data of a source's event, or a request's body, with the declared fields masked.
    fn redact(&self, source: &str, data: &[u8]) -> Bytes;
}

/// A change that is under way.
pub type Confirming<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// A secret that verifies from now on.
#[derive(Debug)]
pub struct Confirmed {
    /// What its sender told.
    pub capture: Capture,
    /// How many others were pending for the same secret; they are forgotten.
    pub others: usize,
}

/// An operator's word on secrets that senders told; the gateway knows how one gets into its source.
pub trait Confirm: Send + Sync + 'static {
    /// Confirms the pending one of these, if it is one: from now on it verifies.
    fn confirm(&self, which: CaptureFilter) -> Confirming<Confirmed>;

    /// Forgets what is pending of these, and with a fingerprint what is confirmed; says how many.
    fn discard(&self, which: CaptureFilter) -> Confirming<u64>;
}

/// A request that is being judged once more.
pub type Judging = Pin<Box<dyn Future<Output = Result<NewRequest, String>> + Send>>;

/// Sentences that are being looked for.
pub type Diagnosing = Pin<Box<dyn Future<Output = Vec<String>> + Send>>;

/// What is kept, looked at with the sources, routes and destinations of now; the gateway knows them.
pub trait Again: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// The destinations' names.
    fn destinations(&self) -> Vec<String>;

    /// What a refused request would have become at the time of its receipt; the error says why it still is nothing. The
    /// source that refused it, where there was one, and the length of its body.
    fn refused(&self, source: Option<&str>, request: Incoming, length: u64) -> Judging;

    /// What a stored request of a source says now, verified at the time of its receipt; the error says why it cannot be told.
    fn stored(&self, source: &str, request: Arc<Incoming>) -> Judging;

    /// What would make the signature of a refused request match, without any secret.
    fn diagnose(&self, source: Option<&str>, request: Incoming, length: u64) -> Diagnosing;
}

/// An operator's hand on sources and destinations.
pub trait Switch: Send + Sync + 'static {
    /// From now on it takes or begins nothing; says since when.
    fn pause(&self, kind: Pausable, name: String) -> Confirming<Timestamp>;

    /// It goes on; says whether it was paused.
    fn resume(&self, kind: Pausable, name: String) -> Confirming<bool>;

    /// All destinations, as they are.
    fn destinations(&self) -> Confirming<Vec<DestinationShown>>;
}

/// Everything that is measured, on its way.
pub type Measuring = Pin<Box<dyn Future<Output = Scrape> + Send>>;

/// Knows what is measured.
pub trait Measure: Send + Sync + 'static {
    /// Everything, now. Whether the journal would keep an event was asked.
    fn measure(&self, writable: bool) -> Measuring;
}

/// What the API shows; a change swaps it whole.
#[derive(Clone)]
pub struct State {
    /// Where everything is.
    pub journal: Arc<dyn Journal>,
    /// What can be called.
    pub operations: Arc<Operations>,
    /// Masks data.
    pub redact: Arc<dyn Redact>,
    /// Takes an operator's word.
    pub captures: Arc<dyn Confirm>,
    /// Looks at what is kept again.
    pub again: Arc<dyn Again>,
    /// Pauses and resumes.
    pub switches: Arc<dyn Switch>,
    /// Reads the configuration again.
    pub reload: Arc<dyn Reload>,
    /// Exchanges plugins.
    pub renew: Arc<dyn Renew>,
    /// Measures.
    pub measure: Arc<dyn Measure>,
    /// A bearer token that opens the metrics and nothing else.
    pub metrics_token: Option<SecretString>,
    /// The bearer token; without it only loopback is served, and only to programs on this machine.
    pub token: Option<SecretString>,
    /// What is loaded.
    pub plugins: Arc<[PluginShown]>,
    /// What is configured.
    pub sources: Arc<[SourceShown]>,
    /// Whether requests are taken.
    pub readiness: Readiness,
}

/// Serves until `shutdown`, then finishes what is being answered.
pub async fn serve(
    listener: TcpListener,
    state: Arc<ArcSwap<State>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (closing, closed) = watch::channel(false);
    let app = router(Served { state, tails: Arc::new(Semaphore::new(TAILS)), closed });
    let shutdown = async move {
        shutdown.await;
        closing.send_replace(true);
    };
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await
}

/// What one server serves.
#[derive(Clone)]
struct Served {
    state: Arc<ArcSwap<State>>,
    tails: Arc<Semaphore>,
    /// True when those who wait should go.
    closed: watch::Receiver<bool>,
}

/// The same for one request, which ends with the state that it began with.
struct Shared {
    state: Arc<State>,
    tails: Arc<Semaphore>,
    closed: watch::Receiver<bool>,
}

impl FromRef<Served> for Shared {
    fn from_ref(served: &Served) -> Self {
        Self { state: served.state.load_full(), tails: served.tails.clone(), closed: served.closed.clone() }
    }
}

fn router(served: Served) -> Router {
    let api = Router::new()
        .route("/v1/events", get(events::list))
        .route("/v1/events/tail", get(events::tail))
        .route("/v1/events/erase", post(events::erase))
        .route("/v1/events/replay", post(replay::replay))
        .route("/v1/events/{id}", get(events::show))
        .route("/v1/deliveries", get(deliveries::list))
        .route("/v1/deliveries/retry", post(deliveries::retry))
        .route("/v1/deliveries/cancel", post(deliveries::cancel))
        .route("/v1/destinations", get(destinations::list))
        .route("/v1/destinations/{name}/pause", post(pauses::pause_destination))
        .route("/v1/destinations/{name}/resume", post(pauses::resume_destination))
        .route("/v1/sources/{source}/pause", post(pauses::pause_source))
        .route("/v1/sources/{source}/resume", post(pauses::resume_source))
        .route("/v1/rejections", get(rejections::list))
        .route("/v1/rejections/erase", post(rejections::erase))
        .route("/v1/rejections/release", post(release::release))
        .route("/v1/rejections/{id}", get(rejections::show))
        .route("/v1/plugins", get(plugins::list))
        .route("/v1/plugins/reload", post(plugins::reload))
        .route("/v1/plugins/{provider}/rollback", post(plugins::rollback))
        .route("/v1/sources", get(sources::list))
        .route("/v1/sources/{source}/confirm", post(sources::confirm))
        .route("/v1/sources/{source}/discard", post(sources::discard))
        .route("/v1/sources/{source}/operations/{operation}", post(operations::call))
        .route("/v1/reload", post(reload::reload))
        .route("/v1/stats", get(gateway::stats))
        .route("/v1/journal/vacuum", post(gateway::vacuum))
        .fallback(async || Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || Failure::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method"))
        .layer(from_fn_with_state(served.clone(), guard::admit));
    let metrics = Router::new()
        .route("/metrics", get(metrics::page))
        .layer(from_fn_with_state(served.clone(), guard::admit_collector));
    // Probes come from anywhere and learn nothing.
    let health = Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    health.merge(metrics).merge(api).with_state(served)
}
