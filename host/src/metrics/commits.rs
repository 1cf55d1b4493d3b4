//! The meter of the journal's commits: what its engine tells while it works.

use std::sync::atomic::{AtomicU64, Ordering};

use super::histogram::Histogram;
use crate::journal::{Committed, Observer};

/// One journal's.
#[derive(Debug)]
pub struct CommitMeter {
    pub(super) took: Histogram,
    pub(super) requests: Histogram,
    pub(super) failed: AtomicU64,
}

impl Default for CommitMeter {
    fn default() -> Self {
        Self { took: Histogram::of_waits(), requests: Histogram::of_sizes(), failed: AtomicU64::new(0) }
    }
}

impl Observer for CommitMeter {
    fn committed(&self, group: Committed) {
        self.took.took(group.took);
        self.requests.observe(u64::try_from(group.requests).unwrap_or(u64::MAX));
    }

    fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}
