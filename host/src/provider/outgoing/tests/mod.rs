//! Whole descriptions of operations: the requests that they make, how these are signed, and what is refused.

mod answers;
mod refused;
mod signing;

use std::collections::BTreeMap;
use std::sync::Arc;

use hookport_plugin_api::description::SettingValue;
use hyper::header::HeaderMap;
use jiff::Timestamp;

use super::{Draft, Moment, Plan, Unmade};
use crate::provider::compile::Provider;
use crate::provider::parse::{Grammar, Places, parse};
use crate::provider::source::{Source, SourceParts};

const HEAD: &str = r#"
[provider]
id = "acme"
content = "json"
[secrets.main]
about = "the key"
required = false
[secrets.key]
about = "our private key"
kind = "private_key"
required = false
[settings.base_url]
about = "where"
default = "https://api.acme.test/v1"
[settings.account]
about = "whose"
default = ""
[settings.limit]
about = "how many"
type = "int"
default = 10
"#;

const GET: &str = r#"
[[operations]]
id = "get"
[operations.request]
method = "GET"
url = "${config:base_url}/items/${input:/id|urlencode}"
query = { b = "${input:/b}", a = "x y", c = "${input:/c}" }
headers = { X-Limit = "${config:limit}", X-Note = "${input:/note}" }
"#;

const POST: &str = r#"
[[operations]]
id = "post"
[operations.request]
method = "POST"
url = "${config:base_url}/items"
json = '{"name":${input:/name},"list":${input:/list},"limit":${config:limit}$(,"note":${input:/note|upper|json})}'
"#;

fn compiled(text: &str) -> Result<Provider, String> {
    let text = format!("{HEAD}{text}");
    let told = |wrong: Vec<crate::provider::complaint::Complaint>| {
        wrong.iter().map(|complaint| complaint.keyed()).collect::<Vec<_>>().join("\n")
    };
    let description = parse(&text, "test", Grammar::Strict).map_err(told)?;
    Provider::compile(description, &Places::new(&text, "test")).map_err(told)
}

fn built(text: &str, secrets: &[(&str, &str)], settings: &[(&str, &str)]) -> Result<Source, String> {
    let own = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect::<Vec<_>>()
    };
    let parts = SourceParts {
        secrets: own(secrets).into_iter().map(|(name, text)| (name, vec![text.into()])).collect(),
        settings: own(settings)
            .into_iter()
            .map(|(name, text)| (name, SettingValue::String(text)))
            .collect::<BTreeMap<_, _>>(),
        ..SourceParts::default()
    };
    Source::build("test", Arc::new(compiled(text)?), parts).map_err(|wrong| wrong.join("\n"))
}

fn source(text: &str) -> Source {
    built(text, &[("main", "s3cret")], &[]).unwrap()
}

fn moment() -> Moment {
    Moment { now: Timestamp::from_second(1_700_000_000).unwrap(), nonce: Some("n0".into()) }
}

fn made(source: &Source, operation: &str, input: &str) -> Result<Draft, Unmade> {
    let call = source.provider.calls.named(operation).unwrap();
    source.make(call, &Plan::Input(input.to_owned()), &moment())
}

fn body(draft: &Draft) -> &str {
    std::str::from_utf8(draft.body()).unwrap()
}

fn header<'d>(headers: &'d HeaderMap, name: &str) -> &'d str {
    headers.get(name).map_or("-", |value| value.to_str().unwrap())
}

#[test]
fn a_request_is_made_of_its_input_and_nothing_in_it_can_become_another_part() {
    let source = source(GET);
    let draft = made(&source, "get", r#"{"id":"a/b?c#d","b":"1&2=3","note":"hi"}"#).unwrap();
    assert_eq!(draft.method(), "GET");
    assert_eq!(draft.url(), "https://api.acme.test/v1/items/a%2Fb%3Fc%23d?a=x%20y&b=1%262%3D3");
    let headers = draft.headers();
    assert_eq!((header(&headers, "x-limit"), header(&headers, "x-note"), header(&headers, "host")), ("10", "hi", "-"));
    for (input, words) in [
        ("{}", "the input lacks /id"),
        (r#"{"id":".."}"#, "a step of . or .."),
        (r#"{"id":"a","note":"x\ny"}"#, "x-note has no header's value"),
    ] {
        let said = made(&source, "get", input).unwrap_err().to_string();
        assert!(said.contains(words), "{input}: {said}");
    }
}

#[test]
fn a_json_body_holds_values_as_they_were_given() {
    let source = source(POST);
    let input = r#"{ "name" : "\"},\"x\":\"\u00e9/\\", "list": [1.0, 1e3, { "a" : null }], "note": "q\"" }"#;
    let draft = made(&source, "post", input).unwrap();
    let expected = r#"{"name":"\"},\"x\":\"é/\\","list":[1.0,1e3,{"a":null}],"limit":10,"note":"Q\""}"#;
    assert_eq!(body(&draft), expected);
    assert_eq!(header(&draft.headers(), "content-type"), "application/json");
    let draft = made(&source, "post", r#"{"name":12345678901234567890.10,"list":[]}"#).unwrap();
    assert_eq!(body(&draft), r#"{"name":12345678901234567890.10,"list":[],"limit":10}"#);
}

#[test]
fn a_form_and_a_text_are_bodies_too() {
    let form = "[[operations]]\nid = \"form\"\n[operations.request]\nmethod = \"POST\"\nurl = \"https://a.test/\"\n\
                form = { b = \"${input:/b}\", a = \"${secret}\", c = \"${input:/c}\" }\n";
    let draft = made(&source(form), "form", r#"{"b":"ä &"}"#).unwrap();
    assert_eq!((body(&draft), draft.url().as_str()), ("a=s3cret&b=%C3%A4%20%26", "https://a.test/"));
    let text = "[[operations]]\nid = \"text\"\n[operations.request]\nmethod = \"PUT\"\nurl = \"https://a.test/x\"\n\
                headers = { content-type = \"text/csv\" }\ntext = \"${input:/a},${now},${nonce}\"\nnow = \"unix_s\"\nnonce = {}\n";
    let draft = made(&source(text), "text", r#"{"a":1}"#).unwrap();
    assert_eq!(body(&draft), "1,1700000000,n0");
    assert_eq!(header(&draft.headers(), "content-type"), "text/csv");
}
