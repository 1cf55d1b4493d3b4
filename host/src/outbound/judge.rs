//! What a reply means for its delivery: pure in reply, attempt number, policy, time and chance.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::retry;
use crate::config::written::Retry;
use crate::journal::Outcome;

/// A destination may ask for a pause, but not park a delivery for ever.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

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
    /// No answer, and why.
    Failed(String),
}

/// What follows, and the error in words where the attempt failed.
pub(super) fn judge(
    reply: &Reply,
    attempt: u32,
    policy: &Retry,
    now: Timestamp,
    chance: f64,
) -> (Outcome, Option<String>) {
    let (error, pause) = match reply {
        Reply::Written | Reply::Skipped | Reply::Answered { status: 200..=299, .. } => {
            return (Outcome::Delivered, None);
        }
        Reply::Answered { status: 410, .. } => return (Outcome::Exhausted("gone".into()), Some("status 410".into())),
        Reply::Answered { status: status @ (429 | 503), retry_after, .. } => (format!("status {status}"), *retry_after),
        Reply::Answered { status: status @ 300..=399, location, .. } => (redirect(*status, location.as_deref()), None),
        Reply::Answered { status, .. } => (format!("status {status}"), None),
        Reply::Failed(error) => (error.clone(), None),
    };
    let outcome = match retry::wait(attempt, policy, chance) {
        None => Outcome::Exhausted(format!("attempt {attempt} of {} failed: {error}", policy.attempts)),
        // A pause that is over already must not burn the attempts within a moment: it only ever lengthens the wait.
        Some(wait) => Outcome::Retry(later(now, wait.max(pause.unwrap_or_default().min(LONGEST_PAUSE)))),
    };
    (outcome, Some(error))
}

fn redirect(status: u16, location: Option<&str>) -> String {
    let to = location.map(|location| format!(" to {location}")).unwrap_or_default();
    format!("status {status}: a redirect{to}, and redirects are not followed")
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::Span;

    const POLICY: Retry =
        Retry { attempts: 3, first: Span::seconds(5), factor: 2.0, max: Span::seconds(60), jitter: 0.0 };

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn answered(status: u16) -> Reply {
        Reply::Answered { status, retry_after: None, location: None, text: String::new() }
    }

    fn judged(reply: &Reply, attempt: u32) -> (Outcome, Option<String>) {
        judge(reply, attempt, &POLICY, now(), 0.5)
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
