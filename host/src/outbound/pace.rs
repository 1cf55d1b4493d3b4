//! The pace of a destination with a rate: how many deliveries may be taken now, and from when on there is room for another.
//!
//! The counting is governor's GCRA. A lane asks before it claims, so that nothing is claimed that may not be sent.

use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// After a quiet time so much of a rate may go out at once; more would be a flood to whoever asked for a rate.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Room for deliveries, taken as time goes on.
pub(super) struct Pace<C: Clock = DefaultClock> {
    rate: Option<Rate<C>>,
}

struct Rate<C: Clock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    at_once: usize,
    /// Taken from the limiter and not used yet.
    held: usize,
}

impl Pace {
    pub(super) fn new(rate: Option<Quota>) -> Self {
        Self::with_clock(rate, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Pace<C> {
    fn with_clock(rate: Option<Quota>, clock: C) -> Self {
        let rate = rate.map(|quota| {
            let each = quota.replenish_interval().as_nanos().max(1);
            let fit = u32::try_from(AT_ONCE.as_nanos() / each).unwrap_or(u32::MAX);
            let at_once = fit.clamp(1, quota.burst_size().get());
            let quota = quota.allow_burst(at_once.try_into().unwrap_or(std::num::NonZeroU32::MIN));
            let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
            Rate { limiter, clock, at_once: usize::try_from(at_once).unwrap_or(1), held: 0 }
        });
        Self { rate }
    }

    /// How many of the wanted there is room for, or how long to wait for the first.
    pub(super) fn room(&mut self, wanted: usize) -> Result<usize, Duration> {
        let Some(rate) = &mut self.rate else { return Ok(wanted) };
        while rate.held < wanted.min(rate.at_once) {
            match rate.limiter.check() {
                Ok(()) => rate.held += 1,
                Err(_) if rate.held > 0 => break,
                Err(not_until) => return Err(not_until.wait_time_from(rate.clock.now())),
            }
        }
        Ok(rate.held.min(wanted))
    }

    /// So many were taken.
    pub(super) fn used(&mut self, count: usize) {
        if let Some(rate) = &mut self.rate {
            rate.held = rate.held.saturating_sub(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn pace(each: Duration, burst: u32) -> (Pace<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let quota = Quota::with_period(each).unwrap().allow_burst(burst.try_into().unwrap());
        (Pace::with_clock(Some(quota), clock.clone()), clock)
    }

    /// Takes all that there is room for, again and again, for so long.
    fn taken(pace: &mut Pace<FakeRelativeClock>, clock: &FakeRelativeClock, time: Duration) -> usize {
        let (mut left, mut taken) = (time, 0);
        loop {
            match pace.room(16) {
                Ok(count) => {
                    pace.used(count);
                    taken += count;
                }
                Err(wait) if wait < left => {
                    left -= wait;
                    clock.advance(wait);
                }
                Err(_) => return taken,
            }
        }
    }

    #[test]
    fn a_rate_is_kept_and_used_up() {
        for (each, burst, expected) in [(20, 50, 50..=56), (1, 1000, 1000..=1101), (1000, 60, 1..=2)] {
            let (mut pace, clock) = pace(Duration::from_millis(each), burst);
            let count = taken(&mut pace, &clock, Duration::from_secs(1));
            assert!(expected.contains(&count), "{count} in a second, one each {each} ms");
        }
    }

    #[test]
    fn what_was_not_used_is_there_again_and_does_not_grow() {
        let (mut pace, clock) = pace(Duration::from_millis(20), 50);
        assert_eq!(pace.room(16), Ok(5));
        assert_eq!(pace.room(16), Ok(5), "asking takes nothing");
        clock.advance(Duration::from_secs(3600));
        assert_eq!(pace.room(16), Ok(5));
        assert_eq!(pace.room(1), Ok(1));
    }

    #[test]
    fn without_a_rate_there_is_room_for_all() {
        let mut pace = Pace::new(None);
        assert_eq!(pace.room(99), Ok(99));
        pace.used(99);
        assert_eq!(pace.room(99), Ok(99));
    }
}
