//! What an operator stopped for a while, and what waits for each destination.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What can be paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pausable {
    /// Its requests are answered `unavailable`.
    Source,
    /// Its deliveries wait.
    Destination,
}

impl Pausable {
    /// The word for it, also in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// What is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// A source or a destination.
    pub kind: Pausable,
    /// Its name.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

/// What waits for a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Its name.
    pub destination: String,
    /// Deliveries that are not finished.
    pub open: u64,
    /// Deliveries that failed for good.
    pub exhausted: u64,
    /// When the oldest open delivery's event arrived.
    pub oldest_open: Option<Timestamp>,
}
