//! The gateway, put together: plugins, sources, journal, inbound, outbound, admin. It starts whole or not at all.

mod again;
mod captures;
mod core;
mod door;
mod engine;
mod follow;
mod measured;
mod moved;
mod parts;
mod plugins;
mod reload;
mod remember;
mod renew;
mod renewal;
mod retention;
mod seen;
mod switches;
mod upgrade;

use std::net::SocketAddr;
use std::sync::Arc;

use self::core::{Core, Made};
use self::door::Bound;
pub use self::parts::{operations, plugin_shown, routing, sources};
pub use self::plugins::{Plugin, Plugins};
pub use self::reload::Origin;
use self::reload::{Reloads, Why};
pub use self::remember::Unwritten;
use crate::admin::{Phase, Reloaded, Renew};
use crate::clock::Clock;
use crate::config::Config;
use crate::inbound::Inbound;
use crate::journal::{Journal, JournalError, Plan, sqlite};
use crate::keys::RemoteKeys;
use crate::metrics::CommitMeter;
use crate::notices::Recording;
use crate::outbound::Gates;
use crate::plugin::Ask;
use crate::provider::complaint::Complaint;
use crate::provider::sources::Sources;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration does not fit the plugins.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<Complaint>),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] sqlite::OpenError),
    /// The journal's server cannot be used.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    JournalServer(#[from] crate::journal::postgres::OpenError),
    /// The file of authorities cannot be used.
    #[error("journal.ca: {0}")]
    Authorities(crate::net::tls::TlsError),
    /// The engine is not in this build.
    #[error("journal.engine = \"postgres\" is not in this build of hookport (feature postgres)")]
    NotBuilt,
    /// What it keeps of the sources, or of what is paused, cannot be read.
    #[error(transparent)]
    Captures(#[from] JournalError),
    /// An address is taken or not ours.
    #[error("{key} = \"{address}\" cannot be listened on: {error}; stop what uses it or choose another")]
    Listen {
        /// The key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// A thread that opens the journal broke off.
    #[error("starting broke off: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// A running gateway; dropping it does not stop it in good order.
pub struct Gateway {
    /// Where providers called at the start.
    pub address: SocketAddr,
    /// Where the admin API was at the start.
    pub admin: SocketAddr,
    /// The journal, for tests and tools in the same process.
    pub journal: Arc<dyn Journal>,
    core: Arc<Core>,
}

impl Gateway {
    /// Starts everything; nothing is listened on before all that can be checked is.
    pub async fn start(config: Config, plugins: &Plugins, clock: Clock) -> Result<Self, StartError> {
        let keys = RemoteKeys::new(clock.clone());
        Self::start_with(config, plugins, clock, keys).await
    }

    /// As [`start`](Self::start), with what fetches keys, which servers are trusted and what is known already.
    pub async fn start_with(
        config: Config,
        plugins: &Plugins,
        clock: Clock,
        keys: RemoteKeys,
    ) -> Result<Self, StartError> {
        sources(&config, plugins).map_err(StartError::Config)?;
        let (routes, destinations) = routing(&config).map_err(StartError::Config)?;
        let plan: Arc<dyn Plan> = Arc::new(routes);
        let commits = Arc::<CommitMeter>::default();
        let journal = engine::open(&config.journal, clock.clone(), plan.clone(), commits.clone()).await?;
        let sources = captures::sources(&config, plugins, &journal.captures().await?);
        let (decoders, limits) = (parts::decoders(plugins), parts::limits(&config));
        let mut inbound = Inbound::new(
            Arc::new(sources),
            decoders,
            journal.clone(),
            plan.clone(),
            Arc::new(keys),
            clock.clone(),
            limits,
        );
        let (notices, recording) = Recording::begin(journal.clone(), plan, clock.clone());
        journal.listen(parts::tell_losses(&notices, &clock));
        inbound.notices = notices;
        inbound.traces.follow(config.traces.clone());
        let gates = Arc::<Gates>::default();
        let paused = journal.paused().await?;
        switches::restore(&paused, &gates, &inbound.paused);
        let listening = Bound::new("server.listen", config.server.listen).await?;
        let serving = Bound::new("admin.listen", config.admin.listen).await?;
        let (address, admin) = (listening.at, serving.at);
        let (plugins, sockets) = (plugins.clone(), [listening, serving]);
        let core = Core::start(Made {
            config,
            plugins,
            clock,
            journal: journal.clone(),
            commits,
            inbound,
            gates,
            recording,
            destinations,
            sockets,
            paused,
        });
        core.readiness.set(Phase::Running);
        Ok(Self { address, admin, journal, core })
    }

    /// From now on the configuration can be read again from there.
    pub async fn follow(&self, origin: Arc<dyn Origin>) {
        // The first one stays.
        let _ = self.core.origin.set(origin);
        self.core.begun().await;
    }

    /// Looks at the plugins again, while whoever asks goes on; the log says what came of it.
    pub fn renew_soon(&self) {
        drop(Reloads(Arc::downgrade(&self.core)).renew(Ask::Nothing));
    }

    /// Reads the configuration again and takes it on whole, or says everything that is wrong with it and goes on as before.
    pub async fn reload(&self) -> Result<Reloaded, Vec<Complaint>> {
        Reloads(Arc::downgrade(&self.core)).begin(Why::Told).await
    }

    /// As [`reload`](Self::reload), while whoever asks goes on; the log says what came of it.
    pub fn reload_soon(&self) {
        drop(Reloads(Arc::downgrade(&self.core)).begin(Why::Told));
    }

    /// The same because a file looks other than before; that nothing has changed is then worth no line.
    pub fn look_again(&self) {
        drop(Reloads(Arc::downgrade(&self.core)).begin(Why::Seen));
    }

    /// Takes another configuration on.
    pub async fn exchange(&self, config: Config, plugins: Plugins) -> Result<Reloaded, Vec<Complaint>> {
        let mut running = self.core.running.lock().await;
        match running.as_mut() {
            Some(running) => self.core.exchange(running, config, plugins, false).await,
            None => Ok(Reloaded::default()),
        }
    }

    /// Where providers call and where the admin API is, now.
    pub async fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let running = self.core.running.lock().await;
        running.as_ref().map_or((self.address, self.admin), |running| (running.listening.at, running.serving.at))
    }

    /// The sources as they are now.
    pub fn sources(&self) -> Arc<Sources> {
        self.core.inbound.load().sources.clone()
    }

    /// Takes nothing new, finishes what is under way within seconds, and closes the journal. Gives back the plugins, for
    /// which no call will follow.
    pub async fn stop(self) -> Plugins {
        self.core.readiness.set(Phase::Draining);
        self.core.stop.send_replace(true);
        let running = self.core.running.lock().await.take();
        let plugins = match running {
            Some(running) => running.end().await,
            None => Plugins::default(),
        };
        let traces = self.core.inbound.load().traces.clone();
        traces.end().await;
        if let Err(error) = self.journal.close().await {
            tracing::error!("{error}");
        }
        plugins
    }
}
