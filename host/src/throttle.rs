//! A bound on what anybody outside can cause again and again, such as lines of the log: some pass, the rest is counted.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Lets a bounded number pass.
#[derive(Debug)]
pub(crate) struct Throttle {
    pace: DefaultDirectRateLimiter,
    suppressed: AtomicU64,
}

impl Throttle {
    /// So many at once, and as many again in so long.
    pub(crate) fn new(burst: u32, window: Duration) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(window / burst.get()).unwrap_or(Quota::per_second(burst));
        Self { pace: RateLimiter::direct(quota.allow_burst(burst)), suppressed: AtomicU64::new(0) }
    }

    /// Whether it may pass, and how many did not since the last.
    pub(crate) fn pass(&self) -> Option<u64> {
        if self.pace.check().is_err() {
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
    fn a_flood_is_counted_and_does_not_pass() {
        let throttle = Throttle::new(50, Duration::from_secs(3600));
        assert_eq!((0..60).filter(|_| throttle.pass().is_some()).count(), 50);
        assert_eq!(throttle.suppressed.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn what_did_not_pass_is_told_with_the_next_that_does() {
        let throttle = Throttle::new(1, Duration::from_millis(1));
        let told: u64 = std::iter::from_fn(|| Some(throttle.pass()))
            .skip_while(|told| !matches!(told, Some(1..)))
            .flatten()
            .next()
            .unwrap();
        assert!(told > 0);
    }
}
