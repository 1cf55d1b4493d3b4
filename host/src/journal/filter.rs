//! Which of what is kept: filters for people and programs. Absent fields do not restrict.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DeliveryState;
use crate::event::EventState;
use crate::reason::Reason;

/// Which events; absent fields do not restrict.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// One event.
    pub id: Option<Uuid>,
    /// The source's name.
    pub source: Option<String>,
    /// A glob over the type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The provider's own id.
    pub provider_id: Option<String>,
    /// What became of it.
    pub state: Option<EventState>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// One of these; empty does not restrict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<Uuid>,
    /// Only events after this one, oldest first: for `tail`, and for going on.
    pub after: Option<Uuid>,
    /// At most so many; 0 is 100.
    pub limit: usize,
}

impl EventFilter {
    /// Whether it names anything at all.
    pub fn restricts(&self) -> bool {
        let Self { id, ids, source, kind, subject, provider_id, state, since, until, after: _, limit: _ } = self;
        let named = source.is_some() || kind.is_some() || subject.is_some() || provider_id.is_some();
        named || id.is_some() || !ids.is_empty() || state.is_some() || since.is_some() || until.is_some()
    }
}

/// Which deliveries; absent fields do not restrict.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryFilter {
    /// One delivery.
    pub id: Option<u64>,
    /// One of these; empty does not restrict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u64>,
    /// Those of one event.
    pub event: Option<Uuid>,
    /// Those to one destination.
    pub destination: Option<String>,
    /// Those in one state.
    pub state: Option<DeliveryState>,
    /// Those of one source.
    pub source: Option<String>,
    /// A glob over the event's type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The event's subject.
    pub subject: Option<String>,
    /// The provider's own id of the event.
    pub provider_id: Option<String>,
    /// The event was received at or after.
    pub since: Option<Timestamp>,
    /// The event was received before.
    pub until: Option<Timestamp>,
    /// What is said of why it failed holds this text, or its last answer had this status.
    pub reason: Option<String>,
    /// Only those with a greater number, oldest first: for going on.
    pub after: Option<u64>,
    /// At most so many; 0 is 100, and for `retry` and `cancel` all.
    pub limit: usize,
}

/// Which rejections; absent fields do not restrict.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RejectionFilter {
    /// The source's name.
    pub source: Option<String>,
    /// The code.
    pub reason: Option<Reason>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// One of these; empty does not restrict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u64>,
    /// Only those with a greater number, oldest first: for going on.
    pub after: Option<u64>,
    /// At most so many; 0 is 100.
    pub limit: usize,
}

impl RejectionFilter {
    /// Whether it names anything at all.
    pub fn restricts(&self) -> bool {
        let Self { source, reason, since, until, ids, after: _, limit: _ } = self;
        source.is_some() || reason.is_some() || since.is_some() || until.is_some() || !ids.is_empty()
    }
}

/// What can be counted.
#[derive(Debug, Clone)]
pub enum Counted {
    /// Events.
    Events(EventFilter),
    /// Deliveries.
    Deliveries(DeliveryFilter),
    /// Those that a retry would try again.
    Retriable(DeliveryFilter),
    /// Rejections.
    Rejections(RejectionFilter),
}
