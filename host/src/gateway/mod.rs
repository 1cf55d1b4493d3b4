//! The gateway, put together: plugins, sources, journal, inbound, outbound, admin. It starts whole or not at all.

mod captures;
mod plugins;
mod seen;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::captures::Captures;
pub use self::plugins::{Plugin, Plugins};
use self::seen::Seen;
use crate::admin::shown::{PluginShown, SourceShown};
use crate::admin::{self, Confirm, Phase, Readiness, Redact};
use crate::clock::Clock;
use crate::config::Config;
use crate::inbound::{Decoder, Inbound, Limits, Listener};
use crate::journal::{Journal, JournalError, sqlite};
use crate::keys::RemoteKeys;
use crate::operations::{self, Operations};
use crate::outbound::{self, Destination, Routes};
use crate::provider::complaint::Complaint;
use crate::provider::source::Source;
use crate::provider::sources::Sources;

/// Requests under way at the end get so long.
const DRAIN: Duration = Duration::from_secs(5);
/// Retention is applied so often.
const RETAIN: Duration = Duration::from_secs(600);

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration does not fit the plugins.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<Complaint>),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] sqlite::OpenError),
    /// What it keeps of the sources cannot be read.
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

/// A running gateway; dropping it does not stop it.
pub struct Gateway {
    /// Where providers call.
    pub address: SocketAddr,
    /// Where the admin API is.
    pub admin: SocketAddr,
    /// The journal, for tests and tools in the same process.
    pub journal: Arc<dyn Journal>,
    /// The sources; swapped whole when an operator confirms what a sender told.
    pub sources: Arc<ArcSwap<Sources>>,
    readiness: Readiness,
    stop: watch::Sender<bool>,
    listening: JoinHandle<()>,
    delivering: JoinHandle<()>,
    polling: JoinHandle<()>,
    serving: JoinHandle<std::io::Result<()>>,
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
        let checked = sources(&config, plugins).map_err(StartError::Config)?;
        let (routes, destinations) = routing(&config).map_err(StartError::Config)?;
        let options = sqlite::Options::new(&config.journal.path, clock.clone(), Arc::new(routes));
        let options = sqlite::Options { vault: config.journal.vault.clone(), ..options };
        let journal: Arc<dyn Journal> = tokio::task::spawn_blocking(|| sqlite::open(options)).await??;
        let (checked, native, keys) = (Arc::new(checked), decoders(plugins), Arc::new(keys));
        let inbound = Inbound::new(checked, native, journal.clone(), keys, clock.clone(), limits(&config));
        let sources = inbound.sources.clone();
        let captures = Captures::new(&config, plugins, sources.clone(), journal.clone());
        captures.load().await?;
        let socket = listen("server.listen", config.server.listen).await?;
        let admin_socket = listen("admin.listen", config.admin.listen).await?;
        let (address, admin) = (local(&socket, config.server.listen), local(&admin_socket, config.admin.listen));

        let (stop, stopped) = watch::channel(false);
        let readiness = Readiness::default();
        let seen = Arc::new(Seen { sources: sources.clone() });
        let listening = tokio::spawn(Listener::new(socket, Arc::new(inbound)).run(stopped.clone(), DRAIN));
        let delivering = outbound::run(journal.clone(), destinations, seen.clone(), clock.clone(), stopped.clone());
        let operations = Arc::new(operations(&sources.load(), plugins, &clock));
        let polling = operations::poll(&config.polls, &operations, &journal, &clock, &stopped);
        let state = state(&config, plugins, journal.clone(), operations, seen, Arc::new(captures), readiness.clone());
        let mut ended = stopped.clone();
        let serving =
            tokio::spawn(admin::serve(admin_socket, state, async move { drop(ended.wait_for(|stop| *stop).await) }));
        tokio::spawn(retain(journal.clone(), clock, config.journal.retention, stopped));
        readiness.set(Phase::Running);
        Ok(Self { address, admin, journal, sources, readiness, stop, listening, delivering, polling, serving })
    }

    /// Takes nothing new, finishes what is under way within seconds, and closes the journal.
    pub async fn stop(self) {
        self.readiness.set(Phase::Draining);
        self.stop.send_replace(true);
        let _ = tokio::join!(self.listening, self.delivering, self.polling);
        let _ = tokio::time::timeout(Duration::from_secs(1), self.serving).await;
        if let Err(error) = self.journal.close().await {
            tracing::error!("{error}");
        }
    }
}

/// Every source made ready, or everything that is wrong with any.
pub fn sources(config: &Config, plugins: &Plugins) -> Result<Sources, Vec<Complaint>> {
    let (mut sources, mut wrong) = (Vec::new(), Vec::new());
    let complain = |key: String, message: String| config.complaint(&key, message);
    for (name, source) in &config.sources {
        let Some(plugin) = plugins.by_id.get(&source.provider) else {
            wrong.push(complain(
                format!("sources.{name}.provider"),
                format!("no plugin has the provider {:?}", source.provider),
            ));
            continue;
        };
        match Source::build(name, plugin.provider.clone(), source.parts.clone()) {
            Ok(source) => sources.push(source),
            Err(errors) => wrong.extend(errors.into_iter().map(|error| {
                let (key, message) = error.split_once(": ").unwrap_or(("", &error));
                complain(format!("sources.{name}.{key}"), message.to_owned())
            })),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Sources::new(sources).map_err(|second| {
        vec![complain(format!("sources.{}.path", second.name), "is also the path of another source".into())]
    })
}

/// Routes and destinations made ready, or everything that is wrong with any.
pub fn routing(config: &Config) -> Result<(Routes, Vec<Destination>), Vec<Complaint>> {
    let complain = |key: String, message: String| config.complaint(&key, message);
    let mut wrong = Vec::new();
    let mut destinations = Vec::new();
    for (name, destination) in &config.destinations {
        match Destination::build(name, destination) {
            Ok(destination) => destinations.push(destination),
            Err(error) => wrong.push(complain(format!("destinations.{name}"), error.to_string())),
        }
    }
    let routes = Routes::compile(&config.routes).map_err(|errors| {
        wrong.extend(
            errors.iter().map(|error| complain(format!("routes.{}.when", error.index), error.error.to_string())),
        );
    });
    match (routes, wrong.is_empty()) {
        (Ok(routes), true) => {
            let raw =
                destinations.iter().filter(|destination| destination.is_once_per_request()).map(Destination::name);
            Ok((routes.with_once_per_request(raw), destinations))
        }
        _ => Err(wrong),
    }
}

/// What can be called, through which code.
pub fn operations(sources: &Sources, plugins: &Plugins, clock: &Clock) -> Operations {
    let native = |provider: &str| plugins.by_id.get(provider)?.native.clone();
    Operations::new(sources.iter(), native, clock)
}

fn decoders(plugins: &Plugins) -> std::collections::HashMap<Arc<str>, Decoder> {
    let native = plugins.by_id.values().filter_map(|plugin| {
        let native = plugin.native.clone()?;
        Some((plugin.provider.id.clone(), Decoder { native, file: plugin.file.display().to_string().into() }))
    });
    native.collect()
}

fn limits(config: &Config) -> Limits {
    let server = &config.server;
    Limits {
        max_body: server.max_body,
        request_timeout: server.request_timeout,
        max_connections: server.max_connections,
        trusted_proxies: server.trusted_proxies.clone(),
    }
}

fn state(
    config: &Config,
    plugins: &Plugins,
    journal: Arc<dyn Journal>,
    operations: Arc<Operations>,
    redact: Arc<dyn Redact>,
    captures: Arc<dyn Confirm>,
    readiness: Readiness,
) -> admin::State {
    let shown = plugins.by_id.values().map(|plugin| {
        PluginShown::new(&plugin.provider.description, &plugin.file, &plugin.sha256, plugin.native.is_some())
    });
    let sources = config.sources.iter().filter_map(|(name, source)| {
        let description = &plugins.by_id.get(&source.provider)?.provider.description;
        Some(SourceShown::new(name, source, description))
    });
    admin::State {
        journal,
        operations,
        redact,
        captures,
        token: config.admin.token.clone(),
        plugins: shown.collect(),
        sources: sources.collect(),
        readiness,
    }
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::Listen { key, address, error })
}

fn local(socket: &TcpListener, asked: SocketAddr) -> SocketAddr {
    socket.local_addr().unwrap_or(asked)
}

/// Deletes what is older than retention, now and then.
async fn retain(journal: Arc<dyn Journal>, clock: Clock, retention: Duration, mut stopped: watch::Receiver<bool>) {
    loop {
        match journal.retain(clock.now() - retention).await {
            Ok(0) => {}
            Ok(events) => tracing::info!(events, "deleted what is older than journal.retention"),
            Err(error) => tracing::warn!("retention: {error}"),
        }
        tokio::select! {
            () = tokio::time::sleep(RETAIN) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}
