//! Recorded exchanges in the kit: what was sent and answered once holds, and what no provider should answer is no success.

use super::kit::{case, check, told};
use crate::cli::program::Folder;

const ACME: &str = r#"[provider]
id = "acme"
version = "1.0.0"

[secrets.main]
about = "the API key"

[settings.base_url]
about = "where it is"

[[sign]]
alg = "hmac-sha256"
message = "${body}"
to = "header:x-signature"

[[operations]]
id = "pay"

[operations.request]
method = "POST"
url = "${config:base_url}/pay"
json = '{"order":${input:/order}}'

[operations.answer]
success = { equals = ["json:/ok", "true"] }
output = "/payment"
message = "json:/why"
"#;

const SOURCE: &str = "secrets.main = { value = \"s3cret\" }\nsettings.base_url = \"https://acme.example\"\n";

const PAID: &str = r#"operation = "pay"
input = '{"order":"o-1"}'
output = '{"id":"p_1"}'

request = '''
POST https://acme.example/pay
content-type: application/json
x-signature: SIGNATURE

{"order":"o-1"}
'''

answer = '''
200

{"ok":true,"payment":{"id":"p_1"}}
'''
"#;

/// HMAC-SHA256 of the body.
fn signature() -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").expect("a key").chain_update(r#"{"order":"o-1"}"#);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The case of the kit on this description: how it ended, and why.
fn exchanges(description: &str) -> (String, String) {
    let folder = Folder::new();
    folder.write("acme/provider.toml", description);
    folder.write("acme/fixtures/source.toml", SOURCE);
    folder.write("acme/fixtures/calls/paid.toml", &PAID.replace("SIGNATURE", &signature()));
    let (_, report) = check(&folder, &["acme"]);
    let result = case(&report, "operations/exchanges")["result"].as_str().expect("a word").to_owned();
    (result, told(&report, "operations/exchanges"))
}

#[test]
fn a_declared_call_is_made_and_understood_as_it_was_recorded() {
    assert_eq!(exchanges(ACME), ("passed".to_owned(), "[]".to_owned()));
    let second =
        "[[operations]]\nid = \"refund\"\n[operations.request]\nmethod = \"POST\"\nurl = \"${config:base_url}/r\"\n";
    let (result, told) = exchanges(&format!("{ACME}\n{second}"));
    assert!(result == "passed" && told.contains("no recorded answer of refund"), "{told}");
}

#[test]
fn each_planted_weakness_of_a_declared_call_is_found() {
    for (right, wrong, words) in [
        ("equals = [\"json:/ok\", \"true\"]", "absent = [\"json:/why\"]", "status 429 passes for success"),
        ("output = \"/payment\"", "output = \"/payment/id\"", "the recorded answer gives"),
        ("/pay\"", "/payments\"", "another request than the recorded one"),
        ("message = \"${body}\"", "message = \"${body}.\"", "another request than the recorded one"),
    ] {
        let (result, told) = exchanges(&ACME.replacen(right, wrong, 1));
        assert!(result == "failed" && told.contains(words), "{wrong}: {result}: {told}");
    }
}
