//! `hookport serve`: the gateway, until it is told to end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use super::configuration::{Configuration, resolve_again};
use super::watch::{Of, Watch, Watched};
use super::{Failure, descriptors};
use crate::clock::Clock;
use crate::config::resolved::{Log, LogFormat};
use crate::config::{Config, Draft};
use crate::gateway::{Gateway, Origin, Plugins};
use crate::plugin::Ask;
use crate::provider::complaint::Complaint;

/// Draining takes no longer.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the code of plugins has to come to its end.
const QUIESCE: Duration = Duration::from_secs(2);

/// Run the gateway; SIGTERM and Ctrl-C drain it (10 seconds at most) and end it with 0
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hookport serve\n  hookport serve --config /etc/hookport.toml\n  HOOKPORT__SERVER__LISTEN=0.0.0.0:8080 hookport serve"
)]
pub(super) struct Serve {
    #[command(flatten)]
    configuration: Configuration,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let configuration = self.configuration.pinned();
        let watched = Watched::default();
        let mut began = None;
        let (config, plugins) = configuration.begin(|draft| {
            watched.read(draft);
            began = Some(draft.clone());
        })?;
        let level = log(&config.log)?;
        plugins.log();
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        descriptors::raise(config.server.max_connections);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::refused)?;
        let ended = runtime.block_on(async {
            let mut ends = Ends::new().map_err(Failure::refused)?;
            let mut hangups = Hangups::new().map_err(Failure::refused)?;
            let gateway = Gateway::start(config, &plugins, Clock::default()).await.map_err(Failure::refused)?;
            // Whoever holds code keeps its workers: the gateway's own are exchanged.
            drop(plugins);
            let mut watch = Watch::new(watched.clone(), Of::Everything);
            let mut plugins_watch = Watch::new(watched.clone(), Of::Plugins);
            let drafts = Drafts { in_force: began, read: None };
            gateway.follow(Arc::new(Files { configuration, level, watched, drafts: Mutex::new(drafts) })).await;
            tracing::info!(address = %gateway.address, admin = %gateway.admin, "ready");
            loop {
                tokio::select! {
                    () = ends.wait() => break,
                    () = hangups.next() => gateway.reload_soon(),
                    () = watch.changed() => gateway.look_again(),
                    () = plugins_watch.changed() => gateway.renew_soon(),
                }
            }
            tracing::info!("draining");
            match tokio::time::timeout(DRAIN, gateway.stop()).await {
                Ok(plugins) => {
                    let told = tokio::task::spawn_blocking(move || plugins.quiesce());
                    if tokio::time::timeout(QUIESCE, told).await.is_err() {
                        tracing::warn!("a plugin did not come to its end in time");
                    }
                }
                Err(_) => {
                    tracing::warn!("draining took too long; what was not delivered is delivered after the next start");
                    // What hangs now (a full pipe, a dead file server) would hold up an orderly end for ever.
                    std::process::exit(0);
                }
            }
            Ok(())
        });
        // A blocking call that nobody waits for any more holds nobody up.
        runtime.shutdown_background();
        ended
    }
}

/// What the clients of databases say of their statements holds what we keep, and is nobody's business.
fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(format!("{level},tokio_postgres=warn"))
}

/// Sets what is logged from now on.
pub(super) type Level = reload::Handle<EnvFilter, Registry>;

/// Logs go to standard error, in the configured form.
pub(super) fn log(log: &Log) -> Result<Level, Failure> {
    let filter = filter(&log.level).map_err(|error| Failure::refused(format!("log.level: {error}")))?;
    let (filter, level) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(level)
}

/// The configuration's files, and the log that one of them sets the level of.
struct Files {
    configuration: Configuration,
    level: Level,
    watched: Watched,
    drafts: Mutex<Drafts>,
}

/// The configuration as written: what is in force, and what was read after it.
struct Drafts {
    in_force: Option<Draft>,
    read: Option<Draft>,
}

impl Origin for Files {
    fn load(&self, loaded: &Plugins, dry_run: bool) -> Result<(Config, Plugins), Vec<Complaint>> {
        let draft = self.configuration.attempt().map_err(|(complaints, _)| complaints)?;
        self.watched.read(&draft);
        let resolved = resolve_again(&draft, loaded, dry_run);
        self.drafts.lock().unwrap_or_else(PoisonError::into_inner).read = Some(draft);
        resolved
    }

    fn renew(&self, loaded: &Plugins, ask: &Ask) -> Result<(Config, Plugins), Vec<Complaint>> {
        let in_force = self.drafts.lock().unwrap_or_else(PoisonError::into_inner).in_force.clone();
        match in_force {
            Some(draft) => Plugins::renewed(&draft, loaded, ask),
            None => Err(Vec::new()),
        }
    }

    fn applied(&self, config: &Config) {
        let mut drafts = self.drafts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(draft) = drafts.read.take() {
            self.watched.applied(&config.reload, draft.written.plugins.watch);
            drafts.in_force = Some(draft);
        }
        drop(drafts);
        let set = filter(&config.log.level).map(|filter| self.level.reload(filter));
        if let Ok(Err(error)) = set {
            tracing::warn!("log.level stays as it was: {error}");
        }
    }
}

/// SIGHUP: read the configuration again.
struct Hangups {
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Hangups {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            hangup: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if self.hangup.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

/// The signals that end the gateway.
pub(super) struct Ends {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Ends {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    pub(super) async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
