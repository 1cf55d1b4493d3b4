//! How soon a worker is started after one that ended: a row of ends is answered ever later, and what ends them between good
//! calls has a budget.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::lane::Purpose;

/// So many ends in a row are answered with a new start at once.
const AT_ONCE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// So many starts whatever was answered between them, and one more in each second.
const STARTS: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// One worker's.
pub(super) struct Pace {
    /// Ends without an answer between.
    ends: u32,
    longest: Duration,
    starts: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Pace {
    pub(super) fn new(purpose: Purpose) -> Self {
        let longest = match purpose {
            Purpose::Calls => Duration::from_secs(30),
            // Whoever sent what ended it is anybody, and the others' requests are refused meanwhile.
            Purpose::Texts => Duration::from_secs(1),
        };
        let starts = RateLimiter::direct(Quota::per_second(NonZeroU32::MIN).allow_burst(STARTS));
        Self { ends: 0, longest, starts, clock: DefaultClock::default() }
    }

    /// A call was answered.
    pub(super) fn answered(&mut self) {
        self.ends = 0;
    }

    /// A worker ended, or was none yet: so long no other is started.
    pub(super) fn ended(&mut self, was_ready: bool) -> Duration {
        self.ends = self.ends.saturating_add(1);
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.ends.saturating_sub(AT_ONCE).min(16));
        let for_the_row = if was_ready && self.ends <= AT_ONCE { Duration::ZERO } else { doubled };
        let for_the_budget = match self.starts.check() {
            Ok(()) => Duration::ZERO,
            Err(not_until) => not_until.wait_time_from(self.clock.now()),
        };
        for_the_row.max(for_the_budget).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_ends_is_answered_ever_later_and_an_answer_begins_anew() {
        let mut pace = Pace::new(Purpose::Calls);
        let pauses: Vec<u128> = (0..7).map(|_| pace.ended(true).as_millis()).collect();
        assert_eq!(pauses, [0, 0, 0, 200, 400, 800, 1600]);
        pace.answered();
        assert_eq!(pace.ended(true), Duration::ZERO);
        assert_eq!(pace.ended(false).as_millis(), 100, "what does not start is not tried again at once");
    }

    #[test]
    fn ends_between_good_calls_have_a_budget() {
        let mut pace = Pace::new(Purpose::Calls);
        let at_once = |_: &u32| {
            pace.answered();
            pace.ended(true).is_zero()
        };
        let at_once = (0..10_000).filter(at_once).count();
        assert!((20..1000).contains(&at_once), "{at_once} of 10000 starts at once");
    }

    #[test]
    fn texts_never_rest_for_long() {
        let mut pace = Pace::new(Purpose::Texts);
        assert!((0..99).all(|_| pace.ended(true) <= Duration::from_secs(1)));
    }
}
