//! A bound on log lines about refusals, so that a flood of bad requests is not a flood of log.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;

/// Lines in one second.
const PER_SECOND: u64 = 50;

/// Lets a bounded number of lines pass each second.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    second: AtomicI64,
    passed: AtomicU64,
    suppressed: AtomicU64,
}

impl Throttle {
    /// Whether a line may be written, and how many were not since the last.
    pub(super) fn pass(&self, now: Timestamp) -> Option<u64> {
        let second = now.as_second();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.passed.store(0, Ordering::Relaxed);
        }
        if self.passed.fetch_add(1, Ordering::Relaxed) >= PER_SECOND {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_written() {
        let (throttle, second) = (Throttle::default(), |second| Timestamp::from_second(second).unwrap());
        let passed = (0..60).filter(|_| throttle.pass(second(1)).is_some()).count();
        assert_eq!((passed as u64, throttle.pass(second(2))), (PER_SECOND, Some(10)));
    }
}
