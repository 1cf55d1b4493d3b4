//! What `hookport verify` shows of its judgement, to people and to programs; secrets and what is redacted stay hidden.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde::Serialize;

use super::super::{Failure, output};
use super::judged::Judged;
use crate::event::Event;
use crate::gateway::Plugin;
use crate::provider::prove::Try;
use crate::provider::source::Source;
use crate::reason::Reason;
use crate::request::Incoming;

/// The text of the comparison that matched, else of the first.
fn shown(judged: &Judged) -> Option<&Try> {
    judged.tries.iter().find(|attempt| attempt.matched).or(judged.tries.first())
}

/// The result for programs; written straight, so that numbers and the order of keys stay as they are.
#[derive(Serialize)]
pub(super) struct Output {
    accepted: bool,
    reason: Option<Reason>,
    verified_by: Option<usize>,
    signed_text_base64: Option<String>,
    events: Vec<Event>,
    /// Only of a handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    handshake: Option<HandshakeOutput>,
    ack: AckOutput,
    /// Why the signature does not match, where it does not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnosis: Vec<String>,
}

#[derive(Serialize)]
struct HandshakeOutput {
    /// The names of the secrets that the sender told.
    captured: Vec<String>,
}

#[derive(Serialize)]
struct AckOutput {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Output {
    pub(super) fn of(source: &Source, request: &Incoming, judged: &Judged, diagnosis: Vec<String>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ack = &judged.ack;
        let signed = shown(judged).filter(|attempt| presentable(source, request, attempt));
        Self {
            accepted: judged.reason.is_none(),
            reason: judged.reason.as_ref().map(|rejection| rejection.reason),
            verified_by: judged.verified_by,
            signed_text_base64: signed.map(|attempt| STANDARD.encode(&attempt.message)),
            events: judged.events.iter().map(|event| event.redacted(|data| source.redact(data))).collect(),
            handshake: judged.handshake.clone().map(|captured| HandshakeOutput { captured }),
            ack: AckOutput {
                status: ack.status,
                headers: ack.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
                body: text(&ack.body),
            },
            diagnosis,
        }
    }
}

/// Whether a comparison may be shown: not a token, which signs nothing and is the secret, and not a text that holds a body
/// of which the provider's description hides parts.
fn presentable(source: &Source, request: &Incoming, attempt: &Try) -> bool {
    let hidden = source.redact(&request.body) != request.body;
    let table = &source.provider.description.verify[attempt.table];
    table.alg != "static" && !(hidden && holds(&attempt.message, &request.body))
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}

/// The steps for people.
pub(super) fn show(source: &Source, plugin: &Plugin, request: &Incoming, judged: &Judged) -> Result<(), Failure> {
    field("provider", &format!("{} {} ({})", source.provider.id, source.provider.version, plugin.file.display()))?;
    if let Some(reason) = source.provider.unsigned() {
        field("unsigned", reason)?;
    }
    if let Some(attempt) = shown(judged) {
        let table = &source.provider.description.verify[attempt.table];
        field("scheme", &format!("verify.{} {}", attempt.table, table.alg))?;
        if presentable(source, request, attempt) {
            field("signed text", &String::from_utf8_lossy(&source.without_secrets(&attempt.message)))?;
            field("expected", &attempt.expected.as_ref().map_or("needs the private key".into(), hex::encode))?;
            field("received", &hex::encode(&attempt.received))?;
        } else {
            field("signed text", "not shown: it is a token, or holds what the provider's description hides")?;
        }
        field("signature", if attempt.matched { "matches" } else { "does not match" })?;
    }
    if judged.tries.len() > 1 {
        field("tried", &format!("{} combinations of secrets, URLs and texts; the first is shown", judged.tries.len()))?;
    }
    match judged.handshake.as_deref() {
        None => {}
        Some([]) => field("handshake", "answered; no event comes of it")?,
        Some(told) => {
            field("handshake", &format!("answered; the sender tells {}, kept until it is confirmed", told.join(", ")))?;
        }
    }
    for event in &judged.events {
        let redacted = event.redacted(|data| source.redact(data));
        field("event", &serde_json::to_string(&redacted).unwrap_or_default())?;
        for warning in &event.warnings {
            field("warning", warning)?;
        }
    }
    if judged.reason.as_ref().is_some_and(|rejection| rejection.reason == Reason::Unavailable) {
        for key in source.wants(request) {
            field("needs", &format!("{}: give what is there with --fetched URL=FILE", key.url))?;
        }
    }
    match &judged.reason {
        None => field("verdict", "accepted")?,
        Some(rejection) => field("verdict", &format!("refused: {}: {}", rejection.reason, rejection.detail))?,
    }
    field("ack", &format!("{} {}", judged.ack.status, String::from_utf8_lossy(&judged.ack.body)))
}

/// Why the signature does not match, for people.
pub(super) fn show_diagnosis(diagnosis: &[String]) -> Result<(), Failure> {
    diagnosis.iter().try_for_each(|finding| field("diagnosis", finding))
}

fn field(name: &str, text: &str) -> Result<(), Failure> {
    output::line(format!("{name:<12} {}", output::plain(text)))
}

impl Source {
    /// A signed text for people: every secret in it is a name.
    fn without_secrets(&self, text: &[u8]) -> Vec<u8> {
        let mut shown = String::from_utf8_lossy(text).into_owned();
        for (name, secret) in self.secrets() {
            shown = shown.replace(secret.expose_secret(), &format!("<secret:{name}>"));
        }
        shown.into_bytes()
    }
}
