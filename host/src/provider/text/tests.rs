//! Texts that code writes: compared like any other, and never a way around the comparison.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;

use super::*;
use crate::provider::parse::{Grammar, Places, parse};
use crate::provider::sign::{SignError, Tamper, sign};
use crate::provider::source::{Source, SourceParts};
use crate::provider::verify::verify;
use crate::provider::view::PublicUrl;

const PROVIDER: &str = r#"
[provider]
id = "acme"
content = "json"
[route]
path = "/acme"
[secrets.main]
about = "the secret"
[settings.account]
about = "the account"
default = "7"
[let.signed]
code = ["body", "header:x-time"]
[[verify]]
from = "header:x-sign"
encoding = "hex"
alg = "hmac-sha256"
message = "${let:signed}"
[timestamp]
from = "header:x-time"
format = "unix_s"
tolerance_s = 300
"#;

/// Writes what it was asked, and counts how often.
#[derive(Debug, Default)]
struct Writer {
    asked: AtomicUsize,
    fails: Option<NoText>,
}

impl SignedTexts for Writer {
    fn text(&self, asked: &Asked<'_>) -> Result<Vec<u8>, NoText> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(none) = &self.fails {
            return Err(none.clone());
        }
        let Asked { name, request, url, settings } = asked;
        let time = request.headers.get("x-time").map(|value| value.to_str().unwrap_or_default());
        let body = String::from_utf8_lossy(&request.body).to_uppercase();
        Ok(format!("{name}|{url:?}|{settings}|{time:?}|{body}").into_bytes())
    }
}

fn compiled(text: &str) -> Result<Provider, Vec<String>> {
    let description = parse(text, "test", Grammar::Strict).unwrap();
    Provider::compile(description, &Places::new(text, "test"))
        .map_err(|wrong| wrong.iter().map(|complaint| complaint.keyed()).collect())
}

fn source(text: &str, by: Option<&Arc<Writer>>, urls: &[&str]) -> Source {
    let provider = compiled(text).unwrap().with_texts(by.map(|by| by.clone() as Arc<dyn SignedTexts>));
    let parts = SourceParts {
        secrets: [("main".to_owned(), ["s1", "s2", "s3"].map(Into::into).to_vec())].into(),
        public_urls: urls.iter().map(|url| PublicUrl::parse(url).unwrap()).collect(),
        ..SourceParts::default()
    };
    Source::build("test", Arc::new(provider), parts).unwrap()
}

fn sample() -> Incoming {
    let mut sample = Incoming::nothing();
    (sample.method, sample.target) = ("POST".into(), "/acme".into());
    sample.headers.insert("x-time", "1000".parse().unwrap());
    sample.headers.insert("x-sign", "00".parse().unwrap());
    sample.body = r#"{"type":"paid","id":"1"}"#.into();
    sample
}

fn now() -> Timestamp {
    Timestamp::from_second(2000).unwrap()
}

fn signed(text: &str) -> Incoming {
    sign(&source(text, Some(&Arc::default()), &[]), &sample(), &Default::default(), now()).unwrap().request
}

fn refusal(source: &Source, request: &Incoming) -> Rejection {
    verify(source, &Arc::new(request.clone()), now()).unwrap_err()
}

#[test]
fn what_is_signed_over_a_text_of_code_verifies_and_what_is_changed_does_not() {
    let writer = Arc::default();
    let source = source(PROVIDER, Some(&writer), &["https://a.example", "https://b.example/in"]);
    let signed = sign(&source, &sample(), &Default::default(), now()).unwrap();
    assert!(verify(&source, &Arc::new(signed.request.clone()), now()).is_ok());
    for tamper in [Tamper::Body, Tamper::Signature, Tamper::Timestamp] {
        let tampered = signed.tampered(&source, tamper, now()).unwrap();
        assert_eq!(refusal(&source, &tampered).reason, Reason::SignatureMismatch, "{tamper:?}");
    }
}

#[test]
fn code_is_asked_once_for_a_request_and_url_however_many_secrets_there_are() {
    let writer = Arc::default();
    let source = source(PROVIDER, Some(&writer), &["https://a.example", "https://b.example/in"]);
    let rejection = refusal(&source, &sample());
    assert_eq!((rejection.reason, writer.asked.load(Ordering::Relaxed)), (Reason::SignatureMismatch, 2));
}

#[test]
fn a_request_without_a_signature_does_not_reach_code() {
    let writer = Arc::default();
    let source = source(PROVIDER, Some(&writer), &[]);
    let mut request = sample();
    request.headers.remove("x-sign");
    let rejection = refusal(&source, &request);
    assert_eq!((rejection.reason, writer.asked.load(Ordering::Relaxed)), (Reason::SignatureMissing, 0));
}

#[test]
fn a_text_that_does_not_come_refuses_the_request_with_the_reason() {
    let broken = || NoText::Broken("the plugin panicked: boom".into());
    for (fails, reason) in
        [(NoText::Refused("no such field".into()), Reason::SignatureMismatch), (broken(), Reason::Unavailable)]
    {
        let writer = Arc::new(Writer { fails: Some(fails.clone()), ..Writer::default() });
        let rejection = refusal(&source(PROVIDER, Some(&writer), &[]), &signed(PROVIDER));
        let (NoText::Refused(why) | NoText::Broken(why)) = fails;
        assert_eq!(rejection.reason, reason);
        assert!(rejection.detail.contains(&why), "{}", rejection.detail);
    }
    let rejection = refusal(&source(PROVIDER, None, &[]), &signed(PROVIDER));
    assert_eq!(rejection.reason, Reason::Unavailable, "{}", rejection.detail);
}

#[test]
fn a_text_that_does_not_come_is_not_left_out_of_what_is_signed() {
    // A group is dropped with what is missing in it, and what is left would be signed.
    let loose = PROVIDER.replace("\"${let:signed}\"", "[\"${header:x-time}$(${let:signed})\", \"${header:x-time}\"]");
    let without = PROVIDER.replace("\"${let:signed}\"", "\"${header:x-time}\"");
    let request = signed(&without);
    assert!(verify(&source(&without, Some(&Arc::default()), &[]), &Arc::new(request.clone()), now()).is_ok());
    for fails in [NoText::Refused("no".into()), NoText::Broken("no".into())] {
        let writer = Arc::new(Writer { fails: Some(fails), ..Writer::default() });
        refusal(&source(&loose, Some(&writer), &[]), &request);
    }
}

#[test]
fn a_sample_that_code_cannot_write_a_text_of_is_not_signed() {
    let writer = Arc::new(Writer { fails: Some(NoText::Refused("no such field".into())), ..Writer::default() });
    let error = sign(&source(PROVIDER, Some(&writer), &[]), &sample(), &Default::default(), now()).unwrap_err();
    assert!(matches!(&error, SignError::Lacking { why, .. } if why.contains("no such field")), "{error}");
}

#[test]
fn a_key_that_comes_twice_is_malformed_because_nobody_knows_how_code_reads_it() {
    let mut request = sample();
    request.body = r#"{"id":"1","id":"2"}"#.into();
    assert_eq!(refusal(&source(PROVIDER, Some(&Arc::default()), &[]), &request).reason, Reason::Malformed);
}

#[test]
fn code_has_no_say_in_keys_comparisons_ids_answers_or_calls() {
    let complaint = |old: &str, new: &str| {
        let text = PROVIDER.replace(old, new);
        assert_ne!(text, PROVIDER);
        compiled(&text).err().unwrap_or_default().join("; ")
    };
    for (old, new) in [
        ("alg = \"hmac-sha256\"", "alg = \"hmac-sha256\"\nkey = { value = \"${let:signed}\" }"),
        ("encoding = \"hex\"", "encoding = \"${let:signed}\""),
        ("from = \"header:x-sign\"", "from = \"let:signed\""),
        ("[timestamp]", "[[assert]]\nleft = \"${let:signed}\"\nright = \"${body}\"\n[timestamp]"),
        ("[timestamp]", "[event]\nid = \"${let:signed}\"\n[timestamp]"),
        ("[timestamp]", "[let.other]\nsort = [\"${let:signed}\"]\n[event]\nsubject = \"${let:other}\"\n[timestamp]"),
        ("[timestamp]", "[ack.accepted]\ntext = \"${let:signed}\"\n[timestamp]"),
    ] {
        let complaint = complaint(old, new);
        assert!(complaint.contains("written by code"), "{new}: {complaint}");
    }
    let each = complaint("[provider]", "each = \"/items/*\"\n[provider]");
    assert!(each.contains("one for the whole request"), "{each}");
}

#[test]
fn a_text_says_what_it_is_over_and_a_signed_time_must_be_among_it() {
    let complaint = |code: &str| {
        let text = PROVIDER.replace("[\"body\", \"header:x-time\"]", code);
        compiled(&text).err().unwrap_or_default().join("; ")
    };
    assert_eq!(complaint("[\"json:/id\", \"header:x-time\"]"), "");
    assert!(complaint("[\"body\"]").contains("an unsigned time proves nothing"));
    assert!(complaint("[]").contains("empty"));
    assert!(complaint("[\"body\", \"secret:main\"]").contains("not part of a request"));
}

#[test]
fn a_digest_without_a_key_needs_the_secret_beside_the_text_of_code() {
    let text = PROVIDER.replace("hmac-sha256", "sha256");
    assert!(compiled(&text).err().unwrap_or_default().join("; ").contains("a secret must be part of its text"));
    let text = text.replace("${let:signed}", "${let:signed}${secret}");
    assert!(compiled(&text).is_ok());
}

#[test]
fn a_header_that_the_text_is_over_and_that_comes_twice_is_refused_before_the_code_is_asked() {
    let writer = Arc::default();
    let source = source(PROVIDER, Some(&writer), &[]);
    let mut request = signed(PROVIDER);
    request.headers.append("x-other", "1".parse().unwrap());
    request.headers.append("x-other", "2".parse().unwrap());
    assert!(verify(&source, &Arc::new(request.clone()), now()).is_ok());
    let asked = writer.asked.load(Ordering::Relaxed);
    request.headers.append("x-time", "2000".parse().unwrap());
    let refused = refusal(&source, &request);
    assert_eq!(refused.reason, Reason::SignatureMismatch);
    assert!(refused.detail.contains("x-time comes more than once"), "{}", refused.detail);
    assert_eq!(writer.asked.load(Ordering::Relaxed), asked);
}
