//! `[[handshake]]`: what a sender asks to know that the address is ours.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::many::Many;
use super::proof::{Assert, Key, When};

/// One of `[[handshake]]`; the first whose `when` holds answers, and no event is kept.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Handshake {
    /// Which requests it answers; never every one.
    pub when: When,
    /// Equalities that must hold; else the request is refused.
    #[serde(default)]
    pub require: Many<Assert>,
    /// `${let:mac}` of the answer.
    pub mac: Option<Mac>,
    /// What every text of the request that is answered or goes into `mac` must match, whole;
    /// `^[A-Za-z0-9_-]{1,128}$` unless said.
    pub token_pattern: Option<String>,
    /// Secrets that the sender tells, by their name under `[secrets]`: a source each. Kept until an operator confirms.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// Whether the request must be signed as an event is.
    #[serde(default)]
    pub signed: bool,
    /// The answer.
    #[serde(default)]
    pub respond: Respond,
}

/// `mac = { alg, key, message }`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Mac {
    /// A keyed or plain digest of the host's registry of algorithms.
    pub alg: String,
    /// The key, `${secret:main}` as text unless said.
    pub key: Option<Key>,
    /// A template.
    pub message: String,
}

/// `respond = { status, content_type, headers, body }`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Respond {
    /// 200 unless said.
    pub status: Option<u16>,
    /// Of the body.
    pub content_type: Option<String>,
    /// Templates, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A template; empty unless said.
    #[serde(default)]
    pub body: String,
}
