//! `[[open]]` and `[[operations]]`: what the host does beside receiving.

use serde::Deserialize;

use super::many::Many;

/// One of `[[open]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Open {
    /// A JSON pointer into `data`, or several.
    pub field: Many<String>,
    /// `rsa-pkcs1-v1_5`.
    pub alg: String,
    /// Bytes of a ciphertext block.
    pub block: usize,
    /// The name of a private key under `[secrets]`.
    pub key: String,
}

/// One of `[[operations]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// As `hookport call` and `[[polls]]` name it.
    pub id: String,
    /// What it does.
    #[serde(default)]
    pub about: String,
    /// JSON Schema of the input, as JSON text.
    pub input: Option<String>,
    /// JSON Schema of the output, as JSON text.
    pub output: Option<String>,
    /// Seconds for one call, unless the plan says otherwise.
    #[serde(default = "ten")]
    pub timeout_s: u64,
    /// Tries of one request; unless said 3, and 1 for a method that may do something twice (POST, PATCH).
    pub attempts: Option<u32>,
    /// Where the items of the output are, for polls: a JSON pointer.
    pub items: Option<String>,
    /// The event that a poll makes of a changed item.
    pub changed_event: Option<String>,
}

fn ten() -> u64 {
    10
}
