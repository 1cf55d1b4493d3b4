//! `retry = { ... }`, resolved: every part has its value.

use std::sync::Arc;
use std::time::Duration;

use crate::config::units::Span;
use crate::config::written;

/// The journal takes a delivery that is due later than this for one that was planned under a wrong clock.
pub const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// When a failed delivery is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Tries in all.
    pub attempts: u32,
    /// How long between them.
    pub waits: Waits,
    /// A share of the wait, added or taken off at random.
    pub jitter: f64,
    /// No try comes later than so long after the event.
    pub deadline: Option<Duration>,
}

/// How long between tries.
#[derive(Debug, Clone, PartialEq)]
pub enum Waits {
    /// Each so many times the one before.
    Growing {
        /// Before the second try.
        first: Duration,
        /// So many times.
        factor: f64,
        /// None is longer.
        max: Duration,
    },
    /// One by one; the last is used again.
    Listed(Arc<[Duration]>),
}

impl Retry {
    /// Fills in what was not written. Each listed wait is used once where nobody says how many tries there are.
    pub fn of(written: &written::Retry) -> Self {
        let span = |written: Option<Span>, default: Span| written.unwrap_or(default).0;
        let (waits, attempts) = match &written.waits {
            Some(waits) => {
                let tries = u32::try_from(waits.len()).unwrap_or(u32::MAX).saturating_add(1);
                (Waits::Listed(waits.iter().map(|wait| wait.0).collect()), tries)
            }
            None => {
                let first = span(written.first, Span::seconds(5));
                let max = span(written.max, Span::seconds(6 * 3600));
                (Waits::Growing { first, factor: written.factor.unwrap_or(2.0), max }, 25)
            }
        };
        Self {
            attempts: written.attempts.unwrap_or(attempts),
            waits,
            jitter: written.jitter.unwrap_or(0.2),
            deadline: written.deadline.map(|deadline| deadline.0),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::of(&written::Retry::default())
    }
}
