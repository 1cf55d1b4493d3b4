//! The circuit breaker of a destination: after so many failures in a row it is left alone for a while, and then one delivery
//! tries whether it is well again. Pure in results and `now`; whose results, and what waits meanwhile, is the lane's.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::resolved;

/// What an attempt tells of its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// It answered.
    Up,
    /// It did not, or said that it cannot now.
    Down,
    /// It was not asked.
    Unknown,
}

/// A breaker; without a policy it never opens.
#[derive(Debug)]
pub(super) struct Breaker {
    policy: Option<resolved::Breaker>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failures: u32,
    },
    /// Also half open, from `until` on.
    Open {
        until: Instant,
        pause: Duration,
        probing: bool,
    },
}

/// What may begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    /// As many as there is room for.
    Any,
    /// One, to see whether the destination is well again.
    Probe,
    /// Nothing before this time.
    Until(Instant),
    /// Nothing until the probe has ended.
    Probing,
}

/// What a result changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// After so many failures in a row, for so long.
    Opened { failures: u32, pause: Duration },
    /// The probe failed: open for so long again.
    Reopened { pause: Duration },
    /// It is well again.
    Closed,
}

impl Breaker {
    pub(super) fn new(policy: Option<resolved::Breaker>) -> Self {
        Self { policy, state: State::Closed { failures: 0 } }
    }

    /// Goes on under another policy; an open one stays open as long as it would have.
    pub(super) fn follow(&mut self, policy: Option<resolved::Breaker>) {
        self.policy = policy;
        if policy.is_none() {
            self.state = State::Closed { failures: 0 };
        }
    }

    pub(super) fn allows(&self, now: Instant) -> Allowed {
        match self.state {
            State::Closed { .. } => Allowed::Any,
            State::Open { probing: true, .. } => Allowed::Probing,
            State::Open { until, .. } if now < until => Allowed::Until(until),
            State::Open { .. } => Allowed::Probe,
        }
    }

    /// The attempt that it allowed as a probe begins.
    pub(super) fn probe(&mut self) {
        if let State::Open { probing, .. } = &mut self.state {
            *probing = true;
        }
    }

    /// An attempt ended. One that began before the breaker opened says nothing of how the destination is now, unless it
    /// was answered.
    pub(super) fn ended(&mut self, health: Health, was_probe: bool, now: Instant) -> Option<Turn> {
        let policy = self.policy?;
        match (&mut self.state, health) {
            (State::Closed { failures }, Health::Up) => *failures = 0,
            (State::Closed { .. }, Health::Unknown) => {}
            (State::Closed { failures }, Health::Down) => {
                *failures = failures.saturating_add(1);
                if *failures >= policy.failures {
                    let (failures, pause) = (*failures, policy.pause);
                    self.state = State::Open { until: later(now, pause), pause, probing: false };
                    return Some(Turn::Opened { failures, pause });
                }
            }
            (State::Open { .. }, Health::Up) => {
                self.state = State::Closed { failures: 0 };
                return Some(Turn::Closed);
            }
            (State::Open { probing, .. }, Health::Unknown) => *probing &= !was_probe,
            (State::Open { pause, .. }, Health::Down) if was_probe => {
                let pause = pause.saturating_mul(2).min(policy.max_pause);
                self.state = State::Open { until: later(now, pause), pause, probing: false };
                return Some(Turn::Reopened { pause });
            }
            (State::Open { .. }, Health::Down) => {}
        }
        None
    }
}

fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(failures: u32) -> resolved::Breaker {
        resolved::Breaker { failures, pause: SECOND, max_pause: SECOND * 5 }
    }

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(Some(policy(1)));
        assert!(breaker.ended(Health::Down, false, now).is_some());
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_between_does_not_count() {
        let (now, mut breaker) = (Instant::now(), Breaker::new(Some(policy(3))));
        for health in [Health::Down, Health::Down, Health::Up, Health::Down, Health::Unknown, Health::Down] {
            assert_eq!(breaker.ended(health, false, now), None);
            assert_eq!(breaker.allows(now), Allowed::Any);
        }
        let turn = breaker.ended(Health::Down, false, now);
        assert_eq!(turn, Some(Turn::Opened { failures: 3, pause: SECOND }));
        assert_eq!(breaker.allows(now), Allowed::Until(now + SECOND));
    }

    #[test]
    fn after_the_pause_one_probe_at_a_time_is_let_through() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.allows(now + SECOND), Allowed::Probe);
        breaker.probe();
        assert_eq!(breaker.allows(now + SECOND * 99), Allowed::Probing);
        assert_eq!(breaker.ended(Health::Unknown, true, now + SECOND), None);
        assert_eq!(breaker.allows(now + SECOND), Allowed::Probe, "it was not asked, so another asks");
        breaker.probe();
        assert_eq!(breaker.ended(Health::Up, true, now + SECOND), Some(Turn::Closed));
        assert_eq!(breaker.allows(now + SECOND), Allowed::Any);
    }

    #[test]
    fn the_pause_doubles_up_to_its_most_and_is_forgotten() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for seconds in [2, 4, 5, 5] {
            now += SECOND * 9;
            breaker.probe();
            assert_eq!(breaker.ended(Health::Down, true, now), Some(Turn::Reopened { pause: SECOND * seconds }));
            assert_eq!(breaker.allows(now), Allowed::Until(now + SECOND * seconds));
        }
        assert_eq!(breaker.ended(Health::Up, false, now), Some(Turn::Closed));
        let turn = breaker.ended(Health::Down, false, now);
        assert_eq!(turn, Some(Turn::Opened { failures: 1, pause: SECOND }));
    }

    #[test]
    fn what_began_before_it_opened_neither_lengthens_the_pause_nor_ends_the_probe() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.ended(Health::Down, false, now + SECOND / 2), None);
        assert_eq!(breaker.allows(now), Allowed::Until(now + SECOND));
        breaker.probe();
        assert_eq!(breaker.ended(Health::Down, false, now + SECOND), None);
        assert_eq!(breaker.allows(now + SECOND), Allowed::Probing);
    }

    #[test]
    fn without_a_policy_it_never_opens_and_one_that_is_taken_away_closes() {
        let (now, mut breaker) = (Instant::now(), Breaker::new(None));
        assert!((0..999).all(|_| breaker.ended(Health::Down, false, now).is_none()));
        let mut breaker = opened(now);
        breaker.follow(Some(policy(7)));
        assert_eq!(breaker.allows(now), Allowed::Until(now + SECOND));
        breaker.follow(None);
        assert_eq!(breaker.allows(now), Allowed::Any);
    }

    fn health() -> impl Strategy<Value = Health> {
        prop_oneof![Just(Health::Up), Just(Health::Down), Just(Health::Unknown)]
    }

    proptest! {
        /// Attempts begin where it allows them, end in any order and with any result, while time goes on.
        #[test]
        fn no_more_than_a_probe_begins_while_it_is_open(
            failures in 1u32..5,
            steps in prop::collection::vec((health(), 0u64..4, any::<prop::sample::Index>(), any::<bool>()), 1..200),
        ) {
            let mut breaker = Breaker::new(Some(policy(failures)));
            let mut now = Instant::now();
            let mut under_way: Vec<bool> = Vec::new();
            let mut in_a_row = 0;
            for (result, seconds, which, begins) in steps {
                now += SECOND * u32::try_from(seconds).expect("few");
                let allowed = breaker.allows(now);
                if begins && matches!(allowed, Allowed::Any | Allowed::Probe) {
                    let probe = allowed == Allowed::Probe;
                    prop_assert!(!probe || !under_way.contains(&true), "a second probe");
                    under_way.push(probe);
                    if probe {
                        breaker.probe();
                    }
                    continue;
                }
                if under_way.is_empty() {
                    prop_assert_ne!(allowed, Allowed::Probing, "it waits for a probe that nobody makes");
                    continue;
                }
                let probe = under_way.swap_remove(which.index(under_way.len()));
                let was_open = allowed != Allowed::Any;
                let turn = breaker.ended(result, probe, now);
                in_a_row = match result { Health::Up => 0, Health::Down => in_a_row + 1, Health::Unknown => in_a_row };
                match turn {
                    Some(Turn::Opened { failures: counted, pause }) => {
                        prop_assert!(!was_open && counted == failures && in_a_row >= failures);
                        prop_assert_eq!(pause, SECOND);
                    }
                    Some(Turn::Reopened { pause }) => prop_assert!(was_open && probe && pause <= SECOND * 5),
                    Some(Turn::Closed) => {
                        prop_assert!(was_open && result == Health::Up);
                        // As a lane does: what is under way now is no probe of the next time.
                        under_way.fill(false);
                    }
                    None => prop_assert!(!was_open || result != Health::Up),
                }
                if let Allowed::Until(until) = breaker.allows(now) {
                    prop_assert!(until <= now + SECOND * 5, "no pause is longer than the longest");
                }
            }
        }
    }
}
