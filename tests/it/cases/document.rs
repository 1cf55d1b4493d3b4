//! JSON compared as the design promises it: keys in their order and number texts as written, white space and escapes aside.

use std::collections::BTreeMap;

use hookport_plugin_api::Fields;
use serde_json::value::RawValue;

/// A JSON document without white space and escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Document {
    /// A number, `true`, `false` or `null` as written.
    Plain(String),
    /// Text.
    Text(String),
    /// An array.
    List(Vec<Document>),
    /// An object, in its order.
    Members(Vec<(String, Document)>),
}

impl Document {
    /// Reads one.
    pub(crate) fn read(json: &str) -> serde_json::Result<Self> {
        let json = json.trim();
        Ok(match json.as_bytes().first() {
            Some(b'"') => Self::Text(serde_json::from_str(json)?),
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json)?;
                Self::List(items.into_iter().map(|item| Self::read(item.get())).collect::<Result<_, _>>()?)
            }
            Some(b'{') => {
                let fields: Fields<'_> = serde_json::from_str(json)?;
                let member = |(name, value): (&str, &RawValue)| Ok((name.to_owned(), Self::read(value.get())?));
                Self::Members(fields.iter().map(member).collect::<Result<_, serde_json::Error>>()?)
            }
            _ => Self::Plain(serde_json::from_str::<&RawValue>(json)?.get().to_owned()),
        })
    }
}

/// What of `expected` is not so in `actual`: every member that is named must be equal.
pub(crate) fn missing(expected: &str, actual: &str) -> Result<Vec<String>, String> {
    let expected = members(expected).map_err(|error| format!("the expected event: {error}"))?;
    let actual = members(actual).map_err(|error| format!("the event: {error}"))?;
    let differs = |(name, text): (&String, &String)| {
        let came = actual.get(name);
        let same =
            came.is_some_and(|came| matches!((Document::read(text), Document::read(came)), (Ok(a), Ok(b)) if a == b));
        (!same).then(|| format!("{name}: expected {text}, came {}", came.map_or("nothing", String::as_str)))
    };
    Ok(expected.iter().filter_map(differs).collect())
}

/// The event as a case writes it: what a provider, and not the gateway, decides.
pub(crate) fn lasting(event: &str) -> Result<String, String> {
    let members = members(event).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    for name in ["type", "subject", "time", "providereventid", "data", "data_base64"] {
        let Some(value) = members.get(name) else { continue };
        if name != "time" || members.get("receivedtime") != Some(value) {
            lines.push(format!("  \"{name}\": {value}"));
        }
    }
    Ok(format!("{{\n{}\n}}", lines.join(",\n")))
}

/// The gateway's own id, as JSON; none where the event is no JSON object.
pub(crate) fn id(event: &str) -> Option<String> {
    members(event).ok()?.remove("id")
}

fn members(json: &str) -> serde_json::Result<BTreeMap<String, String>> {
    let fields: Fields<'_> = serde_json::from_str(json)?;
    Ok(fields.iter().map(|(name, value)| (name.to_owned(), value.get().to_owned())).collect())
}

#[test]
fn numbers_and_order_matter_and_white_space_does_not() {
    let same = |a: &str, b: &str| Document::read(a).unwrap() == Document::read(b).unwrap();
    assert!(same(r#"{"a": [1.0, "\u0061\/"]}"#, r#"{"a":[1.0,"a/"]}"#));
    assert!(!same(r#"{"a":1.0}"#, r#"{"a":1.00}"#));
    assert!(!same(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#));
    assert_eq!(missing(r#"{"type":"x"}"#, r#"{"id":"1","type":"x"}"#), Ok(vec![]));
    assert_eq!(missing(r#"{"type":"x"}"#, r#"{"type":"y"}"#).unwrap().len(), 1);
    assert_eq!(missing(r#"{"type":"x"}"#, "{}").unwrap().len(), 1);
}
