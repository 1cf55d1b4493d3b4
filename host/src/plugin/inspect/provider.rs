//! What a description says, in words: what an operator needs to know before a source is configured.

use std::collections::BTreeMap;
use std::fmt;

use hookport_plugin_api::description::{
    Content, Decrypt, Description, Evidence, Handshake, HeaderRule, Operation, Payload, SecretKind, SecretSlot,
    Setting, Verify, When,
};
use serde::Serialize;

use super::{contract, entries, line, lines};

/// What a description says.
#[derive(Debug, Clone, Serialize)]
pub struct ProviderPart {
    /// The provider's id.
    pub id: String,
    /// As people write it.
    pub name: String,
    /// The description's own version.
    pub version: String,
    /// The vendor's documentation.
    pub docs: Option<String>,
    /// What stands behind the description.
    pub evidence: Option<Evidence>,
    /// When the sender comes again.
    pub retries: Option<String>,
    /// Methods and default path.
    pub route: Option<String>,
    /// What the event's document is.
    pub content: Content,
    /// The signature algorithms.
    pub verify: Vec<String>,
    /// The same with everything that a request must fit, one text a table.
    pub schemes: Vec<String>,
    /// How far a signed time may be off, in seconds; none where none is signed.
    pub tolerance_s: Option<u64>,
    /// Where signatures stand.
    pub signature: Vec<String>,
    /// What a signature binds.
    pub covers: String,
    /// What a sender asks to know that the address is ours.
    pub handshakes: Vec<HandshakePart>,
    /// Where the document is, when it is not the body.
    pub payload: Option<String>,
    /// How the document is encrypted.
    pub decrypt: Option<String>,
    /// What must verify one by one.
    pub each: Option<String>,
    /// Where the events of a request are.
    pub batch: Option<String>,
    /// Headers, and what they must be.
    pub headers: BTreeMap<String, String>,
    /// Secrets by name, and what they are.
    pub secrets: BTreeMap<String, String>,
    /// Settings by name, and what they change.
    pub settings: BTreeMap<String, String>,
    /// Where an event's type comes from.
    pub event_type: Vec<String>,
    /// What the provider is answered, by outcome; what is not written is answered with the outcome's status alone.
    pub acks: BTreeMap<String, String>,
    /// What no log, rejection or screen shows.
    pub redact: Vec<String>,
    /// Fields that are decrypted at delivery.
    pub open: Vec<String>,
    /// Calls that the gateway makes.
    pub operations: BTreeMap<String, String>,
}

/// One handshake.
#[derive(Debug, Clone, Serialize)]
pub struct HandshakePart {
    /// Its method, or those of the route.
    pub methods: Vec<String>,
    /// By what it is known.
    pub when: String,
    /// Whether the request must be signed.
    pub signed: bool,
    /// The secrets that the sender tells.
    pub captures: Vec<String>,
}

impl ProviderPart {
    pub(super) fn of(description: Description) -> Self {
        let methods = description.route.as_ref().map(|route| route.methods.clone()).unwrap_or_default();
        Self {
            id: description.provider.id,
            name: description.provider.name,
            version: description.provider.version,
            docs: description.provider.docs,
            evidence: description.provider.evidence,
            retries: description.provider.retries,
            route: description.route.map(|route| format!("{} {}", route.methods.join("|"), route.path)),
            content: description.provider.content,
            schemes: contract::schemes(&description.verify),
            tolerance_s: description.timestamp.as_ref().map(|time| time.tolerance_s),
            signature: signature(&description.verify),
            acks: contract::acks(&description.ack),
            open: description.open.iter().flat_map(|open| open.field.iter().cloned()).collect(),
            redact: description.redact,
            covers: covers(&description.verify, description.event.covers),
            verify: description.verify.0.into_iter().map(|verify| verify.alg).collect(),
            handshakes: description.handshake.iter().map(|written| HandshakePart::of(written, &methods)).collect(),
            payload: description.payload.as_ref().map(payload),
            decrypt: description.decrypt.as_ref().map(decrypt),
            each: description.each,
            batch: description.event.batch,
            headers: description.headers.into_iter().map(|rule| (rule.name.clone(), header(&rule))).collect(),
            secrets: description.secrets.into_iter().map(|(name, slot)| (name, secret(&slot))).collect(),
            settings: description.settings.into_iter().map(|(name, about)| (name, setting(&about))).collect(),
            event_type: description.event.kind.0,
            operations: description.operations.into_iter().map(|Operation { id, about, .. }| (id, about)).collect(),
        }
    }

    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "provider", &format!("{} {} {}", self.id, self.version, self.name))?;
        lines(f, "docs", &self.docs)?;
        lines(f, "evidence", self.evidence.map(in_words))?;
        lines(f, "retries", &self.retries)?;
        line(f, "route", self.route.as_deref().unwrap_or("none: it is only called"))?;
        lines(f, "scheme", &self.schemes)?;
        if !self.verify.is_empty() {
            line(f, "covers", &self.covers)?;
        }
        lines(f, "signed time", self.tolerance_s.map(|seconds| format!("may be off by {seconds} s")))?;
        self.handshakes.iter().try_for_each(|handshake| line(f, "handshake", &handshake.to_string()))?;
        lines(f, "payload", &self.payload)?;
        lines(f, "decrypt", &self.decrypt)?;
        lines(f, "each", &self.each)?;
        lines(f, "batch", &self.batch)?;
        entries(f, "header", &self.headers)?;
        entries(f, "secret", &self.secrets)?;
        entries(f, "setting", &self.settings)?;
        lines(f, "event type", &self.event_type)?;
        entries(f, "ack", &self.acks)?;
        lines(f, "redacted", &self.redact)?;
        lines(f, "decrypted", &self.open)?;
        entries(f, "operation", &self.operations)
    }
}

fn in_words(evidence: Evidence) -> String {
    let about = match evidence {
        Evidence::Vector => "a published worked example verifies",
        Evidence::VendorDoc => "the vendor's own documentation or SDK was read",
        Evidence::ThirdParty => "seen in somebody else's implementation",
        Evidence::Unverified => "check it before you rely on it",
    };
    format!("{}: {about}", evidence.word())
}

/// Every place once, in the order of the tables.
fn signature(tables: &[Verify]) -> Vec<String> {
    let mut places: Vec<String> = Vec::new();
    for place in tables.iter().flat_map(|table| table.from.iter()) {
        if !places.contains(place) {
            places.push(place.clone());
        }
    }
    places
}

/// A sender that proves nothing binds nothing, whatever is written.
fn covers(tables: &[Verify], written: Option<String>) -> String {
    match tables.iter().any(|table| table.alg == "none") {
        true => "none".into(),
        false => written.unwrap_or_else(|| "body".into()),
    }
}

impl HandshakePart {
    fn of(written: &Handshake, methods: &[String]) -> Self {
        Self {
            methods: written.when.method.clone().map_or_else(|| methods.to_vec(), |method| vec![method]),
            when: condition(&written.when),
            signed: written.signed,
            captures: written.capture.keys().cloned().collect(),
        }
    }
}

impl fmt::Display for HandshakePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.methods.join("|"))?;
        if !self.when.is_empty() {
            write!(f, " with {}", self.when)?;
        }
        f.write_str(if self.signed { ", signed" } else { "" })?;
        if self.captures.is_empty() { Ok(()) } else { write!(f, ", tells {}", self.captures.join(", ")) }
    }
}

/// All but the method.
fn condition(when: &When) -> String {
    let equals = when.equals.0.iter().map(|equal| format!("{} = {}", equal.source, equal.texts.join(" or ")));
    let absent = when.absent.iter().map(|source| format!("no {source}"));
    equals.chain(when.present.iter().cloned()).chain(absent).collect::<Vec<_>>().join(", ")
}

fn payload(payload: &Payload) -> String {
    match &payload.when {
        Some(when) => format!("{} where {}", payload.from, condition(when)),
        None => payload.from.clone(),
    }
}

fn decrypt(decrypt: &Decrypt) -> String {
    format!("{}{}", decrypt.profile, if decrypt.optional { ", where it is encrypted" } else { "" })
}

fn header(rule: &HeaderRule) -> String {
    let mut parts = vec![if rule.required { "required".to_owned() } else { "optional".to_owned() }];
    parts.extend(rule.media_type.as_ref().map(|media_type| format!("media type {media_type}")));
    parts.extend(rule.pattern.as_ref().map(|pattern| format!("matches {pattern}")));
    parts.extend(rule.one_of.as_ref().map(|values| format!("one of {}", values.join(", "))));
    parts.extend(rule.max_len.map(|length| format!("at most {length} characters")));
    parts.join(", ")
}

fn secret(slot: &SecretSlot) -> String {
    let kind = match slot.kind {
        SecretKind::Text => "text",
        SecretKind::PublicKey => "public key",
        SecretKind::PrivateKey => "private key",
    };
    format!("{kind}, {}: {}", if slot.required { "required" } else { "optional" }, slot.about)
}

fn setting(setting: &Setting) -> String {
    let default = setting.default.as_ref().map_or("required".to_owned(), |value| format!("default {value}"));
    let choices =
        if setting.choices.is_empty() { String::new() } else { format!(", one of {}", setting.choices.join(", ")) };
    format!("{default}{choices}: {}", setting.about)
}
