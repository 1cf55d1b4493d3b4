//! `[timestamp]`, `[replay]` and `[event]`: when a request was made, and what it tells.

use serde::Deserialize;

use super::many::Many;

/// `[timestamp]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Time {
    /// A source.
    pub from: String,
    /// `unix_s`, `unix_ms`, `rfc3339`, `http_date` or a strptime pattern.
    #[serde(default)]
    pub format: Many<String>,
    /// Seconds that it may be off; 0 is not enforced.
    #[serde(default = "one_day")]
    pub tolerance_s: u64,
}

/// As if `[event]` were written and empty.
impl Default for EventRule {
    fn default() -> Self {
        Self {
            kind: Many::default(),
            id: Many::default(),
            subject: Many::default(),
            time: Many::default(),
            format: Many::default(),
            batch: None,
            covers: None,
            hash_hold_s: one_day(),
        }
    }
}

fn one_day() -> u64 {
    86_400
}

/// `[replay]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Replay {
    /// A source, remembered as long as the timestamp may be off.
    pub nonce: String,
}

/// `[event]`: each a source, a template, or a list of which the first present counts.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct EventRule {
    /// The provider's name of the event.
    #[serde(default, rename = "type")]
    pub kind: Many<String>,
    /// The dedup key.
    #[serde(default)]
    pub id: Many<String>,
    /// What it is about.
    #[serde(default)]
    pub subject: Many<String>,
    /// When it happened.
    #[serde(default)]
    pub time: Many<String>,
    /// How `time` is written.
    #[serde(default)]
    pub format: Many<String>,
    /// A JSON pointer with `*` into the document: every value there is an event of its own, and `json:`, `xml:`, `form:`
    /// and `body` of this table then read that value.
    pub batch: Option<String>,
    /// What the signature binds; `body` unless said.
    pub covers: Option<String>,
    /// Seconds that the hash of a body without id is remembered.
    #[serde(default = "one_day")]
    pub hash_hold_s: u64,
}
