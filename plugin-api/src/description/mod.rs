//! The provider description: what a provider is, as data. One grammar for plugins and for code-free providers.
//!
//! These types say what may be written; whether it makes sense is the host's to check, and the host alone executes it.

mod ack;
mod event;
mod handshake;
mod keys;
mod lets;
mod many;
mod operation;
mod payload;
mod proof;
#[cfg(any(test, feature = "schema"))]
pub mod schema;
mod signing;
mod slots;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::ack::{Ack, AckSign, Acks};
pub use self::event::{EventRule, Replay, Time};
pub use self::handshake::{Handshake, Mac, Respond};
pub use self::keys::KEYS;
pub use self::lets::{Code, Collect, CollectFrom, Conditional, Encode, Let, ListedHeaders, Order, Sort};
pub use self::many::Many;
pub use self::operation::{AnswerRule, Open, Operation, RequestRule, Retry};
pub use self::payload::{Decrypt, Payload};
pub use self::proof::{Assert, Equal, Equals, Fetch, Key, Parse, Verify, When};
pub use self::signing::{Nonce, Now, Set, Sign, Signing};
pub use self::slots::{SecretKind, SecretSlot, Setting, SettingKind, SettingValue};

/// A whole `provider.toml`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Description {
    /// Who it is.
    pub provider: Identity,
    /// Where it calls; absent for a provider that is only called.
    pub route: Option<Route>,
    /// What its headers must look like.
    #[serde(default)]
    pub headers: Vec<HeaderRule>,
    /// The keys it needs, by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretSlot>,
    /// What an operator may choose, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// Named byte strings for templates.
    #[serde(default, rename = "let")]
    pub lets: BTreeMap<String, Let>,
    /// A JSON pointer with `*`: every value there must prove itself; `json:` sources of `verify`, `let`, `assert` and
    /// `timestamp` are then relative to it, and each is an event of its own.
    pub each: Option<String>,
    /// How a request proves itself: alternatives, the first match accepts.
    #[serde(default)]
    pub verify: Many<Verify>,
    /// Equalities that must hold besides the signature.
    #[serde(default)]
    pub assert: Vec<Assert>,
    /// Where the signed time is.
    pub timestamp: Option<Time>,
    /// Which nonce may come only once.
    pub replay: Option<Replay>,
    /// What a sender asks to know that the address is ours.
    #[serde(default)]
    pub handshake: Vec<Handshake>,
    /// Where the document stands when it is not the body.
    pub payload: Option<Payload>,
    /// How the document is encrypted.
    pub decrypt: Option<Decrypt>,
    /// What an event is called, and by which key a repeat is known.
    #[serde(default)]
    pub event: EventRule,
    /// Answers, by outcome.
    #[serde(default)]
    pub ack: Acks,
    /// Encrypted fields, decrypted when an event is delivered.
    #[serde(default)]
    pub open: Vec<Open>,
    /// JSON pointers into `data` that no log, rejection or screen may show.
    #[serde(default)]
    pub redact: Vec<String>,
    /// Calls that the gateway makes to the provider.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// How their requests are signed, where an operation does not say it itself.
    pub sign: Option<Signing>,
    /// Keys of a newer grammar that a host may not ignore.
    #[serde(default)]
    pub must_understand: Vec<String>,
}

impl Description {
    /// Whether a sender may tell this secret: then a source may be configured without it.
    pub fn captures(&self, secret: &str) -> bool {
        self.handshake.iter().any(|handshake| handshake.capture.contains_key(secret))
    }

    /// The texts that the plugin's code writes.
    pub fn code_texts(&self) -> impl Iterator<Item = &str> {
        self.lets.iter().filter(|(_, written)| matches!(written, Let::Code(_))).map(|(name, _)| name.as_str())
    }
}

/// `[provider]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Identity {
    /// Lower-case letters, digits and `-`; also the prefix of every event type.
    pub id: String,
    /// As people write it.
    #[serde(default)]
    pub name: String,
    /// The description's own version.
    #[serde(default)]
    pub version: String,
    /// The vendor's documentation.
    pub docs: Option<String>,
    /// What the event's document is: the body, or what `[payload]` and `[decrypt]` make of it.
    #[serde(default)]
    pub content: Content,
    /// What stands behind the description.
    pub evidence: Option<Evidence>,
    /// When the sender comes again, and how long it waits for an answer: words for people.
    pub retries: Option<String>,
}

/// What stands behind a description, the strongest that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// A published worked example verifies.
    Vector,
    /// The vendor's own documentation or SDK was read.
    VendorDoc,
    /// Seen in somebody else's implementation.
    ThirdParty,
    /// General knowledge: check before relying on it.
    Unverified,
}

impl Evidence {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vector => "vector",
            Self::VendorDoc => "vendor-doc",
            Self::ThirdParty => "third-party",
            Self::Unverified => "unverified",
        }
    }
}

/// What a body is, and so what "does not parse" means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// A JSON document.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// An XML document, without a document type.
    Xml,
    /// Anything.
    #[default]
    Raw,
}

/// `[route]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Route {
    /// Upper case.
    #[serde(default = "post")]
    pub methods: Vec<String>,
    /// The default path of a source.
    pub path: String,
}

fn post() -> Vec<String> {
    vec!["POST".into()]
}

/// One of `[[headers]]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct HeaderRule {
    /// Case does not matter.
    pub name: String,
    /// Whether a request without it is refused.
    #[serde(default = "yes")]
    pub required: bool,
    /// A regular expression that must match the whole value.
    pub pattern: Option<String>,
    /// Characters at most.
    pub max_len: Option<usize>,
    /// The only values, compared without case.
    pub one_of: Option<Vec<String>>,
    /// A media type; parameters and case are ignored.
    pub media_type: Option<String>,
}

fn yes() -> bool {
    true
}
