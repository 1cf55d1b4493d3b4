//! `[ack.<outcome>]`: what the provider is answered.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::proof::{Key, When};

/// `[ack.<outcome>]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Acks {
    /// Stored.
    pub accepted: Option<Ack>,
    /// Stored before; as `accepted` unless said.
    pub duplicate: Option<Ack>,
    /// Not proven.
    pub rejected: Option<Ack>,
    /// Not parseable.
    pub malformed: Option<Ack>,
    /// Not now.
    pub unavailable: Option<Ack>,
}

/// One answer.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Ack {
    /// The outcome's own status unless said.
    pub status: Option<u16>,
    /// Templates, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A template, sent as `application/json`.
    pub json: Option<String>,
    /// A template, sent as `text/plain`.
    pub text: Option<String>,
    /// A template, sent as `application/xml`.
    pub xml: Option<String>,
    /// No body, which is also the default.
    #[serde(default)]
    pub empty: bool,
    /// Headers that sign the answer; the first that applies.
    #[serde(default)]
    pub sign: Vec<AckSign>,
    /// `wx-msgcrypt`: the body goes out encrypted and signed, with the key and receiver of `[decrypt]`.
    pub profile: Option<String>,
    /// The token that `profile` signs with, a template; `${secret:token}` unless said.
    pub token: Option<String>,
}

/// One of `[[ack.<outcome>.sign]]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct AckSign {
    /// Applies only where this holds.
    pub when: Option<When>,
    /// How `${now}` is written: a strftime pattern.
    pub now: String,
    /// Named in the host's registry of algorithms.
    pub alg: String,
    /// The key, `${secret:main}` as text unless said.
    pub key: Option<Key>,
    /// The signed text; `${now}` and `${ack}` are the answer's time and body.
    pub message: String,
    /// Templates, by name; `${mac}` is the signature's bytes.
    pub headers: BTreeMap<String, String>,
}
