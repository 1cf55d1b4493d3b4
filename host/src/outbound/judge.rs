//! What a reply means for its delivery, and what it tells of the destination: pure in reply, attempt, policy, time and chance.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::breaker::Health;
use super::retry;
use crate::config::resolved::{LONGEST_WAIT, Retry};
use crate::journal::Outcome;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Written, where nobody answers.
    Written,
    /// Not sent, because the destination's own transform wants nothing of it.
    Skipped,
    /// An HTTP answer.
    Answered {
        /// Its status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// Where it redirects to.
        location: Option<String>,
        /// The start of its body.
        text: String,
    },
    /// Answered, and not taken: why this one is not.
    Refused(String),
    /// No answer, and why.
    Failed(String),
    /// It could not be sent, and why: nobody was asked.
    Unsent(String),
}

/// An attempt that was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    /// Which one, from 1.
    pub(super) attempt: u32,
    /// From when the deadline counts.
    pub(super) since: Timestamp,
    /// When it ended.
    pub(super) now: Timestamp,
    /// In `0.0..1.0`.
    pub(super) chance: f64,
}

/// Whether the destination works: an answer about one event says that it does, whatever it says of the event.
///
/// A redirect tells that it is not there, whichever event it is asked to take.
pub(super) fn health(reply: &Reply) -> Health {
    match reply {
        Reply::Answered { status: 408 | 429, .. } | Reply::Failed(_) => Health::Down,
        Reply::Written | Reply::Refused(_) | Reply::Answered { status: 200..=299 | 400..=499, .. } => Health::Up,
        Reply::Answered { .. } => Health::Down,
        Reply::Unsent(_) | Reply::Skipped => Health::Unknown,
    }
}

/// What follows, and the error in words where the attempt failed.
pub(super) fn judge(reply: &Reply, tried: Tried, policy: &Retry) -> (Outcome, Option<String>) {
    let (error, pause) = match reply {
        Reply::Written | Reply::Skipped | Reply::Answered { status: 200..=299, .. } => {
            return (Outcome::Delivered, None);
        }
        Reply::Answered { status: 410, .. } => return (Outcome::Exhausted("gone".into()), Some("status 410".into())),
        Reply::Answered { status: status @ (429 | 503), retry_after, .. } => (format!("status {status}"), *retry_after),
        Reply::Answered { status: status @ 300..=399, location, .. } => (redirect(*status, location.as_deref()), None),
        Reply::Answered { status, .. } => (format!("status {status}"), None),
        Reply::Refused(error) | Reply::Failed(error) | Reply::Unsent(error) => (error.clone(), None),
    };
    let Tried { attempt, since, now, chance } = tried;
    let outcome = match retry::wait(attempt, policy, chance) {
        None => Outcome::Exhausted(format!("attempt {attempt} of {} failed: {error}", policy.attempts)),
        Some(wait) => {
            // A pause that is over already must not burn the attempts within a moment: it only ever lengthens the wait. A
            // destination may ask for one, but not park a delivery for ever.
            let next = later(now, wait.max(pause.unwrap_or_default().min(LONGEST_WAIT)));
            match policy.deadline.filter(|deadline| next > later(since, *deadline)) {
                Some(deadline) => Outcome::Exhausted(too_late(attempt, deadline, &error)),
                None => Outcome::Retry(next),
            }
        }
    };
    (outcome, Some(error))
}

fn too_late(attempt: u32, deadline: Duration, error: &str) -> String {
    let deadline = humantime::format_duration(deadline);
    format!("attempt {attempt} failed, and the next would come after the deadline of {deadline}: {error}")
}

fn redirect(status: u16, location: Option<&str>) -> String {
    // Its query may repeat what was sent.
    let to = location.and_then(|location| location.split(['?', '#']).next());
    let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
    format!("status {status}: a redirect{to}, and redirects are not followed")
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::resolved::Waits;

    fn policy() -> Retry {
        let waits = Waits::Growing { first: Duration::from_secs(5), factor: 2.0, max: Duration::from_secs(60) };
        Retry { attempts: 3, waits, jitter: 0.0, deadline: None }
    }

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn answered(status: u16) -> Reply {
        Reply::Answered { status, retry_after: None, location: None, text: String::new() }
    }

    fn judged(reply: &Reply, attempt: u32) -> (Outcome, Option<String>) {
        judge(reply, Tried { attempt, since: now(), now: now(), chance: 0.5 }, &policy())
    }

    fn retry_in(seconds: i64) -> Outcome {
        Outcome::Retry(now() + SignedDuration::from_secs(seconds))
    }

    #[test]
    fn every_2xx_is_delivered() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judged(&answered(status), 1), (Outcome::Delivered, None));
        }
        assert_eq!(judged(&Reply::Written, 1), (Outcome::Delivered, None));
    }

    #[test]
    fn gone_ends_at_the_first_attempt() {
        assert_eq!(judged(&answered(410), 1).0, Outcome::Exhausted("gone".into()));
    }

    #[test]
    fn everything_else_retries_by_the_policy_and_ends_with_the_last_error() {
        for status in [100, 400, 401, 404, 409, 429, 500, 503] {
            assert_eq!(judged(&answered(status), 1), (retry_in(5), Some(format!("status {status}"))));
        }
        assert_eq!(judged(&Reply::Failed("no route".into()), 2), (retry_in(10), Some("no route".into())));
        assert_eq!(
            judged(&answered(500), 3),
            (Outcome::Exhausted("attempt 3 of 3 failed: status 500".into()), Some("status 500".into()))
        );
    }

    #[test]
    fn a_redirect_is_a_failure_that_names_its_target() {
        let reply = Reply::Answered {
            status: 302,
            retry_after: None,
            location: Some("https://elsewhere.example/".into()),
            text: String::new(),
        };
        let (outcome, error) = judged(&reply, 1);
        assert_eq!(outcome, retry_in(5));
        assert_eq!(
            error.unwrap(),
            "status 302: a redirect to https://elsewhere.example/, and redirects are not followed"
        );
    }

    #[test]
    fn a_pause_is_kept_where_it_counts_and_bounded() {
        let asks = |status, seconds| Reply::Answered {
            status,
            retry_after: Some(Duration::from_secs(seconds)),
            location: None,
            text: String::new(),
        };
        assert_eq!(judged(&asks(429, 120), 1).0, retry_in(120));
        assert_eq!(judged(&asks(503, u64::MAX), 1).0, retry_in(24 * 3600));
        assert_eq!(judged(&asks(500, 120), 1).0, retry_in(5));
        assert!(matches!(judged(&asks(429, 120), 3).0, Outcome::Exhausted(_)));
    }

    #[test]
    fn no_attempt_comes_after_the_deadline() {
        let policy = Retry { attempts: 9, deadline: Some(Duration::from_secs(60)), ..policy() };
        let judged = |reply: &Reply, age| {
            let since = now() - SignedDuration::from_secs(age);
            judge(reply, Tried { attempt: 2, since, now: now(), chance: 0.5 }, &policy).0
        };
        assert_eq!(judged(&answered(500), 50), retry_in(10), "the last moment is still in time");
        let Outcome::Exhausted(reason) = judged(&answered(500), 51) else { panic!("it goes on") };
        assert_eq!(reason, "attempt 2 failed, and the next would come after the deadline of 1m: status 500");
        let asks = Reply::Answered {
            status: 503,
            retry_after: Some(Duration::from_secs(61)),
            location: None,
            text: String::new(),
        };
        assert!(matches!(judged(&asks, 0), Outcome::Exhausted(_)), "a pause that lasts longer ends it");
        assert_eq!(judged(&answered(200), 9999), Outcome::Delivered, "what arrives is never too late");
    }

    #[test]
    fn an_answer_about_one_event_says_that_the_destination_works() {
        for status in [200, 204, 400, 401, 404, 409, 410, 413, 422] {
            assert_eq!(health(&answered(status)), Health::Up, "{status}");
        }
        for status in [302, 408, 429, 500, 502, 503, 504] {
            assert_eq!(health(&answered(status)), Health::Down, "{status}");
        }
        assert_eq!(health(&Reply::Failed("no route".into())), Health::Down);
        assert_eq!(health(&Reply::Unsent("no JSON".into())), Health::Unknown);
    }

    #[test]
    fn a_pause_never_shortens_the_wait_of_the_policy() {
        for (seconds, attempt, expected) in [(0, 1, 5), (1, 1, 5), (5, 1, 5), (6, 1, 6), (0, 2, 10), (9, 2, 10)] {
            let reply = Reply::Answered {
                status: 503,
                retry_after: Some(Duration::from_secs(seconds)),
                location: None,
                text: String::new(),
            };
            assert_eq!(judged(&reply, attempt).0, retry_in(expected), "{seconds} s after attempt {attempt}");
        }
    }
}
