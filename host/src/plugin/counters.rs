//! What is counted of a plugin's calls since its code was loaded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::{Fault, FaultKind};

/// Counted while calls come and go.
#[derive(Debug, Default)]
pub(super) struct Counters {
    calls: AtomicU64,
    errors: AtomicU64,
    panics: AtomicU64,
    restarts: AtomicU64,
    nanos: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Counted {
    /// Calls that were made.
    pub calls: u64,
    /// Those of them that gave no result, panics included.
    pub errors: u64,
    /// Those of them in which the plugin panicked.
    pub panics: u64,
    /// Workers that were lost and started again.
    pub restarts: u64,
    /// The time of all calls together, in seconds.
    pub seconds: f64,
}

impl Counted {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            errors: self.errors + other.errors,
            panics: self.panics + other.panics,
            restarts: self.restarts + other.restarts,
            seconds: self.seconds + other.seconds,
        }
    }
}

impl Counters {
    /// A call begins; gives its number, from 1.
    pub(super) fn begin(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// It took so long, and came out so.
    pub(super) fn end(&self, took: Duration, fault: Option<&Fault>) {
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(fault) = fault {
            self.errors.fetch_add(1, Ordering::Relaxed);
            self.panics.fetch_add(u64::from(fault.kind == FaultKind::Panic), Ordering::Relaxed);
        }
    }

    /// A worker was lost.
    pub(super) fn restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counted(&self) -> Counted {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counted {
            calls: of(&self.calls),
            errors: of(&self.errors),
            panics: of(&self.panics),
            restarts: of(&self.restarts),
            seconds: Duration::from_nanos(of(&self.nanos)).as_secs_f64(),
        }
    }
}
