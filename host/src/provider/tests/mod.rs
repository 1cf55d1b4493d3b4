//! Whole descriptions against whole requests: what the engine's rules come to when they meet.

mod carried;
mod encrypted;
mod hostile;
mod keys;
mod remote;
mod several;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::compile::Provider;
use super::parse::{Grammar, Places, parse};
use super::remote::Fetched;
use super::source::{Source, SourceParts};
use super::verify::{Verified, verify};
use super::view::PublicUrl;
use crate::event::Data;
use crate::reason::Reason;
use crate::request::Incoming;

/// HMAC over a time and the body, as many senders have it.
const SIGNED: &str = r#"
[provider]
id = "acme"
content = "json"
[route]
path = "/acme"
[secrets.main]
about = "the secret"
[[verify]]
from = "header:acme-signature"
parse = "kv"
pick = "v1"
encoding = "hex"
alg = "hmac-sha256"
message = "${sig:t}.${body}"
[timestamp]
from = "sig:t"
format = "unix_s"
tolerance_s = 300
[event]
type = "json:/type"
id = "json:/id"
"#;

/// Plain digest over sorted fields.
const FIELDS: &str = r#"
[provider]
id = "fields"
content = "json"
[route]
path = "/fields"
[secrets.main]
about = "the secret"
[let.all]
collect = "json"
exclude = ["sign"]
[[verify]]
from = "json:/sign"
encoding = "hex"
alg = "sha256"
message = "${let:all}&secret=${secret:main}"
"#;

fn source(text: &str, secrets: &[&str], urls: &[&str]) -> Source {
    let description = parse(text, "test", Grammar::Strict).unwrap();
    let provider =
        Provider::compile(description, &Places::new(text, "test")).map_err(|wrong| format!("{wrong:?}")).unwrap();
    let parts = SourceParts {
        secrets: [("main".to_owned(), secrets.iter().map(|text| (*text).into()).collect())].into(),
        public_urls: urls.iter().map(|url| PublicUrl::parse(url).unwrap()).collect(),
        ..SourceParts::default()
    };
    Source::build("test", Arc::new(provider), parts).unwrap()
}

fn request(headers: &[(&str, &str)], body: impl Into<Bytes>) -> Arc<Incoming> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let (method, target) = ("POST".to_owned(), "/acme?a=1".to_owned());
    Arc::new(Incoming { method, target, headers: map, body: body.into(), peer: None, received: Timestamp::UNIX_EPOCH })
}

fn hmac(secret: &str, message: &[u8]) -> String {
    let key = super::key::KeyText { form: "utf8", text: secret.as_bytes(), user_id: "" };
    let scheme = (super::algorithm::named("hmac-sha256").unwrap().prepare)(&key).unwrap();
    hex::encode(scheme.expected(message).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn signed(secret: &str, second: i64, body: &str) -> Arc<Incoming> {
    let header = format!("t={second},v0=00,v1=dead,v1={}", hmac(secret, format!("{second}.{body}").as_bytes()));
    request(&[("acme-signature", &header)], body.to_owned())
}

fn reason(result: Result<Verified, crate::reason::Rejection>) -> Option<Reason> {
    match result {
        Ok(verified) => verified.stale.map(|rejection| rejection.reason),
        Err(rejection) => Some(rejection.reason),
    }
}

#[test]
fn any_listed_secret_and_any_candidate_may_verify() {
    let source = source(SIGNED, &["new", "old"], &[]);
    for secret in ["new", "old"] {
        assert_eq!(reason(verify(&source, &signed(secret, 1000, "{}"), at(1000))), None, "{secret}");
    }
    assert_eq!(reason(verify(&source, &signed("other", 1000, "{}"), at(1000))), Some(Reason::SignatureMismatch));
}

#[test]
fn an_authentic_request_out_of_time_is_marked_and_not_refused() {
    let source = source(SIGNED, &["s"], &[]);
    assert_eq!(reason(verify(&source, &signed("s", 1000, "{}"), at(1300))), None);
    assert_eq!(reason(verify(&source, &signed("s", 1000, "{}"), at(1301))), Some(Reason::TimestampExpired));
    assert_eq!(reason(verify(&source, &signed("s", 1000, "{}"), at(699))), Some(Reason::TimestampFuture));
}

#[test]
fn a_tolerance_of_zero_is_not_enforced() {
    let mut source = source(SIGNED, &["s"], &[]);
    source.tolerance = Duration::ZERO;
    assert_eq!(reason(verify(&source, &signed("s", 1000, "{}"), at(9_000_000))), None);
}

#[test]
fn what_does_not_parse_is_malformed_whoever_sent_it_and_marked_where_it_is_authentic() {
    let source = source(SIGNED, &["s"], &[]);
    let forged = request(&[("acme-signature", "t=1000,v1=00")], "not json");
    assert_eq!(reason(verify(&source, &forged, at(1000))), Some(Reason::Malformed));
    let verified = verify(&source, &signed("s", 1000, "not json"), at(1000)).unwrap();
    assert!(verified.malformed.is_some() && !matches!(verified.items[0].data, Data::Json(_)));
}

#[test]
fn a_key_that_comes_twice_is_malformed_where_the_signature_is_over_fields_alone() {
    let twice = r#"{"a":1,"a":2,"sign":"00"}"#;
    assert_eq!(reason(verify(&source(FIELDS, &["s"], &[]), &request(&[], twice), at(0))), Some(Reason::Malformed));
    assert_eq!(reason(verify(&source(SIGNED, &["s"], &[]), &signed("s", 1000, twice), at(1000))), None);
}

#[test]
fn the_url_that_is_signed_is_the_configured_one_in_any_of_its_forms() {
    let text = SIGNED.replace("${sig:t}.${body}", "${sig:t}.${url}.${url.target}.${url.path}");
    let source = source(&text, &["s"], &["https://a.example:443", "https://b.example/in"]);
    for (signed, expected) in [
        ("1000.https://a.example:443/acme?a=1./acme?a=1./acme", None),
        ("1000.https://b.example/in/acme?a=1./in/acme?a=1./in/acme", None),
        ("1000.https://evil.example/acme?a=1./acme?a=1./acme", Some(Reason::SignatureMismatch)),
    ] {
        let header = format!("t=1000,v1={}", hmac("s", signed.as_bytes()));
        let request = request(&[("acme-signature", &header), ("host", "evil.example")], "{}");
        assert_eq!(reason(verify(&source, &request, at(1000))), expected, "{signed}");
    }
}

#[test]
fn without_an_event_table_the_body_is_the_key_for_a_day() {
    let text = SIGNED.split("[event]").next().unwrap();
    let source = source(text, &["s"], &[]);
    let key = |body: &str| verify(&source, &signed("s", 1000, body), at(1000)).unwrap().items.remove(0).declared.key;
    assert_eq!(key("{}"), key("{}"));
    assert_ne!(key("{}").hash, key("[]").hash);
    assert_eq!(key("{}").until, Some(at(1000 + 86_400)));
}

#[test]
fn a_request_without_a_body_is_known_by_its_target() {
    let source = source(&SIGNED.replace("content = \"json\"", ""), &["s"], &[]);
    let key = |target: &str| {
        let request = Incoming { target: target.to_owned(), ..Incoming::clone(&signed("s", 1000, "")) };
        verify(&source, &Arc::new(request), at(1000)).unwrap().items.remove(0).declared.key.hash
    };
    assert_ne!(key("/acme?t=a"), key("/acme?t=b"));
}

#[test]
fn a_malformed_request_takes_nobody_elses_key_and_is_asked_for_no_time() {
    let text = FIELDS
        .replace("message = \"", "message = \"${json:/id}")
        .replace("[let.all]", "[event]\nid = \"json:/id\"\n[let.all]");
    let source = source(&text, &["s"], &[]);
    let sign = |body: &str, signed: &str| {
        let key = super::key::KeyText { form: "utf8", text: b"", user_id: "" };
        let scheme = (super::algorithm::named("sha256").unwrap().prepare)(&key).unwrap();
        body.replace("SIGN", &hex::encode(scheme.expected(signed.as_bytes()).unwrap()))
    };
    let whole = sign(r#"{"id":"i1","sign":"SIGN"}"#, "i1id=i1&secret=s");
    let genuine = verify(&source, &request(&[], whole), at(0)).unwrap();
    let twice = sign(r#"{"id":"i1","id":"i1","sign":"SIGN"}"#, "i1id=i1&id=i1&secret=s");
    let twice = verify(&source, &request(&[], twice), at(0)).unwrap();
    assert!(twice.malformed.is_some() && twice.items[0].declared.id.is_none());
    assert_ne!(genuine.items[0].declared.key.hash, twice.items[0].declared.key.hash);
    let old = verify(&self::source(SIGNED, &["s"], &[]), &signed("s", 1000, "not json"), at(9_000_000)).unwrap();
    assert!(old.malformed.is_some() && old.stale.is_none());
}

#[test]
fn a_flood_of_candidates_costs_no_more_than_a_few() {
    let source = source(SIGNED, &["s"], &[]);
    let flood = format!("t=1000{}", ",v1=00".repeat(5_000));
    let body = format!("\"{}\"", "x".repeat(1 << 20));
    let request = request(&[("acme-signature", &flood)], body);
    let (tries, result) = super::verify::trace(&source, &request, &Fetched::default(), at(1000));
    assert_eq!((tries.len(), reason(result)), (1, Some(Reason::SignatureMismatch)));
}

#[test]
fn optional_parts_of_an_id_may_be_missing() {
    let text = SIGNED.replace("\"json:/id\"", "\"${json:/id}$(-${json:/n})${json:/x?}\"");
    let source = source(&text, &["s"], &[]);
    let id = |body: &str| verify(&source, &signed("s", 1000, body), at(1000)).unwrap().items.remove(0).declared.id;
    assert_eq!(id(r#"{"id":"a"}"#).as_deref(), Some("a"));
    assert_eq!(id(r#"{"id":"a","n":7,"x":"z"}"#).as_deref(), Some("a-7z"));
    assert_eq!(id(r#"{"n":7}"#), None);
}

#[test]
fn a_description_that_proves_nothing_by_omission_is_refused() {
    let complaints = |text: &str| {
        let description = parse(text, "p", Grammar::Strict).unwrap();
        let wrong = Provider::compile(description, &Places::new(text, "p")).err().unwrap_or_default();
        wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let head = "[provider]\nid = \"x\"\n[route]\npath = \"/x\"\n";
    assert!(complaints(head).contains("verify: missing"));
    assert!(complaints(&format!("{head}[[verify]]\nalg = \"none\"\n")).contains("needs a reason"));
    let both = format!(
        "{head}[secrets.main]\nabout = \"s\"\n[[verify]]\nalg = \"none\"\nreason = \"r\"\n[[verify]]\nfrom = \"header:s\"\nalg = \"sha256\"\nmessage = \"${{secret}}\"\n"
    );
    assert!(complaints(&both).contains("beside other tables"));
    let unsigned_time = SIGNED.replace("message = \"${sig:t}.${body}\"", "message = \"${body}\"");
    assert!(complaints(&unsigned_time).contains("an unsigned time proves nothing"));
    assert!(complaints(&SIGNED.replace("${sig:t}.", "${sig:t}.${let:nope}")).contains("let:nope is not declared"));
    assert!(complaints(&SIGNED.replace("hmac-sha256", "sha256")).contains("anybody can compute it"));
    let optional = [
        ("&secret=${secret:main}", "&secret=${secret:main?}"),
        ("&secret=${secret:main}", "$(&secret=${secret:main})"),
    ];
    for (from, to) in optional {
        assert!(complaints(&FIELDS.replace(from, to)).contains("anybody can compute it"), "{to}");
    }
    assert!(complaints(&SIGNED.replace("hmac-sha256", "static")).contains("unsigned time"));
    let nonce = format!("{SIGNED}[replay]\nnonce = \"header:x-nonce\"\n");
    assert!(complaints(&nonce).contains("an unsigned nonce"));
    assert!(
        complaints(&format!("{head}[[verify]]\nalg = \"none\"\nreason = \"r\"\nfrom = \"header:x\"\n"))
            .contains("takes nothing but")
    );
    assert!(
        complaints(&format!("{SIGNED}[ack.accepted.headers]\ncontent-length = \"3\"\n")).contains("the host's to send")
    );
    let deep = SIGNED.replace("${body}", &format!("{}{}", "$(".repeat(100_000), ")".repeat(100_000)));
    assert!(complaints(&deep).contains("more than 16 times"));
}
