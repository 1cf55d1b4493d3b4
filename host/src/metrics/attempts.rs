//! The meter of a destination's attempts.

use super::counts::{Counts, Label};
use super::histogram::Histogram;

/// How one delivery's attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The destination has it.
    Delivered,
    /// It failed, and comes again.
    Retry,
    /// It failed for good.
    Exhausted,
    /// It failed for good, and its key waits for an operator.
    Held,
}

impl Label for Ended {
    const ALL: &'static [Self] = &[Self::Delivered, Self::Retry, Self::Exhausted, Self::Held];

    fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retry => "retry",
            Self::Exhausted => "exhausted",
            Self::Held => "held",
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// One destination's.
#[derive(Debug)]
pub struct AttemptMeter {
    /// By how they ended: one for each delivery.
    pub ended: Counts<Ended>,
    /// How long they took: one for each batch.
    pub took: Histogram,
}

impl Default for AttemptMeter {
    fn default() -> Self {
        Self { ended: Counts::default(), took: Histogram::of_waits() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::counts::is_in_order;
    use super::*;

    #[test]
    fn every_word_has_its_own_counter() {
        assert!(is_in_order::<Ended>());
    }
}
