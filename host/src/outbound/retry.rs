//! The retry policy: how long to wait after which attempt, pure in attempt number, policy and chance.
//!
//! Which answers deserve another attempt is left to `judge`.

use std::time::Duration;

use crate::config::resolved::{LONGEST_WAIT, Retry, Waits};

/// The wait after attempt number `attempt` (from 1) failed; `None` when it was the last.
///
/// `chance` lies in `0.0..1.0` and spreads the waits, so that what failed together does not come back together.
pub(super) fn wait(attempt: u32, policy: &Retry, chance: f64) -> Option<Duration> {
    if attempt >= policy.attempts {
        return None;
    }
    let before = attempt.saturating_sub(1);
    let (plain, most) = match &policy.waits {
        Waits::Growing { first, factor, max } => {
            let exponent = i32::try_from(before).unwrap_or(i32::MAX);
            let max = max.as_secs_f64();
            ((first.as_secs_f64() * factor.powi(exponent)).min(max), max)
        }
        Waits::Listed(waits) => {
            let wait = usize::try_from(before).ok().and_then(|at| waits.get(at)).or(waits.last());
            (wait?.as_secs_f64(), LONGEST_WAIT.as_secs_f64())
        }
    };
    let spread = 1.0 + policy.jitter * (2.0 * chance - 1.0);
    // A factor that overflows is infinite and ends at the most; what is not a number at all must not panic.
    let seconds = (plain * spread).clamp(0.0, most);
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(jitter: f64) -> Retry {
        Retry { jitter, ..Retry::default() }
    }

    fn listed(waits: &[u64], attempts: u32) -> Retry {
        let waits = waits.iter().map(|wait| Duration::from_secs(*wait)).collect();
        Retry { attempts, waits: Waits::Listed(waits), ..policy(0.0) }
    }

    #[test]
    fn waits_grow_by_the_factor_up_to_the_maximum() {
        let waits: Vec<u64> = (1..=16).map(|attempt| wait(attempt, &policy(0.0), 0.9).unwrap().as_secs()).collect();
        assert_eq!(waits[..6], [5, 10, 20, 40, 80, 160]);
        assert_eq!(waits[12..], [20480, 21600, 21600, 21600]);
    }

    #[test]
    fn listed_waits_come_one_by_one_and_the_last_again() {
        let waits = |policy: &Retry| (1..9).map_while(|at| wait(at, policy, 0.5)).map(|wait| wait.as_secs()).collect();
        let (few, all, more): (Vec<_>, Vec<_>, Vec<_>) =
            (waits(&listed(&[5, 60, 600], 3)), waits(&listed(&[5, 60, 600], 4)), waits(&listed(&[5, 60, 600], 6)));
        assert_eq!((few, all), (vec![5, 60], vec![5, 60, 600]));
        assert_eq!(more, [5, 60, 600, 600, 600]);
    }

    #[test]
    fn listed_waits_are_spread_too_and_never_beyond_a_day() {
        let policy = Retry { jitter: 0.5, ..listed(&[10, 86400], 9) };
        assert_eq!(wait(1, &policy, 0.0), Some(Duration::from_secs(5)));
        assert!(wait(1, &policy, 0.999).unwrap() > Duration::from_millis(14_900));
        assert_eq!(wait(2, &policy, 0.999), Some(LONGEST_WAIT));
    }

    #[test]
    fn the_last_attempt_has_no_wait() {
        assert!(wait(24, &policy(0.2), 0.5).is_some());
        assert_eq!(wait(25, &policy(0.2), 0.5), None);
        assert_eq!(wait(26, &policy(0.2), 0.5), None);
        assert_eq!(wait(1, &Retry { attempts: 1, ..policy(0.0) }, 0.5), None);
    }

    #[test]
    fn jitter_spreads_both_ways_and_never_beyond_the_maximum() {
        assert_eq!(wait(1, &policy(0.2), 0.0), Some(Duration::from_secs(4)));
        assert_eq!(wait(1, &policy(0.2), 0.5), Some(Duration::from_secs(5)));
        assert!(wait(1, &policy(0.2), 0.999).unwrap() > Duration::from_millis(5990));
        assert_eq!(wait(20, &policy(0.2), 0.999), Some(Duration::from_secs(6 * 3600)));
    }

    #[test]
    fn the_default_policy_goes_on_for_about_three_days() {
        let total: Duration = (1..25).filter_map(|attempt| wait(attempt, &Retry::default(), 0.5)).sum();
        assert!((2.5..3.5).contains(&(total.as_secs_f64() / 86400.0)), "{total:?}");
    }

    #[test]
    fn strange_policies_do_not_panic() {
        let (first, max) = (Duration::from_secs(5), Duration::from_secs(6 * 3600));
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            for attempt in [1, 2, 1000] {
                let policy = Retry { attempts: u32::MAX, waits: Waits::Growing { first, factor, max }, ..policy(5.0) };
                assert!(wait(attempt, &policy, 0.0).unwrap() <= max);
            }
        }
        assert_eq!(wait(1, &listed(&[], 9), 0.5), None);
    }
}
