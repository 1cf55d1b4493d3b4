//! A change of the configuration while the gateway runs: made whole beside what runs, compared, and swapped. What is wrong
//! with it leaves everything as it is.

use std::sync::{Arc, Weak};

use super::again::Again;
use super::core::{Core, Running, operators, providers};
use super::door::{Bound, Door};
use super::measured::Measured;
use super::retention::Keep;
use super::{Plugins, StartError, captures, parts};
use crate::admin::{self, Reload, Reloaded, Reloading};
use crate::config::{Config, Difference, How, What};
use crate::operations::Operations;
use crate::outbound::{Destination, Routes};
use crate::plugin::{Ask, Store};
use crate::provider::complaint::Complaint;
use crate::provider::sources::Sources;

/// Where the configuration comes from.
pub trait Origin: Send + Sync + 'static {
    /// Reads and checks it whole, and the plugins beside those that are loaded; for a dry run no code is loaded. May block.
    fn load(&self, loaded: &Plugins, dry_run: bool) -> Result<(Config, Plugins), Vec<Complaint>>;

    /// What runs now, with the plugins as somebody asks for them. May block.
    fn renew(&self, loaded: &Plugins, ask: &Ask) -> Result<(Config, Plugins), Vec<Complaint>>;

    /// It is what runs now.
    fn applied(&self, _config: &Config) {}
}

/// A whole configuration made ready beside the one that runs; from here on nothing fails.
struct Ready {
    config: Config,
    plugins: Plugins,
    sources: Arc<Sources>,
    routes: Arc<Routes>,
    destinations: Vec<Destination>,
    /// Bound where an address is another.
    listening: Option<Bound>,
    serving: Option<Bound>,
}

/// Why the configuration is read again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Somebody said so.
    Told,
    /// Somebody wants to know what would change.
    Asked,
    /// A file looks other than before.
    Seen,
}

impl Core {
    /// Reads the configuration again and takes it on, unless that was only asked about.
    pub(super) async fn reload(&self, why: Why) -> Result<Reloaded, Vec<Complaint>> {
        let dry_run = why == Why::Asked;
        let mut running = self.running.lock().await;
        let running = running.as_mut().ok_or_else(|| wrong("the gateway is ending"))?;
        let origin = self.origin.get().cloned();
        let origin =
            origin.ok_or_else(|| wrong("this gateway was not started from a file that could be read again"))?;
        let (reader, loaded) = (origin.clone(), running.plugins.clone());
        let read = tokio::task::spawn_blocking(move || reader.load(&loaded, dry_run)).await;
        let outcome = match read.unwrap_or_else(|error| Err(wrong(&format!("reading it broke off: {error}")))) {
            Ok((config, plugins)) => self.exchange(running, config, plugins, dry_run).await,
            Err(complaints) => Err(complaints),
        };
        match &outcome {
            // Whoever asked gets the answer, and nothing has happened.
            _ if dry_run => {}
            Ok(reloaded) => {
                origin.applied(&running.config);
                running.plugins.release();
                running.plugins.log();
                log(reloaded, why);
            }
            Err(complaints) => {
                for complaint in complaints {
                    tracing::error!("the configuration is not taken on, and the one that runs stays: {complaint}");
                }
            }
        }
        outcome
    }

    /// Takes another configuration on.
    pub(super) async fn exchange(
        &self,
        running: &mut Running,
        config: Config,
        plugins: Plugins,
        dry_run: bool,
    ) -> Result<Reloaded, Vec<Complaint>> {
        let mut changes = Difference::between(&running.config, &config);
        compare(&running.plugins, &plugins, &mut changes);
        let fixed: Vec<_> = changes.fixed().map(|(key, why)| needs_restart(&config, key, why)).collect();
        if !fixed.is_empty() {
            return Err(fixed);
        }
        parts::sources(&config, &plugins)?;
        let (routes, destinations) = parts::routing(&config)?;
        let warnings = config.warnings.iter().map(ToString::to_string).chain(plugins.passed_over()).collect();
        if !dry_run && changes.0.is_empty() {
            self.note(running, plugins);
        } else if !dry_run {
            let captures = self.journal.captures().await.map_err(|error| wrong(&error.to_string()))?;
            let ready = Ready {
                sources: Arc::new(captures::sources(&config, &plugins, &captures)),
                routes: Arc::new(routes),
                destinations,
                listening: moved("server.listen", &config, config.server.listen, &running.listening).await?,
                serving: moved("admin.listen", &config, config.admin.listen, &running.serving).await?,
                config,
                plugins,
            };
            self.swap(running, ready, &changes);
        }
        Ok(Reloaded { changes, warnings, dry_run })
    }

    /// New requests meet the new configuration; those under way end with the one that they began with.
    fn swap(&self, running: &mut Running, ready: Ready, changes: &Difference) {
        let Ready { config, plugins, sources, routes, destinations, listening, serving } = ready;
        let changed: Vec<&str> = changes.of_kind(What::Destination).map(|(name, _)| name).collect();
        for destination in destinations.into_iter().filter(|destination| changed.contains(&destination.name())) {
            running.lanes.begin(destination);
        }
        self.journal.replan(routes.clone());
        running.recording.replan(routes.clone());
        plugins.begin(&self.inbound.load().notices, &self.clock);
        let (decoders, limits) = (parts::decoders(&plugins), parts::limits(&config));
        self.inbound.store(Arc::new(self.inbound.load().renewed(sources.clone(), decoders, routes, limits)));
        let operations = Arc::new(parts::operations(&sources, &plugins, &self.clock));
        self.state.store(Arc::new(self.shown(&config, &plugins, operations.clone())));
        for (name, _) in changes.of_kind(What::Destination).filter(|(_, how)| *how == How::Removed) {
            running.lanes.stop(name);
        }
        if let Some(bound) = listening {
            replace(&mut running.listening, bound.open(providers(&self.inbound)));
        }
        if let Some(bound) = serving {
            replace(&mut running.serving, bound.open(operators(&self.state)));
        }
        self.retention.send_replace(Keep::of(&config.journal));
        self.inbound.load().traces.follow(config.traces.clone());
        if [What::Poll, What::Source, What::Provider].into_iter().any(|what| changes.of_kind(what).next().is_some()) {
            self.repoll(running, &config, &operations);
        }
        running.config = config;
        running.plugins = plugins;
        self.write_down(running);
    }

    /// Nothing serves otherwise; only what lies in the places of plugins may be another.
    fn note(&self, running: &mut Running, plugins: Plugins) {
        let before = self.state.load_full();
        let measure = Arc::new(Measured::of(&self.meters, &running.config, &plugins));
        let shown = parts::plugins_shown(&plugins);
        let shown = admin::State { plugins: shown, measure, ..admin::State::clone(&before) };
        self.state.store(Arc::new(shown));
        running.plugins = plugins;
        self.write_down(running);
    }

    /// Which builds serve, where a next start will look for them.
    fn write_down(&self, running: &Running) {
        if self.origin.get().is_some() {
            running.plugins.write_down(&Store::beside(&running.config.journal.path));
        }
    }

    fn repoll(&self, running: &mut Running, config: &Config, operations: &Arc<Operations>) {
        let before = std::mem::take(&mut running.polls);
        running.polls = before.then(config, operations, &self.journal, &self.clock);
    }

    /// What the admin API shows after a change.
    fn shown(&self, config: &Config, plugins: &Plugins, operations: Arc<Operations>) -> admin::State {
        let before = self.state.load_full();
        admin::State {
            operations,
            again: Arc::new(Again::new(config, &self.clock, &self.inbound)),
            measure: Arc::new(Measured::of(&self.meters, config, plugins)),
            metrics_token: config.admin.metrics_token.clone(),
            token: config.admin.token.clone(),
            plugins: parts::plugins_shown(plugins),
            sources: parts::sources_shown(config, plugins),
            ..admin::State::clone(&before)
        }
    }
}

/// The admin API reaches the gateway through this.
pub(super) struct Reloads(pub(super) Weak<Core>);

impl Reloads {
    /// What is begun is finished, also when whoever asked hangs up.
    pub(super) fn begin(&self, why: Why) -> Reloading {
        let core = self.0.upgrade();
        let task = tokio::spawn(async move {
            let core = core.ok_or_else(|| wrong("the gateway is ending"))?;
            core.reload(why).await
        });
        Box::pin(async move { task.await.unwrap_or_else(|error| Err(wrong(&format!("it broke off: {error}")))) })
    }
}

impl Reload for Reloads {
    fn reload(&self, dry_run: bool) -> Reloading {
        self.begin(if dry_run { Why::Asked } else { Why::Told })
    }
}

/// Providers that came, went or are described otherwise.
fn compare(old: &Plugins, new: &Plugins, changes: &mut Difference) {
    for (id, plugin) in &new.by_id {
        match old.by_id.get(id) {
            None => changes.push(How::Added, What::Provider, id),
            Some(before)
                if before.generation != plugin.generation
                    || before.sha256 != plugin.sha256
                    || before.limits != plugin.limits
                    || before.file != plugin.file =>
            {
                changes.push(How::Changed, What::Provider, id);
            }
            Some(_) => {}
        }
    }
    for id in old.by_id.keys().filter(|id| !new.by_id.contains_key(*id)) {
        changes.push(How::Removed, What::Provider, id);
    }
}

/// The new socket of a door whose address is another; bound before the old one is closed.
async fn moved(
    key: &'static str,
    config: &Config,
    to: std::net::SocketAddr,
    door: &Door,
) -> Result<Option<Bound>, Vec<Complaint>> {
    if to == door.asked || to == door.at {
        return Ok(None);
    }
    match Bound::new(key, to).await {
        Ok(bound) => Ok(Some(bound)),
        Err(StartError::Listen { error, .. }) => {
            let message = format!(
                "{to} cannot be listened on: {error}; choose another address, or restart where it overlaps with the old one"
            );
            Err(vec![config.complaint(key, message)])
        }
        Err(other) => Err(vec![config.complaint(key, other.to_string())]),
    }
}

fn replace(door: &mut Door, new: Door) {
    // Those who are inside leave by themselves.
    drop(std::mem::replace(door, new).close());
}

fn needs_restart(config: &Config, key: &str, why: &str) -> Complaint {
    config.complaint(key, format!("cannot change while the gateway runs, because {why}: it needs a restart"))
}

pub(super) fn wrong(message: &str) -> Vec<Complaint> {
    vec![Complaint { file: "reload".into(), line: None, key: String::new(), message: message.to_owned() }]
}

fn log(reloaded: &Reloaded, why: Why) {
    if reloaded.changes.0.is_empty() && why == Why::Seen {
        return tracing::debug!("a file was touched, and the configuration is what it was");
    }
    for warning in &reloaded.warnings {
        tracing::warn!("{warning}");
    }
    for change in &reloaded.changes.0 {
        tracing::info!("configuration: {change}");
    }
    match reloaded.changes.0.len() {
        0 => tracing::info!("the configuration was read again: nothing has changed"),
        changes => tracing::info!(changes, "the configuration was read again and is in force"),
    }
}
