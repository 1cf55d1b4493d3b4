//! Answers that go out encrypted and signed: whoever has key and token can read them, and nobody else is answered so.

use std::sync::Arc;

use serde_json::Value;

use super::super::compile::Provider;
use super::super::parse::{Grammar, Places, parse};
use super::super::source::{Source, SourceParts};
use super::super::verify::verify;
use super::*;
use crate::request::Incoming;

const KEYS: [&str; 2] = ["kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", "Yue0EfdN5900c1ce5cf6A152c63DDe1808a60c5ecd7"];

fn text(content: &str, encrypted: &str, ack: &str) -> String {
    format!(
        "[provider]\nid = \"x\"\ncontent = \"{content}\"\n[route]\npath = \"/x\"\n\
         [secrets.token]\nabout = \"t\"\n[secrets.aes]\nabout = \"k\"\n[settings.me]\nabout = \"m\"\n\
         [let.tuple]\nsort = [\"${{secret:token}}\", \"${{query:timestamp}}\", \"${{query:nonce}}\", \"{encrypted}\"]\n\
         [[verify]]\nfrom = \"query:msg_signature\"\nalg = \"sha1\"\nencoding = \"hex\"\nmessage = \"${{let:tuple}}\"\n\
         [decrypt]\nprofile = \"wx-msgcrypt\"\nciphertext = \"{encrypted}\"\nkey = \"${{secret:aes}}\"\n\
         receiver = \"${{config:me}}\"\n{ack}"
    )
}

fn compile(text: &str) -> Result<Provider, String> {
    let description = parse(text, "test", Grammar::Strict).unwrap();
    Provider::compile(description, &Places::new(text, "test")).map_err(|wrong| wrong[0].keyed())
}

fn source(text: &str, keys: &[&str]) -> Source {
    let parts = SourceParts {
        secrets: [
            ("token".to_owned(), vec!["a token".into()]),
            ("aes".to_owned(), keys.iter().map(|key| (*key).into()).collect()),
        ]
        .into(),
        settings: [("me".to_owned(), hookport_plugin_api::description::SettingValue::String("corp".into()))].into(),
        ..SourceParts::default()
    };
    Source::build("test", Arc::new(compile(text).unwrap()), parts).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn request(target: String, body: impl Into<Bytes>) -> Incoming {
    Incoming { method: "POST".into(), target, body: body.into(), ..Incoming::nothing() }
}

/// What an answer says, sent back to the gateway as if it were a request: same key, same token, same receiver.
fn told(source: &Source, ack: &Ack) -> String {
    let body: Value = serde_json::from_slice(&ack.body).unwrap();
    let part = |name: &str| body[name].as_str().unwrap().to_owned();
    let (signature, timestamp, nonce) = (part("msg_signature"), part("timeStamp"), part("nonce"));
    let target = format!("/x?msg_signature={signature}&timestamp={timestamp}&nonce={nonce}");
    let verified = verify(source, &Arc::new(request(target, ack.body.clone())), now()).unwrap();
    match &verified.items[0].data {
        crate::event::Data::Json(json) => String::from_utf8(json.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

const JSON: &str = "${json:/encrypt}";

#[test]
fn a_json_answer_is_read_by_whoever_has_key_and_token() {
    let ack = "[ack.accepted]\nprofile = \"wx-msgcrypt\"\njson = '{\"ok\":${query:nonce}}'";
    let source = source(&text("json", JSON, ack), &KEYS[..1]);
    let ack = source.ack(Outcome::Accepted, &request("/x?nonce=7".into(), ""), now());
    assert_eq!((ack.status, ack.headers[0].1.to_str().unwrap()), (200, "application/json"));
    assert!(!String::from_utf8_lossy(&ack.body).contains("\"ok\""));
    assert_eq!(told(&source, &ack), "{\"ok\":7}");
    assert!(String::from_utf8_lossy(&ack.body).contains("\"timeStamp\":\"1700000000000\""));
    let again = source.ack(Outcome::Duplicate, &request("/x?nonce=7".into(), ""), now());
    assert_ne!(again.body, ack.body);
    assert_eq!(told(&source, &again), "{\"ok\":7}");
}

#[test]
fn an_answer_is_encrypted_with_the_key_that_opened_the_request() {
    let text = text("json", JSON, "[ack.accepted]\nprofile = \"wx-msgcrypt\"\njson = \"{}\"");
    let (old, both) = (source(&text, &KEYS[1..]), source(&text, &KEYS));
    let from_old = old.ack(Outcome::Accepted, &request("/x".into(), ""), now());
    let ack = both.ack(Outcome::Accepted, &request("/x".into(), from_old.body), now());
    assert_eq!(told(&old, &ack), "{}");
}

#[test]
fn an_xml_provider_is_answered_in_xml() {
    let ack = "[ack.accepted]\nprofile = \"wx-msgcrypt\"\ntext = \"<xml><a>1</a></xml>\"";
    let source = source(&text("xml", "${xml:Encrypt}", ack), &KEYS[..1]);
    let ack = source.ack(Outcome::Accepted, &request("/x".into(), ""), now());
    assert_eq!(ack.headers[0].1.to_str().unwrap(), "application/xml");
    let xml = super::super::xml::Xml::parse(&ack.body).unwrap();
    let part = |name: &str| xml.text(&[name.to_owned()]).unwrap().into_owned();
    assert_eq!(part("TimeStamp"), "1700000000");
    let target =
        format!("/x?msg_signature={}&timestamp={}&nonce={}", part("MsgSignature"), part("TimeStamp"), part("Nonce"));
    let verified = verify(&source, &Arc::new(request(target, ack.body.clone())), now()).unwrap();
    assert_eq!(verified.items[0].data, crate::event::Data::Json("{\"a\":\"1\"}".into()));
}

#[test]
fn what_cannot_be_encrypted_or_is_for_a_stranger_is_refused() {
    let wrong = |ack: &str| compile(&text("json", JSON, ack)).err().unwrap();
    let profile = "profile = \"wx-msgcrypt\"";
    for (ack, why) in [
        (format!("[ack.rejected]\n{profile}\ntext = \"no\""), "stranger"),
        (format!("[ack.accepted]\n{profile}"), "to encrypt"),
        (format!("[ack.accepted]\n{profile}\nempty = true"), "to encrypt"),
        ("[ack.accepted]\nprofile = \"wx\"\ntext = \"a\"".into(), "wx-msgcrypt"),
        ("[ack.accepted]\ntoken = \"${secret:token}\"\ntext = \"a\"".into(), "only an answer with a profile"),
        (format!("[ack.accepted]\n{profile}\ntext = \"a\"\ntoken = \"${{secret:tokn}}\""), "did you mean \"token\""),
    ] {
        assert!(wrong(&ack).contains(why), "{ack}: {}", wrong(&ack));
    }
    let text = text("json", JSON, &format!("[ack.accepted]\n{profile}\ntext = \"a\""));
    let (start, end) = (text.find("[decrypt]").unwrap(), text.find("[ack").unwrap());
    let without = format!("{}{}", &text[..start], &text[end..]);
    assert!(compile(&without).err().unwrap().contains("[decrypt]"));
}
