//! What goes into a plugin's functions and what comes out, as the host sees it.

use std::fmt;

use bytes::Bytes;
use hyper::header::HeaderMap;
use jiff::Timestamp;

/// A verified request, for a decoder.
#[derive(Debug, Clone, Copy)]
pub struct DecodeRequest<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Path and query as received.
    pub target: &'a str,
    /// As received.
    pub headers: &'a HeaderMap,
    /// As received.
    pub body: &'a [u8],
    /// When it arrived.
    pub received: Timestamp,
    /// The event's type by the description, without the provider's id; empty where it names none.
    pub declared_type: &'a str,
    /// The event's subject by the description.
    pub declared_subject: Option<&'a str>,
    /// The `data` that an event has whose decoder gives none; empty where it is not JSON.
    pub document: &'a str,
}

/// A request that nobody has verified yet, for the text that its signature is over.
#[derive(Debug, Clone, Copy)]
pub struct TextRequest<'a> {
    /// The text's name under `[let]`.
    pub name: &'a str,
    /// Upper case.
    pub method: &'a str,
    /// Path and query as received.
    pub target: &'a str,
    /// The public URL, where there is one.
    pub url: Option<&'a str>,
    /// As received.
    pub headers: &'a HeaderMap,
    /// As received.
    pub body: &'a [u8],
    /// The source's settings, JSON.
    pub settings: &'a str,
}

/// One event of a decoder; what it does not say is as the description has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecodedEvent {
    /// The provider's own name, without the provider's id.
    pub kind: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// A JSON document, compact, number texts as the decoder wrote them; absent: the document.
    pub data: Option<Bytes>,
    /// Broken constraints.
    pub warnings: Vec<String>,
}

/// A call of a plugin that gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose fault, and how.
    pub kind: FaultKind,
    /// The plugin's words, or ours about it.
    pub message: String,
    /// The place in the plugin's code, of a panic.
    pub location: Option<String>,
    /// The number of the call, which lines of the plugin in the log have as `request`; 0 where it has none.
    pub call: u64,
}

/// How a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The plugin's code said no.
    Refused,
    /// The plugin's code panicked.
    Panic,
    /// The plugin has no such function.
    Absent,
    /// It gave more than the host takes.
    TooMuch,
    /// It gave what is not text, not JSON or not complete.
    BadOutput,
    /// Its worker ended over it, twice, or cannot be started.
    Lost,
    /// Its worker had no time.
    Busy,
    /// The plugin is left alone for a while.
    Quarantined,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), location: None, call: 0 }
    }
}

impl Fault {
    /// Whether the code broke, as it does not in good order.
    pub(super) fn is_break(&self) -> bool {
        matches!(self.kind, FaultKind::Panic | FaultKind::Lost)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FaultKind::Refused => f.write_str(&self.message),
            FaultKind::Panic => {
                write!(f, "the plugin panicked: {}", self.message)?;
                self.location.as_ref().map_or(Ok(()), |location| write!(f, " ({location})"))
            }
            FaultKind::Absent => write!(f, "the plugin has no such function: {}", self.message),
            FaultKind::TooMuch => write!(f, "the plugin gave too much: {}", self.message),
            FaultKind::BadOutput => write!(f, "the plugin gave what cannot be used: {}", self.message),
            FaultKind::Lost => write!(f, "the plugin broke off: {}", self.message),
            FaultKind::Busy => write!(f, "the plugin had no time: {}", self.message),
            FaultKind::Quarantined => write!(f, "the plugin is quarantined: {}", self.message),
        }
    }
}

impl std::error::Error for Fault {}
