//! What was signed properly and then damaged is explained; what was never signed is not.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::provider::compile::Provider;
use crate::provider::parse::{Grammar, Places, parse};
use crate::provider::sign::{PrivateKeys, sign};
use crate::provider::source::SourceParts;
use crate::provider::view::PublicUrl;

/// A time, the URL and the body under one signature.
const TABLE: &str = r#"
[provider]
id = "acme"
content = "raw"
[route]
path = "/in"
[secrets.main]
about = "the secret"
[[verify]]
from = "header:acme-signature"
encoding = "hex"
alg = "hmac-sha256"
key = { form = "utf8" }
message = "${header:acme-time}.${url}.${body}"
"#;
const SECRET: &str = "c2VjcmV0c2VjcmV0c2VjcmV0";
const URL: &str = "https://hooks.example.com";
const BODY: &str = "{\"name\":\"Zoë\",\"path\":\"a/b\",\"list\":[1,2.50]}";

fn source(changes: &[(&str, &str)], secret: &str, url: &str) -> Source {
    let text = changes.iter().fold(TABLE.to_owned(), |text, (old, new)| text.replace(old, new));
    let description = parse(&text, "test", Grammar::Strict).unwrap();
    let provider = Provider::compile(description, &Places::new(&text, "test")).map_err(|wrong| format!("{wrong:?}"));
    let parts = SourceParts {
        secrets: [("main".to_owned(), vec![secret.into()])].into(),
        public_urls: vec![PublicUrl::parse(url).unwrap()],
        ..SourceParts::default()
    };
    Source::build("test", Arc::new(provider.unwrap()), parts).unwrap()
}

fn told() -> Source {
    source(&[], SECRET, URL)
}

fn sample(target: &str, time: &'static str, body: impl Into<Bytes>) -> Incoming {
    let mut request =
        Incoming { method: "POST".into(), target: target.into(), body: body.into(), ..Incoming::nothing() };
    request.headers.insert("acme-time", HeaderValue::from_static(time));
    request
}

fn signed(by: &Source, target: &str, time: &'static str, body: impl Into<Bytes>) -> Incoming {
    // The target of the sample is the one that is signed.
    let by = Source { path: None, ..varied::given(by, |_| ()).unwrap() };
    sign(&by, &sample(target, time, body), &PrivateKeys::new(), Timestamp::UNIX_EPOCH).unwrap().request
}

/// The only finding says this, and no secret and no signature.
fn explains(told: &Source, damaged: Incoming, says: &str) {
    let findings = diagnose(told, &Arc::new(damaged), Timestamp::UNIX_EPOCH);
    assert!(findings.len() == 1 && findings[0].contains(says), "{says}: {findings:?}");
    assert!(findings[0].starts_with("the signature matches "), "{findings:?}");
    let long = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    assert!(!findings[0].contains(SECRET) && !findings[0].split(' ').any(long), "{findings:?}");
}

#[test]
fn a_body_that_was_changed_on_its_way_is_named() {
    let pretty = "{\n  \"name\": \"Zoë\",\n  \"path\": \"a/b\",\n  \"list\": [\n    1,\n    2.50\n  ]\n}";
    let spaced = "{\"name\": \"Zoë\", \"path\": \"a/b\", \"list\": [1, 2.50]}";
    let python = "{\"name\": \"Zo\\u00eb\", \"path\": \"a/b\", \"list\": [1, 2.50]}";
    let php = "{\"name\":\"Zo\\u00eb\",\"path\":\"a\\/b\",\"list\":[1,2.50]}";
    let line = format!("{BODY}\n");
    let bom = format!("\u{feff}{BODY}");
    for (sent, arrived, says) in [
        (BODY, line.as_str(), "the body has no newline at its end: send the bytes as received"),
        (BODY, "{\"name\":\"Zoë\",\"path\":\"a/b\",\"list\":[1,2.50]}\r\n", "no newline at its end"),
        (&line, BODY, "the body has a newline at its end"),
        ("a\r\nb\r\n", "a\nb\n", "has CRLF at the end of its lines"),
        ("a\nb\n", "a\r\nb\r\n", "has LF at the end of its lines"),
        (&bom, BODY, "has a byte order mark in front"),
        (BODY, &bom, "has no byte order mark"),
        (BODY, pretty, "is JSON without white space"),
        (BODY, python, "is JSON without white space, and has nothing escaped"),
        (spaced, BODY, "as Python writes it"),
        (python, BODY, "as Python writes it, and has what is not ASCII escaped as \\uXXXX"),
        (pretty, BODY, "is JSON indented by 2 spaces"),
        (php, BODY, "as PHP writes it"),
    ] {
        let mut request = signed(&told(), "/in", "1700000000", sent.to_owned());
        request.body = arrived.to_owned().into();
        explains(&told(), request, says);
    }
}

#[test]
fn a_secret_in_another_form_is_named() {
    for (changes, secret, says) in [
        (&[("utf8", "base64")][..], SECRET, "read as base64, not as utf8: say key = { form = \"base64\" } in verify.0"),
        (&[("utf8", "md5")], SECRET, "read as md5"),
        (&[("utf8", "sha1")], SECRET, "read as sha1"),
        (&[], "c2VjcmV0c2VjcmV0c2VjcmV0\n", "secrets.main ends with a newline"),
    ] {
        let truth = source(changes, secret, URL);
        explains(&told(), signed(&truth, "/in", "1700000000", BODY), says);
    }
    for (wrong, says) in [
        ("c2VjcmV0c2VjcmV0c2VjcmV0\n", "has no white space around it: give it without"),
        (" c2VjcmV0c2VjcmV0c2VjcmV0 ", "has no white space around it"),
        ("\"c2VjcmV0c2VjcmV0c2VjcmV0\"", "has no quotes around it"),
    ] {
        explains(&source(&[], wrong, URL), signed(&told(), "/in", "1700000000", BODY), says);
    }
    let (hex, whsec) = ("aabbccddeeff00112233", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0");
    for (form, secret) in [("hex", hex), ("whsec", whsec)] {
        let request = signed(&source(&[("utf8", form)], secret, URL), "/in", "1700000000", BODY);
        explains(&source(&[], secret, URL), request, &format!("read as {form}"));
    }
}

#[test]
fn a_time_in_another_unit_is_named() {
    for (sent, arrived, says) in [
        ("1700000000000", "1700000000", "header:acme-time is in milliseconds"),
        ("1700000000", "1700000000000", "header:acme-time is in seconds"),
    ] {
        let mut request = signed(&told(), "/in", sent, BODY);
        request.headers.insert("acme-time", HeaderValue::from_static(arrived));
        explains(&told(), request, says);
    }
    let changes = [
        ("[[verify]]", "[[verify]]\nparse = \"kv\"\npick = \"v1\""),
        ("${header:acme-time}", "${sig:t}"),
        ("[provider]", "[timestamp]\nfrom = \"sig:t\"\nformat = \"unix_ms\"\ntolerance_s = 300\n[provider]"),
    ];
    let told = source(&changes, SECRET, URL);
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    let mut request = sign(&told, &sample("/in", "1", BODY), &PrivateKeys::new(), now).unwrap().request;
    let header = request.headers["acme-signature"].to_str().unwrap().replace("1700000000000", "1700000000");
    request.headers.insert("acme-signature", header.parse().unwrap());
    explains(&told, request, "the time at sig:t is in milliseconds");
}

#[test]
fn another_url_is_named() {
    for (url, says) in [
        ("https://hooks.example.com:443", "the URL has its default port"),
        ("http://hooks.example.com", "the URL begins with http:"),
    ] {
        let truth = source(&[], SECRET, url);
        explains(&told(), signed(&truth, "/in", "1700000000", BODY), says);
    }
    let ported = source(&[], SECRET, "https://hooks.example.com:443");
    explains(&ported, signed(&told(), "/in", "1700000000", BODY), "the URL has no port");
    for (sent, arrived, says) in [
        ("/in", "/in?a=1", "the URL has no query"),
        ("/in/", "/in", "a slash at the end of its path"),
        ("/in", "/in/", "no slash at the end of its path"),
    ] {
        let request = Incoming { target: arrived.into(), ..signed(&told(), sent, "1700000000", BODY) };
        explains(&told(), request, says);
    }
    let (path, target) = ([("${url}", "${url.path}")], [("${url}", "${url.target}")]);
    let request = signed(&source(&target, SECRET, URL), "/in?a=1", "1700000000", BODY);
    explains(&source(&path, SECRET, URL), request, "say url.target, not url.path");
}

#[test]
fn another_algorithm_encoding_or_prefix_is_named() {
    for (changes, says) in [
        (("hmac-sha256", "hmac-sha1"), "checked with hmac-sha1, not with hmac-sha256: say alg = \"hmac-sha1\""),
        (("hmac-sha256", "hmac-sha512"), "checked with hmac-sha512"),
        (("hmac-sha256", "hmac-md5"), "checked with hmac-md5"),
        (("\"hex\"", "\"base64\""), "read as base64: say encoding = \"base64\""),
        (("\"hex\"", "\"hex\"\nprefix = \"sha256=\""), "behind \"sha256=\": say prefix"),
    ] {
        explains(&told(), signed(&source(&[changes], SECRET, URL), "/in", "1700000000", BODY), says);
    }
    let prefixed = source(&[("\"hex\"", "\"hex\"\nprefix = \"sha256=\"")], SECRET, URL);
    explains(&prefixed, signed(&told(), "/in", "1700000000", BODY), "without the prefix \"sha256=\"");
    let plain = [("hmac-sha256", "sha256"), ("key = { form = \"utf8\" }", ""), ("${body}", "${body}${secret}")];
    let md5 = [("hmac-sha256", "md5"), plain[1], plain[2]];
    let request = signed(&source(&md5, SECRET, URL), "/in", "1700000000", BODY);
    explains(&source(&plain, SECRET, URL), request, "checked with md5, not with sha256");
}

#[test]
fn what_matches_and_what_is_not_signed_need_no_diagnosis() {
    let now = Timestamp::UNIX_EPOCH;
    assert!(diagnose(&told(), &Arc::new(signed(&told(), "/in", "1700000000", BODY)), now).is_empty());
    assert!(diagnose(&told(), &Arc::new(sample("/in", "1700000000", BODY)), now).is_empty());
}

#[test]
fn what_cannot_be_explained_says_what_was_tried() {
    let mut request = sample("/in", "1700000000", BODY);
    request.headers.insert("acme-signature", HeaderValue::from_static("00112233445566778899aabbccddeeff00112233"));
    let said = diagnose(&told(), &Arc::new(request), Timestamp::UNIX_EPOCH);
    assert_eq!(said.len(), 1);
    for part in ["the secret in other forms", "other forms of the URL", "has 20 bytes, hmac-sha256 makes 32"] {
        assert!(said[0].contains(part), "{said:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_random_signature_is_never_explained(
        signature in proptest::collection::vec(any::<u8>(), 1..66),
        form in 0..3,
        body in "(\\{\"a\": ?\"[é/<a]{0,4}\"\\}\r?\n?|[ -~]{0,20})",
    ) {
        let text = match form {
            0 => hex::encode(&signature),
            1 => crate::provider::signature::Encoding::Base64.encode(&signature),
            _ => format!("sha1={}", hex::encode(&signature)),
        };
        let mut request = sample("/in?a=1", "1700000000", body);
        request.headers.insert("acme-signature", text.parse().unwrap());
        let (findings, _) = findings(&told(), &Arc::new(request), Timestamp::UNIX_EPOCH);
        prop_assert!(findings.is_empty(), "{findings:?}");
    }
}
