//! When the journal is asked to delete: by age, unless the clock cannot be believed, and by size.
//!
//! How it deletes without holding anybody up is the journal's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::resolved;
use crate::journal::{EventFilter, Journal};

/// How often the size is looked at, and the age.
const SIZE: Duration = Duration::from_secs(10);
const AGE: Duration = Duration::from_secs(600);
/// How long nothing is deleted for its size after a time when nothing more could be.
const OVER: Duration = Duration::from_secs(300);

/// What the journal keeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    age: Duration,
    size: Option<u64>,
}

impl Keep {
    pub(super) fn of(config: &resolved::Journal) -> Self {
        Self { age: config.retention, size: config.max_size }
    }
}

/// Until the gateway stops; what changes holds at once.
pub(super) async fn retain(
    journal: Arc<dyn Journal>,
    clock: Clock,
    mut keep: watch::Receiver<Keep>,
    mut stopped: watch::Receiver<bool>,
) {
    let begun = Instant::now();
    let mut belief = Belief::new(newest(&*journal).await);
    let (mut age_at, mut size_at) = (begun, begun);
    loop {
        let (now, Keep { age, size }) = (Instant::now(), *keep.borrow_and_update());
        if now >= age_at {
            age_at = now + AGE;
            if belief.holds(clock.now(), begun.elapsed()) {
                by_age(&*journal, &clock, age).await;
            }
        }
        if let Some(max) = size.filter(|_| now >= size_at) {
            size_at = now + by_size(&*journal, max).await;
        }
        tokio::select! {
            () = tokio::time::sleep(SIZE) => {}
            Ok(()) = keep.changed() => (age_at, size_at) = (begun, begun),
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

async fn newest(journal: &dyn Journal) -> Option<Timestamp> {
    let newest = journal.events(EventFilter { limit: 1, ..EventFilter::default() }).await.ok()?;
    Some(newest.first()?.received)
}

async fn by_age(journal: &dyn Journal, clock: &Clock, retention: Duration) {
    match journal.retain(clock.now() - retention).await {
        Ok(0) => {}
        Ok(events) => tracing::info!(events, "deleted what is older than journal.retention"),
        Err(error) => tracing::warn!("retention: {error}"),
    }
}

/// Says when the size is worth a look again.
async fn by_size(journal: &dyn Journal, max: u64) -> Duration {
    match journal.shrink(max).await {
        Ok(shrunk) => {
            if shrunk.events > 0 {
                tracing::info!(
                    events = shrunk.events,
                    "deleted the oldest finished events before their time, because the journal was larger than \
                     journal.max_size"
                );
            }
            if shrunk.over {
                tracing::warn!(
                    bytes = shrunk.bytes,
                    "the journal is as large as journal.max_size with what is not delivered yet, and that is never \
                     deleted: mend the destinations, cancel deliveries, or raise journal.max_size"
                );
            }
            if shrunk.over { OVER } else { SIZE }
        }
        Err(error) => {
            tracing::warn!("journal.max_size: {error}");
            SIZE
        }
    }
}

/// Whether the clock is believed when it says that events are old. One that jumps ahead would have them all deleted, so
/// what it says must have been so for a while.
struct Belief {
    /// What the clock showed last, and for how long the gateway had run then.
    last: Option<(Timestamp, Duration)>,
    /// Until the gateway has run so long, nothing is deleted for its age.
    from: Duration,
}

impl Belief {
    /// A clock that goes wrong by less has no event deleted that it should not.
    const SLACK: SignedDuration = SignedDuration::from_hours(1);
    /// After a jump by more than the slack.
    const DOUBT: Duration = Duration::from_secs(6 * 3_600);

    /// The newest event was kept before the start: the clock was there then.
    fn new(newest: Option<Timestamp>) -> Self {
        Self { last: newest.map(|newest| (newest, Duration::ZERO)), from: Duration::ZERO }
    }

    fn holds(&mut self, now: Timestamp, run: Duration) -> bool {
        if let Some((last, run_then)) = self.last.replace((now, run)) {
            let passed = SignedDuration::try_from(run.saturating_sub(run_then)).unwrap_or(SignedDuration::MAX);
            let jump = now.duration_since(last).saturating_sub(passed);
            // At the start, the time since the newest event is no jump unless it is as long as days without events.
            let slack = if run_then.is_zero() { SignedDuration::from_hours(24) } else { Self::SLACK };
            if jump > slack {
                self.from = run + Self::DOUBT;
                tracing::warn!(
                    "the clock shows {now}, {:.0} hours after what was seen last: if that is wrong, set it right; nothing \
                     is deleted for its age in the next six hours",
                    jump.as_secs_f64() / 3_600.0
                );
            } else if jump < -slack {
                // It is set right again.
                self.from = Duration::ZERO;
            }
        }
        run >= self.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn hours(hours: i64) -> SignedDuration {
        SignedDuration::from_hours(hours)
    }

    fn run(hours: u64) -> Duration {
        Duration::from_secs(hours * 3_600 + 1)
    }

    #[test]
    fn a_clock_that_goes_as_time_goes_is_believed() {
        let mut belief = Belief::new(Some(noon() - hours(20)));
        assert!((0..50).all(|n| belief.holds(noon() + hours(n as i64), run(n))));
        assert!(Belief::new(None).holds(noon(), run(0)), "an empty journal has nothing to lose");
    }

    #[test]
    fn a_jump_ahead_deletes_nothing_for_six_hours_and_nothing_at_all_when_it_is_taken_back() {
        let mut belief = Belief::new(None);
        let ahead = hours(24 * 365 * 5);
        assert!(belief.holds(noon(), run(0)));
        assert!(!belief.holds(noon() + ahead + hours(1), run(1)));
        assert!(!belief.holds(noon() + ahead + hours(6), run(6)));
        assert!(belief.holds(noon() + ahead + hours(8), run(8)), "it was right, nobody corrected it");

        let mut belief = Belief::new(None);
        assert!(belief.holds(noon(), run(0)));
        assert!(!belief.holds(noon() + ahead, run(1)));
        assert!(belief.holds(noon() + hours(2), run(2)), "it was wrong and is right again");
    }

    #[test]
    fn a_start_long_after_the_newest_event_waits_too() {
        let mut belief = Belief::new(Some(noon() - hours(24 * 90)));
        assert!(!belief.holds(noon(), run(0)));
        assert!(!belief.holds(noon() + hours(5), run(5)));
        assert!(belief.holds(noon() + hours(7), run(7)));
    }
}
