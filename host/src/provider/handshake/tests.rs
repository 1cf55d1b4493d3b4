//! Handshakes as senders ask for them.

mod guard;
mod refused;

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::{Answer, Greeting, greet};
use crate::provider::algorithm;
use crate::provider::compile::Provider;
use crate::provider::key::KeyText;
use crate::provider::parse::{Grammar, Places, parse};
use crate::provider::source::{Source, SourceParts};
use crate::provider::verify::verify;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

const HEAD: &str = r#"
[provider]
id = "acme"
content = "json"
[route]
path = "/acme"
[secrets.main]
about = "the secret"
[secrets.word]
about = "what the sender says first"
required = false
[settings.public_key]
about = "ours"
default = "pk"
[[verify]]
from = "header:x-sign"
encoding = "hex"
alg = "hmac-sha256"
message = "${body}"
"#;

fn compiled(shake: &str) -> Result<Provider, String> {
    let text = if shake.contains("[provider]") { shake.to_owned() } else { format!("{HEAD}{shake}") };
    let description = parse(&text, "p", Grammar::Strict).map_err(|wrong| format!("{wrong:?}"))?;
    Provider::compile(description, &Places::new(&text, "p"))
        .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn source_with(shake: &str, secrets: &[(&str, &[&str])]) -> Source {
    let values = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
    let secrets = secrets.iter().map(|(name, texts)| ((*name).to_owned(), values(texts))).collect();
    let provider = Arc::new(compiled(shake).unwrap());
    Source::build("test", provider, SourceParts { secrets, ..SourceParts::default() }).unwrap()
}

fn source(shake: &str) -> Source {
    source_with(shake, &[("main", &["s3cret"]), ("word", &["old", "open sesame"])])
}

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Incoming {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Incoming {
        method: method.to_owned(),
        target: format!("/acme{query}"),
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
        peer: None,
        received: Timestamp::UNIX_EPOCH,
    }
}

fn get(source: &Source, query: &str) -> Greeting {
    greet(source, &request("GET", query, &[], ""))
}

fn answered(greeting: Greeting) -> Result<Answer, Rejection> {
    match greeting {
        Greeting::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn told(greeting: Greeting) -> (u16, String, Vec<(String, String)>) {
    let ack = answered(greeting).unwrap().ack;
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let headers = ack.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    (ack.status, String::from_utf8(ack.body.to_vec()).unwrap(), headers)
}

fn reason(greeting: Greeting) -> Reason {
    answered(greeting).unwrap_err().reason
}

fn mac(algorithm: &str, form: &str, key: &str, message: &str) -> String {
    let key = KeyText { form, text: key.as_bytes(), user_id: "" };
    let scheme = (algorithm::named(algorithm).unwrap().prepare)(&key).unwrap();
    hex::encode(scheme.expected(message.as_bytes()).unwrap())
}

const ECHO: &str = r#"
[[handshake]]
when = { method = "GET", equals = ["query:hub.mode", "subscribe"] }
require = { left = "${query:hub.verify_token}", right = "${secret:word}" }
respond = { body = "${query:hub.challenge}" }
"#;

#[test]
fn a_challenge_is_echoed_to_who_knows_the_word() {
    let source = source(ECHO);
    for word in ["old", "open%20sesame"] {
        let query = format!("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={word}");
        let content = ("content-type".to_owned(), "text/plain; charset=utf-8".to_owned());
        assert_eq!(told(get(&source, &query)), (200, "1158201444".to_owned(), vec![content]));
    }
    for wrong in ["nearly", "", "open+sesame+"] {
        let query = format!("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={wrong}");
        assert_eq!(reason(get(&source, &query)), Reason::SignatureMismatch, "{wrong}");
    }
    assert_eq!(reason(get(&source, "?hub.mode=subscribe&hub.challenge=1")), Reason::SignatureMismatch);
    assert!(matches!(get(&source, "?hub.mode=other&hub.challenge=1"), Greeting::None));
    let query = "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=old";
    assert!(matches!(greet(&source, &request("GET", query, &[], "x")), Greeting::None), "who asks brings no body");
    let post = request("POST", "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=old", &[], "");
    assert!(matches!(greet(&source, &post), Greeting::None));
    assert_eq!(source.allowed_methods(), ["POST", "GET"]);
}

#[test]
fn only_tokens_are_echoed_and_a_missing_one_is_malformed() {
    let source = source(ECHO);
    let asked =
        |challenge: &str| get(&source, &format!("?hub.mode=subscribe&hub.verify_token=old&hub.challenge={challenge}"));
    for wrong in ["%3Cscript%3E", "a%0d%0ab", "", "a%20b", &"a".repeat(129)] {
        assert_eq!(reason(asked(wrong)), Reason::Malformed, "{wrong}");
    }
    assert_eq!(told(asked(&"a".repeat(128))).1.len(), 128);
    // One that comes twice is nobody's.
    assert_eq!(reason(asked("a&hub.challenge=b")), Reason::Malformed);
}

const SIGNED_TOKEN: &str = r#"
[[handshake]]
when = { present = "query:crc_token", method = "get" }
mac = { alg = "hmac-sha256", message = "${query:crc_token}" }
respond = { content_type = "application/json", body = "{\"response_token\":\"sha256=${let:mac|base64}\"}" }
"#;

#[test]
fn a_token_is_signed_with_the_first_secret() {
    let source = source_with(SIGNED_TOKEN, &[("main", &["new", "old"])]);
    let (status, body, headers) = told(get(&source, "?crc_token=9b4507b3-9040"));
    assert_eq!((status, headers[0].1.as_str()), (200, "application/json"));
    let digest = hex::decode(mac("hmac-sha256", "utf8", "new", "9b4507b3-9040")).unwrap();
    let wanted = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
    assert_eq!(body, format!("{{\"response_token\":\"sha256={wanted}\"}}"));
    assert_eq!(reason(get(&source, "?crc_token={}")), Reason::Malformed);
}

#[test]
fn a_method_of_its_own_is_answered_without_a_body() {
    let source = source(
        "[[handshake]]\nwhen.method = \"HEAD\"\nrespond.headers = { x-here = \"yes\" }\n[[handshake]]\n\
         when = { method = \"OPTIONS\", present = \"header:webhook-request-origin\" }\ntoken_pattern = \"[a-z.]{1,255}\"\n\
         respond.headers = { webhook-allowed-origin = \"${header:webhook-request-origin}\", webhook-allowed-rate = \"120\" }\n",
    );
    assert_eq!(source.allowed_methods(), ["POST", "HEAD", "OPTIONS"]);
    let (status, body, headers) = told(greet(&source, &request("HEAD", "", &[], "")));
    assert_eq!((status, body.as_str(), headers), (200, "", vec![("x-here".to_owned(), "yes".to_owned())]));
    let asked = |origins: &[(&str, &str)]| greet(&source, &request("OPTIONS", "", origins, ""));
    let (_, _, headers) = told(asked(&[("webhook-request-origin", "grid.example.net")]));
    assert!(headers.contains(&("webhook-allowed-origin".to_owned(), "grid.example.net".to_owned())), "{headers:?}");
    assert_eq!(reason(asked(&[("webhook-request-origin", "*")])), Reason::Malformed);
    let twice = [("webhook-request-origin", "a.example"), ("webhook-request-origin", "b.example")];
    assert_eq!(reason(asked(&twice)), Reason::Malformed);
    assert!(matches!(asked(&[]), Greeting::None));
}

const CHALLENGE: &str = r#"
[[handshake]]
when = { method = "POST", equals = ["json:/type", "url_verification"], present = "json:/challenge" }
respond = { content_type = "application/json", body = "{\"challenge\":${json:/challenge|json}}" }
"#;

#[test]
fn an_unsigned_handshake_matches_its_shape_alone() {
    let source = source(CHALLENGE);
    let asked = |body: &str| greet(&source, &request("POST", "", &[], body));
    assert_eq!(told(asked(r#"{"type":"url_verification","challenge":"3eZbrw"}"#)).1, r#"{"challenge":"3eZbrw"}"#);
    for event in [r#"{"type":"event_callback","challenge":"x"}"#, r#"{"type":"url_verification"}"#, "", "no json"] {
        assert!(matches!(asked(event), Greeting::None), "{event}");
    }
    assert_eq!(reason(asked(r#"{"type":"url_verification","challenge":"\"}"}"#)), Reason::Malformed);
}

#[test]
fn a_handshake_may_stand_in_a_part_of_the_request() {
    let source = source(&format!("{CHALLENGE}[payload]\nfrom = \"form:data|unbase64\"\n"));
    let asked = |body: &str| greet(&source, &request("POST", "", &[], body));
    let body = format!("data={}", "eyJ0eXBlIjoidXJsX3ZlcmlmaWNhdGlvbiIsImNoYWxsZW5nZSI6IjNlWmJydyJ9");
    assert_eq!(told(asked(&body)).1, r#"{"challenge":"3eZbrw"}"#);
    assert!(matches!(asked("data=e30="), Greeting::None));
    assert_eq!(told(asked(r#"{"type":"url_verification","challenge":"x"}"#)).1, r#"{"challenge":"x"}"#);
}

#[test]
fn a_signed_handshake_is_answered_once_it_is_verified() {
    let source = source(&CHALLENGE.replace("when =", "signed = true\nwhen ="));
    let body = r#"{"type":"url_verification","challenge":"3eZbrw"}"#;
    let request = |sign: &str| Arc::new(request("POST", "", &[("x-sign", sign)], body));
    assert!(matches!(greet(&source, &request("00")), Greeting::Signed));
    let forged = verify(&source, &request("00"), Timestamp::UNIX_EPOCH);
    assert_eq!(forged.unwrap_err().reason, Reason::SignatureMismatch);
    let sign = mac("hmac-sha256", "utf8", "s3cret", body);
    let verified = verify(&source, &request(&sign), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(verified.handshake.unwrap().unwrap().ack.body, &br#"{"challenge":"3eZbrw"}"#[..]);
}

#[test]
fn a_signed_handshake_need_not_look_like_an_event() {
    let source = source(
        "[[handshake]]\nsigned = true\nwhen = { method = \"GET\", present = \"query:msg\" }\nrespond.body = \"${query:msg}\"\n",
    );
    let sign = mac("hmac-sha256", "utf8", "s3cret", "");
    let verified =
        verify(&source, &Arc::new(request("GET", "?msg=hello", &[("x-sign", &sign)], "")), Timestamp::UNIX_EPOCH);
    assert_eq!(verified.unwrap().handshake.unwrap().unwrap().ack.body, "hello");
}

#[test]
fn a_secret_that_the_sender_tells_is_caught_and_opens_nothing_yet() {
    let shake = r#"
[[handshake]]
when = { method = "POST", present = "json:/verification_token", absent = "header:x-sign" }
capture = { main = "json:/verification_token" }
[[handshake]]
when = { method = "POST", present = "header:x-hook-secret" }
capture = { main = "header:x-hook-secret" }
respond.headers = { x-hook-secret = "${header:x-hook-secret}" }
"#;
    let source = source_with(shake, &[]);
    let body = r#"{"verification_token":"secret_tMrl+/1="}"#;
    let answer = answered(greet(&source, &request("POST", "", &[], body))).unwrap();
    assert_eq!((answer.ack.status, answer.captured[0].0.as_str()), (200, "main"));
    assert_eq!(answer.captured[0].1.expose_secret(), "secret_tMrl+/1=");
    let shown = format!("{answer:?}");
    assert!(!shown.contains("tMrl"), "{shown}");
    let hooked = request("POST", "", &[("x-hook-secret", "b537207f20cbfa02357cf448134da559")], "{}");
    let answer = answered(greet(&source, &hooked)).unwrap();
    assert_eq!(answer.ack.headers[0].1, "b537207f20cbfa02357cf448134da559");
    assert!(!format!("{answer:?}").contains("b53720"));
    for wrong in
        [r#"{"verification_token":""}"#, r#"{"verification_token":"a b"}"#, r#"{"verification_token":["a","b c"]}"#]
    {
        assert_eq!(reason(greet(&source, &request("POST", "", &[], wrong))), Reason::Malformed, "{wrong}");
    }
    let event = Arc::new(request("POST", "", &[("x-sign", "00")], "{}"));
    assert_eq!(verify(&source, &event, Timestamp::UNIX_EPOCH).unwrap_err().reason, Reason::Algorithm);
}

#[test]
fn a_mac_whose_key_is_not_there_is_closed() {
    let shake = SIGNED_TOKEN.replace("message =", "key = { value = \"${secret:word}\" }, message =");
    let source = source_with(&shake, &[("main", &["s"])]);
    assert_eq!(reason(get(&source, "?crc_token=a")), Reason::Algorithm);
}
