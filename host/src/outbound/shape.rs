//! What a destination makes of an event: its format, and its transform over that. What a format holds is left to `payload`.

use std::time::Duration;

use super::destination::DestinationError;
use super::payload::{self, Payload};
use super::transform::Transform;
use crate::config::resolved::Format;
use crate::event::Event;
use crate::request::Incoming;

/// A format and a transform, ready.
pub(super) struct Shape {
    pub(super) format: Format,
    transform: Option<Transform>,
}

impl Shape {
    /// Compiles the transform, which may take no longer than `limit`.
    pub(super) fn build(format: Format, transform: Option<&str>, limit: Duration) -> Result<Self, DestinationError> {
        let transform = match transform {
            Some(_) if format == Format::Raw => return Err(DestinationError::TransformOfRaw),
            Some(program) => Some(Transform::build(program, limit)?),
            None => None,
        };
        Ok(Self { format, transform })
    }

    /// What is sent, unless the transform gives nothing.
    pub(super) async fn payload(&self, event: &Event, received: &Incoming) -> Result<Option<Payload>, String> {
        let unwritable = |error| format!("the event cannot be written as JSON: {error}");
        let Some(transform) = &self.transform else {
            return payload::request(self.format, event, received).map(Some).map_err(unwritable);
        };
        let document = payload::document(self.format, event).map_err(unwritable)?;
        let made = transform.apply(&document).await.map_err(|words| format!("transform: {words}"))?;
        Ok(made.map(|made| payload::transformed(self.format, made)))
    }
}
