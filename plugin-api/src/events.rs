//! What a decoder says: events, warnings on them, or why there are none. Type, id, subject and time come from the
//! description; a decoder refines type and subject, types the data, or splits a batch.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Request;
use crate::abi::{EventParts, Outlet, code};

/// Where a decoder puts its events; they go to the host as they are pushed.
pub struct Events<'a> {
    outlet: &'a Outlet<'a>,
    request: &'a Request<'a>,
}

impl<'a> Events<'a> {
    pub(crate) fn new(outlet: &'a Outlet<'a>, request: &'a Request<'a>) -> Self {
        Self { outlet, request }
    }

    /// The event's type by the description, without the provider's id; empty where the description names none.
    pub fn declared_type(&self) -> &'a str {
        self.request.declared_type()
    }

    /// The event's subject by the description.
    pub fn declared_subject(&self) -> Option<&'a str> {
        self.request.declared_subject()
    }

    /// One event with the document as received.
    pub fn push_as_received(&mut self, _request: &Request<'_>) -> Result<(), DecodeError> {
        self.push(Event::new())
    }

    /// One event with this JSON as received. What does not fit `T` is a warning on the event and never a refusal, because
    /// providers change things without asking.
    pub fn push_typed<'d, T: Deserialize<'d>>(&mut self, document: &'d RawValue) -> Result<(), DecodeError> {
        let mut event = Event::new();
        if document.get() != self.request.document() {
            event = event.json(document.get());
        }
        if let Err(error) = serde_json::from_str::<T>(document.get()) {
            event = event.warn(format!("not as documented: {error}"));
        }
        self.push(event)
    }

    /// One event with this JSON as received, after `check` has looked at it as a `T`; what it returns are warnings.
    pub fn push_checked<'d, T: Deserialize<'d>>(
        &mut self,
        document: &'d RawValue,
        check: impl FnOnce(&T, &mut Vec<String>),
    ) -> Result<(), DecodeError> {
        let mut event = Event::new();
        if document.get() != self.request.document() {
            event = event.json(document.get());
        }
        match serde_json::from_str::<T>(document.get()) {
            Ok(typed) => check(&typed, &mut event.warnings),
            Err(error) => event = event.warn(format!("not as documented: {error}")),
        }
        self.push(event)
    }

    /// One event. Fails where the host has had enough of them; the decoder ends then.
    pub fn push(&mut self, event: Event<'_>) -> Result<(), DecodeError> {
        let parts = EventParts {
            kind: event.kind.as_deref(),
            subject: event.subject.as_deref(),
            data: event.data.as_deref(),
            warnings: &event.warnings,
        };
        accepted(self.outlet.event(&parts))
    }

    /// A warning on the event pushed last; before the first, on the first.
    pub fn warn(&mut self, text: impl AsRef<str>) {
        self.outlet.warn(text.as_ref());
    }
}

fn accepted(answer: u32) -> Result<(), DecodeError> {
    if answer == code::OK { Ok(()) } else { Err(DecodeError::new("the host takes no more events of this request")) }
}

/// One event; what it does not say is as the description has it.
#[derive(Debug, Default)]
pub struct Event<'a> {
    kind: Option<Cow<'a, str>>,
    subject: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    pub(crate) warnings: Vec<String>,
}

impl<'a> Event<'a> {
    /// The event that the description makes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The provider's own name of it, without the provider's id.
    pub fn kind(mut self, kind: impl Into<Cow<'a, str>>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// What it is about.
    pub fn subject(mut self, subject: impl Into<Cow<'a, str>>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// What it says: a JSON text, which goes out as written.
    pub fn json(mut self, json: impl Into<Cow<'a, str>>) -> Self {
        self.data = Some(json.into());
        self
    }

    /// What it says, as anything that serde can write.
    pub fn data<T: Serialize + ?Sized>(self, data: &T) -> Result<Self, DecodeError> {
        Ok(self.json(serde_json::to_string(data)?))
    }

    /// A constraint that does not hold.
    pub fn warn(mut self, text: impl Into<String>) -> Self {
        self.warnings.push(text.into());
        self
    }
}

/// Why a request gave no events. The host keeps it as `undecoded`; the provider gets its ordinary answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    message: String,
}

impl DecodeError {
    /// Says what is wrong, for the operator.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format!("not as documented: {error}"))
    }
}

impl From<&str> for DecodeError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for DecodeError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}
