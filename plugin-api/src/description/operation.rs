//! `[[open]]` and `[[operations]]`: what the host does beside receiving.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::many::Many;
use super::proof::When;
use super::signing::{Nonce, Now, Signing};

/// One of `[[open]]`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
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
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
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
    /// Its request, where no code builds it.
    pub request: Option<RequestRule>,
    /// How its requests are signed; unless said as the description's own `sign`. An empty list: not at all.
    pub sign: Option<Signing>,
    /// What its answer means, where no code says it.
    pub answer: Option<AnswerRule>,
}

fn ten() -> u64 {
    10
}

/// `[operations.request]`: templates over `${input:/pointer}` (`${input}` is the whole of it), settings and secrets, and
/// `${now}` and `${nonce}` where they are declared. A setting that is empty is missing.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct RequestRule {
    /// Upper case.
    pub method: String,
    /// A template of the URL; what the input puts into it ends with the filter `urlencode`.
    pub url: String,
    /// Parameters: templates by name, percent-encoded by the host, sorted by name. One whose input is missing is left out.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Templates by name. One whose input is missing, or that comes out empty, is left out.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A template of the body, sent as `application/json`. `${input:/x}` is the whole value with its number texts as given;
    /// any other text ends with the filter `json`, which writes the quotes.
    pub json: Option<String>,
    /// A form: templates by name, percent-encoded by the host, sorted by name. One whose input is missing is left out.
    pub form: Option<BTreeMap<String, String>>,
    /// A template of the body, sent as `text/plain` unless `headers` says otherwise.
    pub text: Option<String>,
    /// What `${now}` is.
    pub now: Option<Now>,
    /// What `${nonce}` is.
    pub nonce: Option<Nonce>,
}

/// `[operations.answer]`. Sources are those of a request, read from the answer, and `status`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct AnswerRule {
    /// When the call succeeded; unless said with a status of 2xx.
    pub success: Option<When>,
    /// A JSON pointer to the output; the whole answer unless said.
    pub output: Option<String>,
    /// The provider's words when it failed: a source or a template, or several, the first that is there.
    #[serde(default)]
    pub message: Many<String>,
    /// When the provider wants to be asked again.
    pub retry: Option<Retry>,
}

/// `retry = { when, after_s }`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
pub struct Retry {
    /// When.
    pub when: When,
    /// Seconds until then, where the answer has no `Retry-After`.
    #[serde(default = "one")]
    pub after_s: u32,
}

fn one() -> u32 {
    1
}
