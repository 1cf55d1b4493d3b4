//! The meters of the way in: what became of a source's requests, why some were refused, and how long each step took.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::counts::{Counts, Label};
use super::histogram::Histogram;
use crate::reason::Reason;

/// What a sender was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Its events are kept.
    Accepted,
    /// They were known.
    Duplicate,
    /// It could not be read.
    Malformed,
    /// It is not let in.
    Rejected,
    /// Come again.
    Unavailable,
    /// A handshake was answered.
    Handshake,
}

impl Label for Answered {
    const ALL: &'static [Self] =
        &[Self::Accepted, Self::Duplicate, Self::Malformed, Self::Rejected, Self::Unavailable, Self::Handshake];

    fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Malformed => "malformed",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Handshake => "handshake",
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

impl Label for Reason {
    const ALL: &'static [Self] = &Reason::ALL;

    fn word(self) -> &'static str {
        self.code()
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// One source's, or that of requests to no source.
#[derive(Debug)]
pub struct RequestMeter {
    /// By what the sender was told.
    pub answered: Counts<Answered>,
    /// By why it was refused.
    pub refused: Counts<Reason>,
    /// From the body's last byte to the answer.
    pub ack: Histogram,
    /// Proving who called.
    pub verify: Histogram,
    /// Making events of it.
    pub decode: Histogram,
    /// Waiting until they are kept.
    pub record: Histogram,
}

impl Default for RequestMeter {
    fn default() -> Self {
        Self {
            answered: Counts::default(),
            refused: Counts::default(),
            ack: Histogram::of_waits(),
            verify: Histogram::of_work(),
            decode: Histogram::of_work(),
            record: Histogram::of_waits(),
        }
    }
}

/// All of them, by source. A source that goes and comes back goes on counting where it was.
#[derive(Debug, Default)]
pub struct RequestMeters {
    by_source: Mutex<BTreeMap<Arc<str>, Arc<RequestMeter>>>,
    nobody: Arc<RequestMeter>,
}

impl RequestMeters {
    /// The meter of a source: asked for once, where the source begins.
    pub fn of(&self, source: &str) -> Arc<RequestMeter> {
        let mut meters = self.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        match meters.get(source) {
            Some(meter) => meter.clone(),
            None => meters.entry(source.into()).or_default().clone(),
        }
    }

    /// The meter of requests to paths that no source has.
    pub fn of_nobody(&self) -> Arc<RequestMeter> {
        self.nobody.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::is_in_order;
    use super::*;

    #[test]
    fn every_word_has_its_own_counter() {
        assert!(is_in_order::<Answered>() && is_in_order::<Reason>());
        let meters = RequestMeters::default();
        meters.of("esim").refused.count(Reason::Unavailable);
        meters.of("esim").answered.count(Answered::Handshake);
        let refused: Vec<_> = meters.of("esim").refused.counted().filter(|(_, count)| *count > 0).collect();
        let answered: Vec<_> = meters.of("esim").answered.counted().filter(|(_, count)| *count > 0).collect();
        assert_eq!((refused, answered), (vec![("unavailable", 1)], vec![("handshake", 1)]));
        assert!(meters.of("other").refused.counted().all(|(_, count)| count == 0));
    }
}
