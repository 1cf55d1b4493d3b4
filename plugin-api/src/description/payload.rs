//! `[payload]` and `[decrypt]`: where the event's document is when it is not the body.

use serde::Deserialize;

use super::proof::When;

/// `[payload]`: the document stands in a part of the request.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Payload {
    /// A source with filters: `form:payload|unbase64`.
    pub from: String,
    /// Only where this holds; else the body is the document.
    pub when: Option<When>,
}

/// `[decrypt]`: the document is encrypted; its plaintext is what the event says.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Decrypt {
    /// `aes-256-gcm`, `aes-256-cbc-ivprefix`, `aes-256-ecb` or `wx-msgcrypt`.
    pub profile: String,
    /// A template of base64 text.
    pub ciphertext: String,
    /// A template of the key's bytes; `wx-msgcrypt` takes the 43 characters that the console shows.
    #[serde(default = "secret")]
    pub key: String,
    /// A template; `aes-256-gcm` alone.
    pub nonce: Option<String>,
    /// A template; `aes-256-gcm` alone.
    pub aad: Option<String>,
    /// A template: whom the plaintext must be meant for; `wx-msgcrypt` alone, and required there.
    pub receiver: Option<String>,
    /// Whether a request without ciphertext may come: then the body is the document.
    #[serde(default)]
    pub optional: bool,
}

fn secret() -> String {
    "${secret}".into()
}
