//! What answers mean by their description.

use bytes::Bytes;
use hyper::header::HeaderMap;

use super::super::Judged;
use super::{GET, source};

const RULE: &str = r#"
[operations.answer]
success = { equals = ["json:/code", "200", "0"] }
output = "/data"
message = ["${json:/code}: ${json:/message}", "header:x-error"]
retry = { when = { equals = ["json:/code", "1212"] }, after_s = 7 }
"#;

fn judged(rule: &str, status: u16, body: &'static str) -> Judged {
    let source = source(&format!("{GET}{rule}"));
    let mut headers = HeaderMap::new();
    headers.insert("x-error", "in a header".parse().unwrap());
    let call = source.provider.calls.named("get").unwrap();
    source.judge(call, status, &headers, &Bytes::from_static(body.as_bytes()))
}

fn done(json: &str) -> Judged {
    Judged::Done(json.to_owned())
}

fn failed(words: &str) -> Judged {
    Judged::Failed(words.to_owned())
}

#[test]
fn an_output_is_as_received() {
    assert_eq!(judged(RULE, 200, r#"{"code":200,"data":{ "a" : 1.0, "b":"\/" }}"#), done(r#"{ "a" : 1.0, "b":"\/" }"#));
    assert_eq!(judged(RULE, 200, r#"{"code":"0"}"#), done("null"), "what succeeded did, with or without data");
    assert_eq!(judged(RULE, 500, r#"{"code":0,"data":[]}"#), done("[]"), "the provider's own word counts");
}

#[test]
fn a_failure_is_told_in_the_providers_words() {
    assert_eq!(judged(RULE, 200, r#"{"code":1213,"message":"bad sign"}"#), failed("1213: bad sign"));
    assert_eq!(judged(RULE, 200, r#"{"code":1213}"#), failed("in a header"));
    assert_eq!(judged(RULE, 502, "<h1>Bad\n Gateway</h1>"), failed("in a header"));
    let wordless = "[operations.answer]\nsuccess = { present = \"json:/ok\" }\n";
    assert_eq!(judged(wordless, 502, "<h1>Bad\n Gateway</h1>"), failed("HTTP 502: <h1>Bad Gateway</h1>"));
    assert_eq!(judged(wordless, 204, ""), failed("HTTP 204"));
}

#[test]
fn a_secret_that_a_provider_quotes_is_not_told() {
    assert_eq!(judged(RULE, 200, r#"{"code":1,"message":"no key s3cret"}"#), failed("1: no key ***"));
    let wordless = "[operations.answer]\nsuccess = { present = \"json:/ok\" }\n";
    assert_eq!(judged(wordless, 401, "who is s3cret?"), failed("HTTP 401: who is ***?"));
}

#[test]
fn a_provider_that_wants_to_be_asked_again_is() {
    assert_eq!(judged(RULE, 200, r#"{"code":1212}"#), Judged::Retry(7));
    let busy = "[operations.answer]\nretry = { when = { equals = [\"status\", \"202\"] } }\n";
    assert_eq!(judged(busy, 202, "{}"), Judged::Retry(1));
}

#[test]
fn without_a_rule_a_status_of_2xx_is_success_and_what_is_no_json_is_a_text() {
    assert_eq!(judged("", 201, "[1]"), done("[1]"));
    assert_eq!(judged("", 200, "say \"hi\""), done(r#""say \"hi\"""#));
    assert_eq!(judged("", 204, ""), done("null"));
    assert_eq!(judged("", 404, r#"{"a":1}"#), failed(r#"HTTP 404: {"a":1}"#));
}
