//! Where two JSON documents differ, by JSON pointer; numbers and texts are compared as they are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// More of one event are not told.
const MOST: usize = 50;

/// One place that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `type`, `subject`, `time`, `id`, or a JSON pointer into `data`: `/data/amount`.
    pub at: String,
    /// What is stored; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it would be; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

impl Difference {
    /// Of two texts, where they differ.
    pub(super) fn of(at: &str, old: Option<String>, new: Option<String>) -> Option<Self> {
        (old != new).then(|| Self { at: at.to_owned(), old, new })
    }
}

/// Adds where two documents differ.
pub(super) fn compare(at: &str, old: &[u8], new: &[u8], found: &mut Vec<Difference>) {
    let read = |bytes| serde_json::from_slice::<&RawValue>(bytes).ok();
    match (read(old), read(new)) {
        (Some(old), Some(new)) => values(at, old.get(), new.get(), found),
        _ => found.extend(Difference::of(at, Some(text(old)), Some(text(new)))),
    }
}

fn values(at: &str, old: &str, new: &str, found: &mut Vec<Difference>) {
    if old == new || found.len() >= MOST {
        return;
    }
    if let (Some(old), Some(new)) = (object(old), object(new)) {
        let names: Vec<_> = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
        return names.into_iter().for_each(|name| {
            let step = name.replace('~', "~0").replace('/', "~1");
            both(&format!("{at}/{step}"), old.get(name).copied(), new.get(name).copied(), found);
        });
    }
    if let (Some(old), Some(new)) = (list(old), list(new)) {
        let count = old.len().max(new.len());
        return (0..count)
            .for_each(|index| both(&format!("{at}/{index}"), old.get(index).copied(), new.get(index).copied(), found));
    }
    found.extend(Difference::of(at, Some(old.to_owned()), Some(new.to_owned())));
}

fn both(at: &str, old: Option<&RawValue>, new: Option<&RawValue>, found: &mut Vec<Difference>) {
    match (old, new) {
        (Some(old), Some(new)) => values(at, old.get(), new.get(), found),
        _ if found.len() >= MOST => {}
        (old, new) => {
            let text = |value: Option<&RawValue>| value.map(|value| value.get().to_owned());
            found.extend(Difference::of(at, text(old), text(new)));
        }
    }
}

fn object(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten()
}

fn list(text: &str) -> Option<Vec<&RawValue>> {
    text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        compare("/data", old.as_bytes(), new.as_bytes(), &mut found);
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| "nothing".into());
        found.into_iter().map(|one| (one.at, or_nothing(one.old), or_nothing(one.new))).collect()
    }

    #[test]
    fn places_are_pointers_and_numbers_are_as_written() {
        let old = r#"{"amount":10.00,"list":[1,{"a":1}],"gone":true,"a/b":"x","same":{"n":1}}"#;
        let new = r#"{"list":[1,{"a":2},3],"amount":10.0,"a/b":"y","same":{"n":1},"more":null}"#;
        let expected = [
            ("/data/a~1b", "\"x\"", "\"y\""),
            ("/data/amount", "10.00", "10.0"),
            ("/data/gone", "true", "nothing"),
            ("/data/list/1/a", "1", "2"),
            ("/data/list/2", "nothing", "3"),
            ("/data/more", "nothing", "null"),
        ];
        let expected: Vec<(String, String, String)> =
            expected.iter().map(|(at, old, new)| ((*at).into(), (*old).into(), (*new).into())).collect();
        assert_eq!(told(old, new), expected);
    }

    #[test]
    fn the_order_of_keys_and_spaces_is_no_difference_of_what_is_said() {
        assert!(told(r#"{"a":1,"b":2}"#, r#"{ "b":2, "a":1 }"#).is_empty());
        let whole: (String, String, String) = ("/data".into(), "plain".into(), "text".into());
        assert_eq!(told("plain", "text"), [whole]);
    }
}
