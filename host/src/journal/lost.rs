//! Deliveries that the journal gives up by itself, because there is nothing to send.

use std::sync::Arc;

use uuid::Uuid;

/// Such a delivery. Of an event that cannot be read what is not known is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its number.
    pub delivery: u64,
    /// Its event.
    pub event: Uuid,
    /// The event's type.
    pub kind: String,
    /// The event's source.
    pub source: Arc<str>,
    /// Where it should have gone.
    pub destination: Arc<str>,
    /// Tries, this one included.
    pub attempts: u32,
    /// Why there is nothing.
    pub why: Why,
}

/// Why there is nothing to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The bytes in the file are not those that were recorded, or are not there.
    Damaged,
    /// The request's bytes were erased with another event of it.
    Erased,
}

/// Who hears of them.
pub type Listener = Box<dyn Fn(Lost) + Send + Sync>;
