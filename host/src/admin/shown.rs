//! What may be seen: data through [`Redact`](super::Redact), signatures and credentials masked, keys by name only.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookport_plugin_api::description::{Description, SettingValue};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::State;
use crate::config::resolved;
use crate::event::{Data, Event, EventState};
use crate::plugin::Code;
use crate::request::Incoming;

/// Instead of what may not be seen.
const MASK: &str = "***";

/// An event in a list.
#[derive(Serialize)]
pub(super) struct EventShown {
    event: Event,
    state: EventState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// A request as it came, masked.
#[derive(Serialize)]
pub(super) struct RequestShown {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    peer: Option<std::net::IpAddr>,
    received: Timestamp,
}

/// A plugin that is loaded.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PluginShown {
    /// The provider's id.
    pub provider: String,
    /// As people write it.
    pub name: String,
    /// The description's version.
    pub version: String,
    /// Where it was found.
    pub file: String,
    /// Of the file.
    pub sha256: String,
    /// Whether it has code of its own.
    pub native: bool,
    /// How that is, at the moment of being shown.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "state")]
    pub code: Option<Arc<Code>>,
    /// The calls that it offers.
    pub operations: Vec<String>,
    /// Who vouches for it: `own`, `signed`, `pinned`, `unsigned`.
    pub standing: String,
    /// Which of its builds serves, counted from 1.
    pub generation: u32,
    /// What lies in its place, where that is another build.
    pub on_disk: Option<OnDiskShown>,
    /// What its code takes up: no generation is ever unloaded.
    pub loaded: LoadedShown,
}

/// What lies in a plugin's place and does not serve.
#[derive(Debug, Clone, Serialize)]
pub struct OnDiskShown {
    /// Its version, where that can be told.
    pub version: Option<String>,
    /// Of the file.
    pub sha256: String,
    /// Why it does not serve; nothing where an operator went back from it.
    pub refused: Option<String>,
}

/// The generations of a plugin's code that are in the process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct LoadedShown {
    /// How many.
    pub generations: u32,
    /// The address space that they take up.
    pub bytes: u64,
}

impl PluginShown {
    /// What is shown of a description and the file that it came from.
    pub fn new(description: &Description, file: &std::path::Path, sha256: &str, code: Option<&Arc<Code>>) -> Self {
        Self {
            provider: description.provider.id.clone(),
            name: description.provider.name.clone(),
            version: description.provider.version.clone(),
            file: file.display().to_string(),
            sha256: sha256.to_owned(),
            native: code.is_some(),
            code: code.cloned(),
            operations: description.operations.iter().map(|operation| operation.id.clone()).collect(),
            ..Self::default()
        }
    }
}

fn state<S: Serializer>(code: &Option<Arc<Code>>, to: S) -> Result<S::Ok, S::Error> {
    code.as_ref().map(|code| code.state()).serialize(to)
}

/// A destination that is configured, and how it is.
#[derive(Debug, Clone, Serialize)]
pub struct DestinationShown {
    /// Its name.
    pub name: String,
    /// `http`, `file` or `stdout`.
    pub kind: &'static str,
    /// How many in a time, where it is bounded.
    pub rate: Option<String>,
    /// How its lane is.
    #[serde(flatten)]
    pub lane: LaneShown,
}

/// How a destination's lane is.
#[derive(Debug, Clone, Serialize)]
pub struct LaneShown {
    /// `closed`, `open`, or `half_open`: one delivery is tried next.
    pub breaker: &'static str,
    /// When the breaker turned last.
    pub since: Option<Timestamp>,
    /// When an open breaker lets a delivery try.
    pub next_probe: Option<Timestamp>,
    /// Since when it is paused, if it is.
    pub paused: Option<Timestamp>,
    /// Attempts under way.
    pub in_flight: usize,
}

/// A source that is configured.
#[derive(Debug, Clone, Serialize)]
pub struct SourceShown {
    /// Its name.
    pub name: String,
    /// The provider's id.
    pub provider: String,
    /// Where it is called.
    pub path: Option<String>,
    /// The names of its secrets; never what they are.
    pub secrets: Vec<String>,
    /// The names of those that it needs and does not have.
    pub missing: Vec<String>,
    /// Its choices.
    pub settings: BTreeMap<String, SettingValue>,
    /// Why its requests prove nothing, where they do not.
    pub unsigned: Option<String>,
}

impl SourceShown {
    /// What is shown of a configured source.
    pub fn new(name: &str, source: &resolved::Source, description: &Description) -> Self {
        let given = |name: &String| source.parts.secrets.get(name).is_some_and(|values| !values.is_empty());
        let needed = description.secrets.iter().filter(|(name, slot)| slot.required || description.captures(name));
        let unsigned = description.verify.iter().find(|verify| verify.alg == "none");
        Self {
            name: name.to_owned(),
            provider: source.provider.clone(),
            path: source.parts.path.clone(),
            secrets: source.parts.secrets.keys().cloned().collect(),
            missing: needed.map(|(name, _)| name).filter(|name| !given(name)).cloned().collect(),
            settings: source.parts.settings.clone(),
            unsigned: unsigned.map(|verify| verify.reason.clone().unwrap_or_default()),
        }
    }
}

impl State {
    pub(super) fn events(&self, events: Vec<Event>) -> Vec<EventShown> {
        events.into_iter().map(|event| self.event(event)).collect()
    }

    pub(super) fn event(&self, mut event: Event) -> EventShown {
        event.data = match event.data {
            Data::Json(json) => Data::Json(self.redact.redact(&event.source, &json)),
            Data::Bytes(bytes, media_type) => Data::Bytes(self.redact.redact(&event.source, &bytes), media_type),
            Data::None => Data::None,
        };
        EventShown { state: event.state, warnings: std::mem::take(&mut event.warnings), event }
    }

    pub(super) fn request(&self, source: &str, request: &Incoming) -> RequestShown {
        let body = self.redact.redact(source, &request.body);
        let (body, body_base64) = match std::str::from_utf8(&body) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(STANDARD.encode(&body))),
        };
        let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
            let value =
                if is_sensitive(name.as_str()) { MASK.into() } else { String::from_utf8_lossy(value.as_bytes()) };
            (name.to_string(), value.into_owned())
        };
        RequestShown {
            method: request.method.clone(),
            target: masked_target(&request.target),
            headers: request.headers.iter().map(header).collect(),
            body,
            body_base64,
            peer: request.peer,
            received: request.received,
        }
    }
}

/// A target, or a request line, whose sensitive query parameters are masked.
pub(super) fn masked_target(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    let parameter = |parameter| match str::split_once(parameter, '=') {
        Some((name, _)) if is_sensitive(name) => Cow::Owned(format!("{name}={MASK}")),
        _ => Cow::Borrowed(parameter),
    };
    format!("{path}?{}", query.split('&').map(parameter).collect::<Vec<_>>().join("&"))
}

/// Whether a header or parameter of this name may hold a signature or a credential.
fn is_sensitive(name: &str) -> bool {
    const PARTS: [&str; 9] = ["sign", "token", "secret", "auth", "cookie", "key", "hmac", "password", "credential"];
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part)) || matches!(name.as_str(), "sig" | "x-sig" | "code")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_credentials_are_masked() {
        for name in ["Authorization", "X-Hub-Signature-256", "sign", "api_key", "X-Api-Key", "Set-Cookie", "SIG"] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["content-type", "webhook-id", "user-agent", "x-timestamp"] {
            assert!(!is_sensitive(name), "{name}");
        }
    }

    #[test]
    fn the_query_keeps_what_may_be_seen() {
        assert_eq!(masked_target("/a?b=1&signature=x&token&c=2"), "/a?b=1&signature=***&token&c=2");
        assert_eq!(masked_target("POST /a"), "POST /a");
    }
}
