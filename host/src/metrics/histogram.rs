//! A histogram of atomics. Buckets are kept one by one and added up when the page is written, so that its count is always the
//! sum of its buckets; of the sum of values a moment may be missing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds, in nanoseconds: from what a digest takes to what a request may take.
const WORK: &[u64] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
    5_000_000_000,
];
/// The same for what waits for a disk or a network.
const WAIT: &[u64] = &[
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];
/// Things in a group.
const MANY: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

/// Values by size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// How much of what the page shows is one here.
    unit: f64,
    /// One more than bounds, for what is beyond.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Observed {
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Upper bound and what is in this bucket alone.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Of times that are spent working.
    pub fn of_work() -> Self {
        Self::new(WORK, 1e-9)
    }

    /// Of times that are spent waiting.
    pub fn of_waits() -> Self {
        Self::new(WAIT, 1e-9)
    }

    /// Of numbers of things.
    pub fn of_sizes() -> Self {
        Self::new(MANY, 1.0)
    }

    fn new(bounds: &'static [u64], unit: f64) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, unit, buckets, sum: AtomicU64::new(0) }
    }

    /// It took so long.
    pub fn took(&self, time: Duration) {
        self.observe(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// There were so many.
    pub fn observe(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(place) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(super) fn observed(&self) -> Observed {
        // Exact below 2^53, which is a hundred days of one thing after the other.
        let shown = |value: u64| value as f64 * self.unit;
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let bounds = self.bounds.iter().map(|bound| nice(shown(*bound))).chain([f64::INFINITY]);
        Observed {
            sum: shown(self.sum.load(Ordering::Relaxed)),
            count: counts.iter().sum(),
            buckets: bounds.zip(counts).collect(),
        }
    }
}

/// As people write it: 0.00025, and not 0.00025000000000000006.
fn nice(bound: f64) -> f64 {
    (bound * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_within_its_bucket_and_every_value_is_in_one() {
        let sizes = Histogram::of_sizes();
        [1, 1, 2, 3, 4096, 4097, u64::from(u32::MAX)].into_iter().for_each(|value| sizes.observe(value));
        let Observed { sum, count, buckets } = sizes.observed();
        assert_eq!((sum, count), (4_294_975_495.0, 7));
        assert_eq!((buckets[0], buckets[1], buckets[2], buckets[11]), ((1.0, 2), (2.0, 1), (4.0, 1), (4096.0, 1)));
        assert_eq!(buckets[12], (f64::INFINITY, 2));
    }

    #[test]
    fn times_are_shown_in_seconds_with_bounds_that_people_can_read() {
        let work = Histogram::of_work();
        work.took(Duration::from_micros(10));
        work.took(Duration::from_nanos(10_001));
        let Observed { count, buckets, .. } = work.observed();
        assert_eq!((count, buckets[0], buckets[1]), (2, (0.00001, 1), (0.000025, 1)));
        let text: Vec<String> = buckets.iter().map(|(bound, _)| bound.to_string()).collect();
        assert!(text.iter().all(|bound| bound.len() <= 8), "{text:?}");
    }

    #[test]
    fn bounds_grow() {
        for bounds in [WORK, WAIT, MANY] {
            assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        }
    }
}
