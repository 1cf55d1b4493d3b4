//! What is counted of a plugin's calls since its code was loaded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

/// A call that is counted. One that nobody waits for any more gave no result.
pub(super) struct Call<'a> {
    counters: &'a Counters,
    /// From 1.
    pub(super) number: u64,
    began: Instant,
    ended: bool,
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
    /// A call begins.
    pub(super) fn begin(&self) -> Call<'_> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        Call { counters: self, number, began: Instant::now(), ended: false }
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

impl Call<'_> {
    /// It came out so.
    pub(super) fn end(mut self, fault: Option<&Fault>) {
        self.ended = true;
        let (errors, panics) = (fault.is_some(), fault.is_some_and(|fault| fault.kind == FaultKind::Panic));
        self.counters.errors.fetch_add(errors.into(), Ordering::Relaxed);
        self.counters.panics.fetch_add(panics.into(), Ordering::Relaxed);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let nanos = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.counters.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.counters.errors.fetch_add((!self.ended).into(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_dropped_is_counted_as_one_without_a_result() {
        let counters = Counters::default();
        counters.begin().end(None);
        counters.begin().end(Some(&Fault::new(FaultKind::Panic, "boom")));
        let dropped = counters.begin();
        assert_eq!(dropped.number, 3);
        std::thread::sleep(Duration::from_millis(1));
        drop(dropped);
        let counted = counters.counted();
        assert_eq!((counted.calls, counted.errors, counted.panics), (3, 2, 1));
        assert!(counted.seconds >= 0.001, "{counted:?}");
    }
}
