//! What the metrics page shows: meters that live as long as the gateway, and what is configured now.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::Plugins;
use crate::admin::{Measure, Measuring};
use crate::clock::Clock;
use crate::config::Config;
use crate::inbound::Inbound;
use crate::journal::{Backlog, Journal, Pending, Stats};
use crate::metrics::{CodeSeen, CommitMeter, DestinationSeen, JournalSeen, PluginSeen, Process, Scrape, SourceSeen};
use crate::outbound::Gates;
use crate::plugin::{Code, Tallies};

/// The journal counts again after so long, however many collectors there are.
const FRESH: Duration = Duration::from_secs(1);
/// What takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(2);

/// What stays for a gateway's whole life.
pub(super) struct Meters {
    pub(super) clock: Clock,
    pub(super) started: Timestamp,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) commits: Arc<CommitMeter>,
    pub(super) gates: Arc<Gates>,
    pub(super) inbound: Arc<ArcSwap<Inbound>>,
    pub(super) tallies: Tallies,
    pub(super) numbers: Mutex<Option<Numbers>>,
}

/// The journal's, when it was asked last.
#[derive(Clone)]
pub(super) struct Numbers {
    at: Instant,
    stats: Option<Stats>,
    backlog: Option<Vec<Backlog>>,
}

/// The same with what is configured: a change makes another.
#[derive(Clone)]
pub(super) struct Measured {
    meters: Arc<Meters>,
    destinations: Arc<[Arc<str>]>,
    plugins: Arc<[Loaded]>,
    disk: PathBuf,
}

struct Loaded {
    id: Arc<str>,
    generation: u32,
    code: Option<Arc<Code>>,
}

impl Measured {
    pub(super) fn of(meters: &Arc<Meters>, config: &Config, plugins: &Plugins) -> Self {
        let loaded = plugins.by_id.values().map(|plugin| {
            plugin.code.iter().for_each(|code| meters.tallies.follow(code));
            Loaded { id: plugin.provider.id.clone(), generation: plugin.generation, code: plugin.code.clone() }
        });
        Self {
            meters: meters.clone(),
            destinations: config.destinations.keys().map(|name| Arc::from(name.as_str())).collect(),
            plugins: loaded.collect(),
            disk: config.journal.path.clone(),
        }
    }

    async fn scrape(self, writable: bool) -> Scrape {
        let Numbers { stats, backlog, .. } = self.meters.numbers().await;
        let disk = rustix::fs::statvfs(&self.disk).ok();
        let disk_free_bytes = disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let commits = self.meters.commits.clone();
        let inbound = self.meters.inbound.load();
        Scrape {
            now: self.meters.clock.now(),
            started: self.meters.started,
            version: env!("CARGO_PKG_VERSION"),
            sources: sources(&inbound),
            nobody: inbound.counted().of_nobody(),
            destinations: self.destinations(),
            backlog,
            plugins: self.plugins(),
            journal: JournalSeen { writable, stats, disk_free_bytes, commits },
            spans: inbound.traces.counted().clone(),
            process: Process::now(),
        }
    }

    fn destinations(&self) -> Vec<DestinationSeen> {
        let (gates, now) = (&self.meters.gates, self.meters.clock.now());
        let seen = self.destinations.iter().map(|name| {
            let gate = gates.shown(name, now);
            let (breaker, paused, in_flight) = (gate.breaker, gate.paused.is_some(), gate.in_flight);
            DestinationSeen { name: name.clone(), breaker, paused, in_flight, meter: gates.meter(name) }
        });
        seen.collect()
    }

    fn plugins(&self) -> Vec<PluginSeen> {
        let code = |code: &Arc<Code>, id: &str| CodeSeen {
            quarantined: code.state().quarantined.is_some(),
            counted: self.meters.tallies.counted(id),
        };
        let seen = self.plugins.iter().map(|loaded| PluginSeen {
            id: loaded.id.clone(),
            generation: loaded.generation,
            code: loaded.code.as_ref().map(|native| code(native, &loaded.id)),
        });
        seen.collect()
    }
}

impl Meters {
    async fn numbers(&self) -> Numbers {
        let mut numbers = self.numbers.lock().await;
        if let Some(fresh) = numbers.as_ref().filter(|numbers| numbers.at.elapsed() < FRESH) {
            return fresh.clone();
        }
        let (stats, backlog) = tokio::join!(soon(self.journal.stats()), soon(self.journal.backlog()));
        numbers.insert(Numbers { at: Instant::now(), stats, backlog }).clone()
    }
}

fn sources(inbound: &Inbound) -> Vec<SourceSeen> {
    let seen = inbound.sources.iter().map(|source| SourceSeen {
        name: source.name.clone(),
        paused: inbound.paused.is_paused(&source.name),
        meter: inbound.counted().of(&source.name),
    });
    seen.collect()
}

/// The answer, if it comes in time; why not is in the log.
async fn soon<T>(asked: Pending<T>) -> Option<T> {
    match timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!("the metrics are without the journal's numbers: {error}");
            None
        }
        Err(_) => {
            tracing::warn!("the metrics are without the journal's numbers: they did not come within {PATIENCE:?}");
            None
        }
    }
}

impl Measure for Measured {
    fn measure(&self, writable: bool) -> Measuring {
        Box::pin(self.clone().scrape(writable))
    }
}
