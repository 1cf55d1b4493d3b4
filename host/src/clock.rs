//! The clock that everything reads, so that tests can move it. No other file asks the system for the time of day.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A clock; clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Of the system's time; of 1970 where the clock stands still.
    ahead_ms: Arc<AtomicI64>,
    stands: bool,
}

impl Clock {
    /// A clock that shows `start` now and goes on from there.
    pub fn starting_at(start: Timestamp) -> Self {
        let clock = Self::default();
        clock.advance(start.duration_since(clock.now()));
        clock
    }

    /// A clock that shows `time` until it is moved, for what must come out the same on a slow machine.
    pub fn standing_at(time: Timestamp) -> Self {
        Self { ahead_ms: Arc::new(AtomicI64::new(time.as_millisecond())), stands: true }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one place")]
        let base = if self.stands { Timestamp::UNIX_EPOCH } else { Timestamp::now() };
        base + SignedDuration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Moves this clock and its clones.
    pub fn advance(&self, by: SignedDuration) {
        self.ahead_ms.fetch_add(by.as_millis() as i64, Ordering::Relaxed);
    }
}
