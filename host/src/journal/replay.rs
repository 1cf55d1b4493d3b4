//! Stored events that go to destinations again, as they were decoded then or are decoded now.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{DedupKey, Event};
use crate::request::Incoming;

/// Some events of a replay.
#[derive(Debug, Clone)]
pub struct Replay {
    /// When the replay began, by which its deliveries are known: what it made already is not made again.
    pub run: Timestamp,
    /// The events.
    pub events: Vec<Replayed>,
    /// They go to these; empty: to those that the plan of now chooses.
    pub to: Vec<Arc<str>>,
    /// All is decided, and nothing is kept.
    pub dry: bool,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// What goes out. Its id is that of a stored event.
    pub event: Event,
    /// Whether it says something new.
    pub content: Content,
}

/// What an event says, compared with what is stored.
#[derive(Debug, Clone)]
pub enum Content {
    /// The same.
    Stored,
    /// Something else: it takes the stored one's place. The key by which a repeat is known, and the request's body.
    Replaced(DedupKey, Bytes),
    /// It is one more of the request of the event whose id it has, and gets an id of its own, unless its key is known.
    Added(DedupKey, Bytes),
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redelivered {
    /// Events that go to at least one destination again.
    pub events: u64,
    /// New deliveries.
    pub deliveries: u64,
    /// Deliveries that were not made, because one of the event to the same destination is still open.
    pub open: u64,
    /// Events that no destination wants.
    pub unrouted: u64,
    /// Events that are not decoded, and go nowhere.
    pub undecoded: u64,
    /// Events whose content was erased; of a batch, for those who get requests, also where another event's was.
    #[serde(default)]
    pub erased: u64,
    /// Events that are new in the journal.
    pub added: u64,
}

impl std::ops::AddAssign for Redelivered {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.deliveries += other.deliveries;
        self.open += other.open;
        self.unrouted += other.unrouted;
        self.undecoded += other.undecoded;
        self.erased += other.erased;
        self.added += other.added;
    }
}

/// A stored request with events of it.
#[derive(Debug, Clone)]
pub struct StoredRequest {
    /// As received.
    pub request: Arc<Incoming>,
    /// Those that are meant, in their order.
    pub events: Vec<StoredEvent>,
    /// By which repeats of its other events are known.
    pub others: Vec<[u8; 16]>,
    /// Its bytes were erased with one of its events, and nothing is left to decode.
    pub erased: bool,
}

/// A stored event with the hash by which a repeat is known.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// The event.
    pub event: Event,
    /// Of its key.
    pub key: [u8; 16],
}
