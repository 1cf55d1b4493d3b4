//! What stays for a gateway's whole life and what a change swaps, with the one place where both are put together.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::again::Again;
use super::captures::Captures;
use super::door::{Bound, Door};
use super::measured::{Measured, Meters};
use super::reload::{Origin, Reloads};
use super::retention::{self, Keep};
use super::seen::Seen;
use super::switches::Switches;
use super::{Plugins, follow, parts};
use crate::admin::{self, Readiness};
use crate::clock::Clock;
use crate::config::Config;
use crate::inbound::{Inbound, Listener};
use crate::journal::{Journal, Paused};
use crate::metrics::CommitMeter;
use crate::notices::Recording;
use crate::operations::{self, Operations};
use crate::outbound::{Destination, Gates, Lanes, Means};
use crate::plugin::Tallies;

/// Requests under way at the end get so long.
const DRAIN: Duration = Duration::from_secs(5);

/// The gateway behind its handle.
pub(super) struct Core {
    pub(super) clock: Clock,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) readiness: Readiness,
    /// What is counted as long as it runs.
    pub(super) meters: Arc<Meters>,
    /// What requests are judged by.
    pub(super) inbound: Arc<ArcSwap<Inbound>>,
    /// What lanes pass before they begin anything.
    pub(super) gates: Arc<Gates>,
    /// What the admin API shows.
    pub(super) state: Arc<ArcSwap<admin::State>>,
    /// Where the configuration comes from.
    pub(super) origin: OnceLock<Arc<dyn Origin>>,
    pub(super) retention: watch::Sender<Keep>,
    /// Ends what has no end of its own.
    pub(super) stop: watch::Sender<bool>,
    /// What is paused; one pause or resumption at a time, by an operator here or on another host.
    pub(super) switching: Mutex<Vec<Paused>>,
    /// One change at a time; nothing after the end.
    pub(super) running: Mutex<Option<Running>>,
}

/// What is at work, and what it was made of.
pub(super) struct Running {
    pub(super) config: Config,
    pub(super) plugins: Plugins,
    /// Where providers call.
    pub(super) listening: Door,
    /// Where the admin API is.
    pub(super) serving: Door,
    pub(super) lanes: Lanes,
    pub(super) polls: Polls,
    /// Keeps the gateway's own events.
    pub(super) recording: Recording,
}

/// The polls that are at work.
#[derive(Default)]
pub(super) struct Polls(Option<(watch::Sender<bool>, JoinHandle<()>)>);

/// What a core is put together of.
pub(super) struct Made {
    pub(super) config: Config,
    pub(super) plugins: Plugins,
    pub(super) clock: Clock,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) commits: Arc<CommitMeter>,
    pub(super) inbound: Inbound,
    pub(super) gates: Arc<Gates>,
    pub(super) recording: Recording,
    pub(super) destinations: Vec<Destination>,
    pub(super) sockets: [Bound; 2],
    /// What is paused already.
    pub(super) paused: Vec<Paused>,
}

impl Core {
    /// Puts everything to work.
    pub(super) fn start(made: Made) -> Arc<Self> {
        let Made {
            config,
            plugins,
            clock,
            journal,
            commits,
            inbound,
            gates,
            recording,
            destinations,
            sockets: [socket, admin_socket],
            paused,
        } = made;
        let readiness = Readiness::default();
        let inbound = Arc::new(ArcSwap::from_pointee(inbound));
        let seen = Arc::new(Seen { inbound: inbound.clone() });
        let (stop, stopped) = watch::channel(false);
        let (retention, keep) = watch::channel(Keep::of(&config.journal));
        tokio::spawn(retention::retain(journal.clone(), clock.clone(), keep, stopped));
        let operations = Arc::new(parts::operations(&inbound.load().sources, &plugins, &clock));
        plugins.begin(&inbound.load().notices, &clock);
        let polls = Polls::begin(&config, &operations, &journal, &clock);
        let means = Means {
            journal: journal.clone(),
            opener: seen.clone(),
            clock: clock.clone(),
            gates: gates.clone(),
            notices: inbound.load().notices.clone(),
            traces: inbound.load().traces.clone(),
        };
        let mut lanes = Lanes::new(means);
        let meters = Arc::new(Meters {
            clock: clock.clone(),
            started: clock.now(),
            journal: journal.clone(),
            commits,
            gates: gates.clone(),
            inbound: inbound.clone(),
            tallies: Tallies::default(),
            numbers: Mutex::default(),
        });
        let measured = Measured::of(&meters, &config, &plugins);
        destinations.into_iter().for_each(|destination| lanes.begin(destination));
        Arc::new_cyclic(|core: &Weak<Self>| {
            if journal.is_shared() {
                tokio::spawn(follow::follow(core.clone(), stop.subscribe()));
            }
            let state = Arc::new(ArcSwap::from_pointee(admin::State {
                journal: journal.clone(),
                operations,
                redact: seen,
                captures: Arc::new(Captures(core.clone())),
                again: Arc::new(Again::new(&config, &clock, &inbound)),
                switches: Arc::new(Switches(core.clone())),
                reload: Arc::new(Reloads(core.clone())),
                renew: Arc::new(Reloads(core.clone())),
                measure: Arc::new(measured),
                metrics_token: config.admin.metrics_token.clone(),
                token: config.admin.token.clone(),
                plugins: parts::plugins_shown(&plugins),
                sources: parts::sources_shown(&config, &plugins),
                readiness: readiness.clone(),
            }));
            let listening = socket.open(providers(&inbound));
            let serving = admin_socket.open(operators(&state));
            let running = Running { config, plugins, listening, serving, lanes, polls, recording };
            let running = Mutex::new(Some(running));
            let (origin, switching) = (OnceLock::new(), Mutex::new(paused));
            Self {
                clock,
                journal,
                readiness,
                meters,
                inbound,
                state,
                gates,
                origin,
                retention,
                stop,
                switching,
                running,
            }
        })
    }
}

impl Running {
    /// Takes nothing new and finishes what is under way.
    pub(super) async fn end(self) -> Plugins {
        let Self { plugins, listening, serving, lanes, polls, recording, .. } = self;
        let (listening, serving) = (listening.close(), serving.close());
        let _ = tokio::join!(listening, lanes.end(), polls.end());
        recording.end().await;
        let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
        plugins
    }
}

impl Polls {
    pub(super) fn begin(
        config: &Config,
        operations: &Arc<Operations>,
        journal: &Arc<dyn Journal>,
        clock: &Clock,
    ) -> Self {
        Self::default().then(config, operations, journal, clock)
    }

    /// Ends these, and begins others when they have ended: a poll never meets itself.
    pub(super) fn then(
        self,
        config: &Config,
        operations: &Arc<Operations>,
        journal: &Arc<dyn Journal>,
        clock: &Clock,
    ) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let polls = config.polls.clone();
        let (operations, journal, clock) = (operations.clone(), journal.clone(), clock.clone());
        let task = tokio::spawn(async move {
            self.end().await;
            if !*stopped.borrow_and_update() {
                // What broke one off is in the log.
                let _ = operations::poll(&polls, &operations, &journal, &clock, &stopped).await;
            }
        });
        Self(Some((stop, task)))
    }

    pub(super) async fn end(self) {
        let Some((stop, ended)) = self.0 else { return };
        stop.send_replace(true);
        let _ = ended.await;
    }
}

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Serves providers on a socket.
pub(super) fn providers(
    inbound: &Arc<ArcSwap<Inbound>>,
) -> impl FnOnce(tokio::net::TcpListener, watch::Receiver<bool>) -> Serving + use<> {
    let inbound = inbound.clone();
    |socket, stopped| Box::pin(Listener::new(socket, inbound).run(stopped, DRAIN))
}

/// Serves the admin API on a socket.
pub(super) fn operators(
    state: &Arc<ArcSwap<admin::State>>,
) -> impl FnOnce(tokio::net::TcpListener, watch::Receiver<bool>) -> Serving + use<> {
    let state = state.clone();
    |socket, mut stopped| {
        Box::pin(async move {
            let end = async move { drop(stopped.wait_for(|stop| *stop).await) };
            if let Err(error) = admin::serve(socket, state, end).await {
                tracing::error!("the admin API broke off: {error}");
            }
        })
    }
}
