//! What a captured body calls its event and its id, and what in it looks private.

use bytes::Bytes;
use hookport_plugin_api::description::Content;

use crate::provider::fields::{Field, Fields};
use crate::provider::json::{Document, Kind, Value};
use crate::provider::redact::mask;

/// Sources in the document.
#[derive(Default)]
pub(super) struct Named {
    pub(super) kind: Option<String>,
    pub(super) id: Option<String>,
}

/// What an event is called under, the likeliest first.
const KINDS: [&str; 10] =
    ["event_type", "eventtype", "event_name", "event", "type", "topic", "action", "notify_type", "kind", "name"];
/// What tells events apart.
const IDS: [&str; 8] = ["event_id", "eventid", "notify_id", "webhook_id", "id", "uuid", "message_id", "nonce"];
/// Parts of names whose values nobody but their owner should see.
const PRIVATE: [&str; 20] = [
    "password",
    "passwd",
    "secret",
    "token",
    "card_no",
    "cardno",
    "card_number",
    "cardnumber",
    "pan",
    "cvv",
    "cvc",
    "pin",
    "ssn",
    "iban",
    "account_number",
    "email",
    "phone",
    "mobile",
    "address",
    "birth",
];

/// The likeliest names at the top of the document.
pub(super) fn members(content: Content, body: &[u8]) -> Named {
    let (place, names): (&str, Vec<String>) = match content {
        Content::Json => match Document::parse(body) {
            Ok(document) => {
                let simple = |value: &Value<'_>| matches!(value.kind(), Kind::String | Kind::Number);
                let root = document.root();
                let simple = root.children().filter(simple).map(|value| value.name().to_string());
                ("json:/", if root.kind() == Kind::Object { simple.collect() } else { Vec::new() })
            }
            Err(_) => return Named::default(),
        },
        Content::Form => ("form:", names(body)),
        Content::Xml | Content::Raw => return Named::default(),
    };
    let first = |wanted: &[&str]| {
        let find = |wanted: &&str| names.iter().find(|name| name.eq_ignore_ascii_case(wanted));
        wanted.iter().find_map(find).map(|name| format!("{place}{name}"))
    };
    Named { kind: first(&KINDS), id: first(&IDS) }
}

fn names(form: &[u8]) -> Vec<String> {
    let name = |field: &Field<'_>| String::from_utf8_lossy(&field.0).into_owned();
    Fields::read(form).all().iter().map(name).collect()
}

/// The body without what looks private, and where that stands. What is no JSON is kept as it is.
pub(super) fn masked(content: Content, body: &Bytes) -> (Bytes, Vec<String>) {
    let Some(document) = (content == Content::Json).then(|| Document::parse(body).ok()).flatten() else {
        return (body.clone(), Vec::new());
    };
    let mut found = Vec::new();
    private(document.root(), &mut Vec::new(), &mut found);
    found.sort();
    found.dedup();
    let body = mask(body, &found);
    let written = |steps: &Vec<String>| {
        let escaped = steps.iter().map(|step| step.replace('~', "~0").replace('/', "~1"));
        escaped.fold(String::new(), |all, step| all + "/" + &step)
    };
    (body, found.iter().map(written).collect())
}

fn private(value: Value<'_>, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    for child in value.children() {
        let step = if value.kind() == Kind::Array { "*".to_owned() } else { child.name().to_string() };
        let name = step.to_ascii_lowercase();
        at.push(step);
        let is_private = PRIVATE.iter().any(|part| if part.len() < 4 { name == *part } else { name.contains(part) });
        match child.kind() {
            Kind::String | Kind::Number if is_private => found.push(at.clone()),
            _ => private(child, at, found),
        }
        at.pop();
    }
}
