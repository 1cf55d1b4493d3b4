//! What the journal says of what it keeps, for people and programs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Attempt;
use crate::event::{Build, Event};
use crate::reason::Reason;
use crate::request::Incoming;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not tried yet.
    Pending,
    /// Behind an earlier one of its key.
    Waiting,
    /// Being tried.
    InFlight,
    /// Done.
    Delivered,
    /// Failed, and will be tried again.
    Retrying,
    /// Failed for good.
    Exhausted,
    /// Given up by an operator.
    Cancelled,
}

/// A delivery, for people and programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number.
    pub id: u64,
    /// Its event.
    pub event: Uuid,
    /// The event's type.
    pub kind: String,
    /// The event's source.
    pub source: String,
    /// Where it goes.
    pub destination: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// When it is tried next.
    pub next: Option<Timestamp>,
    /// Why it ended, where it failed; what the last attempt failed with, where it is tried again.
    pub reason: Option<String>,
    /// When the replay began that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Timestamp>,
    /// Every try, oldest first; only where one delivery or event is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Attempt>,
}

/// An event with all that belongs to it.
#[derive(Debug, Clone)]
pub struct EventDetail {
    /// The event.
    pub event: Event,
    /// Its request.
    pub request: Incoming,
    /// Its deliveries.
    pub deliveries: Vec<Delivery>,
    /// What made it, where a plugin did and it was written down.
    pub build: Option<Build>,
}

/// A refused request, for people and programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rejected {
    /// Its number.
    pub id: u64,
    /// The source, when one was found.
    pub source: Option<String>,
    /// The code.
    pub reason: Reason,
    /// What exactly was wrong.
    pub detail: String,
    /// When it arrived.
    pub received: Timestamp,
    /// The sender.
    pub peer: Option<std::net::IpAddr>,
    /// The signature was right, and only its time or its nonce was not.
    #[serde(default)]
    pub authentic: bool,
    /// Method and target.
    pub line: String,
    /// Bytes of the body, as far as it was read: of one that nobody asked for, not much more than is kept.
    pub bytes: u64,
}

/// What became of the events that were to be erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// Their content is gone.
    pub erased: u64,
    /// Kept, because a delivery of their request is open.
    pub open: u64,
    /// The last one looked at, where the filter's limit ended it.
    pub after: Option<Uuid>,
}

/// What a reduction to a size did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shrunk {
    /// Events that went.
    pub events: u64,
    /// Bytes in use now.
    pub bytes: u64,
    /// What is left is too much, and none of it is finished.
    pub over: bool,
}

/// The journal in numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Events kept.
    pub events: u64,
    /// Deliveries that are not finished.
    pub open: u64,
    /// Those of them that wait behind an earlier one of their key.
    pub waiting: u64,
    /// Deliveries that failed for good.
    pub exhausted: u64,
    /// Rejections kept.
    pub rejections: u64,
    /// Rejections that could not be kept.
    pub rejections_dropped: u64,
    /// When the oldest open delivery's event arrived.
    pub oldest_open: Option<Timestamp>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of it that nothing is in; retention gives them back.
    #[serde(default)]
    pub free_bytes: u64,
    /// Bytes of it that are in the write-ahead log.
    #[serde(default)]
    pub log_bytes: u64,
    /// When the oldest event arrived.
    #[serde(default)]
    pub oldest: Option<Timestamp>,
    /// Open deliveries by destination, where there are any.
    #[serde(default)]
    pub open_by_destination: BTreeMap<String, u64>,
}
