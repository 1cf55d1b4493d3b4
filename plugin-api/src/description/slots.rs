//! `[secrets]` and `[settings]`: what an operator gives a source.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `[secrets.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct SecretSlot {
    /// What it is and where an operator finds it.
    pub about: String,
    /// What its text is.
    #[serde(default)]
    pub kind: SecretKind,
    /// Whether a source without it is refused by `check`.
    #[serde(default = "super::yes")]
    pub required: bool,
}

/// What a secret's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// Shared text.
    #[default]
    Text,
    /// The provider's public key.
    PublicKey,
    /// Our own private key.
    PrivateKey,
}

/// `[settings.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Setting {
    /// What it changes.
    pub about: String,
    /// What it holds.
    #[serde(default, rename = "type")]
    pub kind: SettingKind,
    /// The only values.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The value when the operator names none; without it the operator must.
    pub default: Option<SettingValue>,
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SettingKind {
    /// Text.
    #[default]
    String,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
}

/// A setting's value, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum SettingValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    String(String),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
        }
    }
}
