//! Notices a clock that goes back: what was planned under the time that it showed before has to go back with it. A retry
//! in five minutes is one in five minutes, also when the clock was five hours ahead.

use std::time::{Duration, Instant};

/// A clock is set right by less all the time.
const SLACK: i64 = 600 * 1_000_000;

/// What the clock showed last, and when that was.
#[derive(Default)]
pub(super) struct Steady(Option<(i64, Instant)>);

impl Steady {
    /// By how much the clock went back since it was seen last.
    pub(super) fn back(&mut self, now: i64, at: Instant) -> Option<i64> {
        let (last, then) = self.0.replace((now, at))?;
        let passed = micros(at.saturating_duration_since(then));
        Some(last.saturating_add(passed).saturating_sub(now)).filter(|back| *back > SLACK)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_goes_back_by_more_than_minutes_is_noticed() {
        let (mut steady, at, second) = (Steady::default(), Instant::now(), 1_000_000);
        let later = |seconds| at + Duration::from_secs(seconds);
        assert_eq!(steady.back(90_000 * second, at), None);
        assert_eq!(steady.back(90_060 * second, later(60)), None);
        assert_eq!(steady.back(90_000 * second, later(61)), None, "a minute");
        assert_eq!(steady.back(72_010 * second, later(71)), Some(18_000 * second), "five hours");
        assert_eq!(steady.back(72_020 * second, later(81)), None);
        assert_eq!(steady.back(99_000 * second, later(91)), None, "ahead");
    }
}
