//! What is handed to a broker: the body in the destination's format, and what describes it.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::config::resolved::Format;
use crate::event::Event;
use crate::outbound::payload::Payload;

/// Beside what is not visible ASCII, as CloudEvents write it in headers.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// A delivery that is ready to be handed over.
pub(super) struct Message<'a> {
    /// As it is recorded, encrypted fields closed: names are made of this.
    pub(super) event: &'a Event,
    /// By which a repeat is known.
    pub(super) id: String,
    pub(super) content_type: String,
    /// The attributes of the CloudEvent, by their names; none where it is the provider's request.
    pub(super) attributes: Vec<(&'static str, String)>,
    /// The provider's headers, where it is the provider's request.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl<'a> Message<'a> {
    pub(super) fn new(event: &'a Event, format: Format, payload: Payload) -> Self {
        let Payload { headers, body } = payload;
        let content_type =
            headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let is_request = format == Format::Raw;
        Self {
            event,
            id: event.id.to_string(),
            content_type: content_type.unwrap_or_else(|| "application/octet-stream".into()),
            attributes: if is_request { Vec::new() } else { attributes(event) },
            headers: if is_request { provider_headers(&headers) } else { Vec::new() },
            body,
        }
    }

    /// All that describes it, as headers: `<prefix><attribute>` and `http-<header of the provider>`, of visible ASCII.
    pub(super) fn described(&self, prefix: &str) -> Vec<(String, String)> {
        let attributes = self.attributes.iter().map(|(name, value)| (format!("{prefix}{name}"), escaped(value)));
        let headers = self.headers.iter().map(|(name, value)| (format!("http-{name}"), escaped(value)));
        attributes.chain(headers).collect()
    }
}

fn escaped(value: &str) -> String {
    utf8_percent_encode(value, ESCAPED).to_string()
}

/// All but `data` and its type.
fn attributes(event: &Event) -> Vec<(&'static str, String)> {
    let mut attributes = vec![
        ("specversion", "1.0".to_owned()),
        ("id", event.id.to_string()),
        ("source", format!("/sources/{}", event.source)),
        ("type", event.kind.clone()),
        ("time", event.time.unwrap_or(event.received).to_string()),
        ("provider", event.provider.to_string()),
        ("providerversion", event.provider_version.to_string()),
        ("receivedtime", event.received.to_string()),
    ];
    attributes.extend(event.subject.clone().map(|subject| ("subject", subject)));
    attributes.extend(event.provider_id.clone().map(|id| ("providereventid", id)));
    attributes
}

fn provider_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}
