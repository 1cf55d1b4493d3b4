//! A provider without code for tests of the gateway itself: JSON signed with HMAC-SHA256 over the body, and an answer of its
//! own for every outcome.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The source's path.
pub(crate) const PATH: &str = "/tally";
/// The source's key.
pub(crate) const SECRET: &str = "one counts and one pays";

const DESCRIPTION: &str = r#"
[provider]
id = "tally"
name = "Tally"
version = "1.0.0"
content = "json"

[route]
methods = ["POST", "PUT"]
path = "/tally"

[[headers]]
name = "content-type"
media_type = "application/json"

[[headers]]
name = "x-label"
required = false

[secrets.main]
about = "the account's key"

[[verify]]
from = "header:x-signature"
alg = "hmac-sha256"
encoding = "hex"
message = "${body}"

[event]
type = "json:/type"
id = "json:/id"
subject = "json:/account"

[ack.accepted]
status = 202
headers = { x-got = "${json:/id}" }
json = '{"got":"${json:/id}"}'

[ack.duplicate]
status = 200
json = '{"known":"${json:/id}"}'

[ack.rejected]
status = 403
text = "no"

[ack.malformed]
status = 422
text = "what?"

[ack.unavailable]
xml = "<later/>"
"#;

/// Writes the description where a plugin folder is searched for it.
pub(crate) fn install(plugins: &Path) {
    std::fs::create_dir_all(plugins.join("tally")).expect("a folder");
    std::fs::write(plugins.join("tally/provider.toml"), DESCRIPTION).expect("a description");
}

/// An event's body.
pub(crate) fn body(id: &str) -> Vec<u8> {
    format!(r#"{{"id":"{id}","type":"counted","amount":10.00}}"#).into_bytes()
}

/// What its sender writes beside it.
pub(crate) fn signature(body: &[u8]) -> String {
    signature_by(SECRET, body)
}

/// The same by another key.
pub(crate) fn signature_by(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key does");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A head that is signed and typed as it should be, without what says how long the body is.
pub(crate) fn head(signature: &str) -> String {
    format!("POST {PATH} HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\nx-signature: {signature}\r\n")
}

/// A whole request that is accepted the first time; `headers` are lines with their ends.
pub(crate) fn request_with(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = head(&signature(body));
    [format!("{head}{headers}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// A whole request that ends its connection, signed by a key.
pub(crate) fn request_by(key: &str, id: &str) -> Vec<u8> {
    let body = body(id);
    let head = head(&signature_by(key, &body));
    [format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
}

/// A whole request that is accepted the first time.
pub(crate) fn request(id: &str) -> Vec<u8> {
    request_with("", &body(id))
}
