//! An event: one thing that happened, normalised to CloudEvents 1.0. How it is kept is the journal's business.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The source, and the provider, of the gateway's own events; no other source may be called so.
pub const OWN_SOURCE: &str = "hookport";

/// What became of an event before any delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// At least one route wants it.
    Routed,
    /// No route wants it.
    Unrouted,
    /// Authentic, but its decoder failed: it can be decoded again.
    Undecoded,
    /// Its content was erased; that it was there is still known.
    Erased,
}

/// The build of a plugin that made an event of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Build {
    /// The version of the description.
    pub version: Arc<str>,
    /// Of the plugin's file.
    pub sha256: Arc<str>,
    /// Which of the provider's builds, counted from 1.
    pub generation: u32,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A JSON document, compact, number texts as received.
    Json(Bytes),
    /// Anything else, with its content type.
    Bytes(Bytes, String),
    /// Nothing.
    None,
}

/// An event before the journal gave it an id.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// `<provider>.<the provider's own name>`.
    pub kind: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened, if the provider says.
    pub time: Option<Timestamp>,
    /// The provider's own id.
    pub provider_id: Option<String>,
    /// By which a repeat is known, within its source.
    pub key: DedupKey,
    /// What it says.
    pub data: Data,
    /// Broken constraints and rules that failed; never a refusal.
    pub warnings: Vec<String>,
    /// Why it could not be decoded; then it is kept as `undecoded` and not routed.
    pub undecoded: Option<String>,
}

impl NewEvent {
    /// The event, without an id and not yet routed; why it could not be decoded becomes its first warning.
    pub fn into_event(
        self,
        source: Arc<str>,
        provider: Arc<str>,
        provider_version: Arc<str>,
        received: Timestamp,
    ) -> Event {
        let Self { kind, subject, time, provider_id, key: _, data, mut warnings, undecoded } = self;
        let state = if undecoded.is_some() { EventState::Undecoded } else { EventState::Routed };
        warnings.splice(0..0, undecoded);
        let id = Uuid::nil();
        Event {
            id,
            source,
            provider,
            provider_version,
            kind,
            subject,
            time,
            received,
            provider_id,
            data,
            state,
            warnings,
        }
    }
}

/// A dedup key: 128 bits of a SHA-256 over source and key, and how long it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DedupKey {
    /// The hash.
    pub hash: [u8; 16],
    /// Until when; `None` holds as long as retention.
    pub until: Option<Timestamp>,
}

/// An event as the journal keeps it.
#[derive(Debug, Clone)]
pub struct Event {
    /// The gateway's own id, stable over retries.
    pub id: Uuid,
    /// The source's name.
    pub source: Arc<str>,
    /// The provider's id.
    pub provider: Arc<str>,
    /// The version of the provider's description.
    pub provider_version: Arc<str>,
    /// `<provider>.<the provider's own name>`.
    pub kind: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened, if the provider says.
    pub time: Option<Timestamp>,
    /// When its request arrived.
    pub received: Timestamp,
    /// The provider's own id.
    pub provider_id: Option<String>,
    /// What it says.
    pub data: Data,
    /// What became of it.
    pub state: EventState,
    /// Broken constraints and rules that failed.
    pub warnings: Vec<String>,
}

impl Event {
    /// The event with its data as `mask` gives it back.
    pub fn redacted(&self, mask: impl Fn(&[u8]) -> Bytes) -> Self {
        let data = match &self.data {
            Data::Json(json) => Data::Json(mask(json)),
            Data::Bytes(bytes, kind) => Data::Bytes(mask(bytes), kind.clone()),
            Data::None => Data::None,
        };
        Self { data, ..self.clone() }
    }
}

/// Structured-mode CloudEvents JSON.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("source", &format_args!("/sources/{}", self.source))?;
        map.serialize_entry("type", &self.kind)?;
        if let Some(subject) = &self.subject {
            map.serialize_entry("subject", subject)?;
        }
        map.serialize_entry("time", &self.time.unwrap_or(self.received))?;
        map.serialize_entry("provider", &self.provider)?;
        map.serialize_entry("providerversion", &self.provider_version)?;
        if let Some(id) = &self.provider_id {
            map.serialize_entry("providereventid", id)?;
        }
        map.serialize_entry("receivedtime", &self.received)?;
        match &self.data {
            Data::Json(json) => {
                map.serialize_entry("datacontenttype", "application/json")?;
                let raw: &RawValue = serde_json::from_slice(json).map_err(serde::ser::Error::custom)?;
                map.serialize_entry("data", raw)?;
            }
            Data::Bytes(bytes, content_type) => {
                map.serialize_entry("datacontenttype", content_type)?;
                map.serialize_entry("data_base64", &STANDARD.encode(bytes))?;
            }
            Data::None => {}
        }
        map.end()
    }
}
