//! The way out: a delivery in flight, how an attempt ended, and what follows.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::request::Incoming;

/// A delivery that is in flight.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The delivery.
    pub delivery: u64,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// From when a deadline counts: its event's arrival, or when it could first be tried, where that was later (it was
    /// released, waited behind another one of its key, its destination was paused), or was asked for again.
    pub since: Timestamp,
    /// What to deliver.
    pub event: Arc<Event>,
    /// The provider's own request, for `raw` deliveries.
    pub request: Arc<Incoming>,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The delivery.
    pub delivery: u64,
    /// What happened.
    pub attempt: Attempt,
    /// What follows.
    pub outcome: Outcome,
}

/// One attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// The answer's status, where there was one.
    pub status: Option<u16>,
    /// Why it failed, in words.
    pub error: Option<String>,
    /// The start of the answer.
    pub answer: Option<String>,
}

/// What follows an attempt: a closed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has it.
    Delivered,
    /// Again, not before this time.
    Retry(Timestamp),
    /// No more tries; why.
    Exhausted(String),
    /// No more tries, and those behind it of its key wait until it is retried or cancelled; why. Without a key it is as
    /// exhausted as any other.
    Held(String),
    /// Not tried, or broken off by shutdown: due again at once, and not counted as an attempt.
    Released,
}
