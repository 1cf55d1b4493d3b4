//! Everything that the page shows, at one moment. Names come from the configuration alone, never from requests.

use std::sync::Arc;

use jiff::Timestamp;

use super::{AttemptMeter, CommitMeter, Counts, Process, RequestMeter, Spanned};
use crate::journal::{Backlog, Stats};
use crate::plugin::Counted;

/// The whole gateway.
#[derive(Debug)]
pub struct Scrape {
    /// When.
    pub now: Timestamp,
    /// When the gateway was started.
    pub started: Timestamp,
    /// The product's version.
    pub version: &'static str,
    /// The sources that are configured.
    pub sources: Vec<SourceSeen>,
    /// Requests to paths that no source has.
    pub nobody: Arc<RequestMeter>,
    /// The destinations that are configured.
    pub destinations: Vec<DestinationSeen>,
    /// What waits at destinations, also at those that are not configured any more; unless the journal could not say.
    pub backlog: Option<Vec<Backlog>>,
    /// The providers that are loaded.
    pub plugins: Vec<PluginSeen>,
    /// The journal.
    pub journal: JournalSeen,
    /// What became of spans.
    pub spans: Arc<Counts<Spanned>>,
    /// The process, where it can be seen.
    pub process: Option<Process>,
}

/// A source.
#[derive(Debug)]
pub struct SourceSeen {
    /// Its name.
    pub name: Arc<str>,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// What is counted of it.
    pub meter: Arc<RequestMeter>,
}

/// A destination.
#[derive(Debug)]
pub struct DestinationSeen {
    /// Its name.
    pub name: Arc<str>,
    /// `closed`, `open` or `half_open`.
    pub breaker: &'static str,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// Attempts under way.
    pub in_flight: usize,
    /// What is counted of it.
    pub meter: Arc<AttemptMeter>,
}

/// A provider that is loaded.
#[derive(Debug)]
pub struct PluginSeen {
    /// Its id.
    pub id: Arc<str>,
    /// Which of its builds serves, counted from 1.
    pub generation: u32,
    /// Its code, where it has some.
    pub code: Option<CodeSeen>,
}

/// The code of a provider.
#[derive(Debug)]
pub struct CodeSeen {
    /// Whether it is left alone.
    pub quarantined: bool,
    /// The calls of all its builds.
    pub counted: Counted,
}

/// The journal.
#[derive(Debug)]
pub struct JournalSeen {
    /// Whether it would keep an event now.
    pub writable: bool,
    /// Its numbers, unless it could not say.
    pub stats: Option<Stats>,
    /// What is free on its disk, where it has one of its own.
    pub disk_free_bytes: Option<u64>,
    /// Its commits.
    pub commits: Arc<CommitMeter>,
}
