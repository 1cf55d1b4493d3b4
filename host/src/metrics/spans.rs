//! What became of the spans of traces.

use super::counts::Label;

/// A closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spanned {
    /// The collector has it.
    Sent,
    /// The collector did not take it.
    Failed,
    /// Too many waited.
    Dropped,
}

impl Label for Spanned {
    const ALL: &'static [Self] = &[Self::Sent, Self::Failed, Self::Dropped];

    fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}
