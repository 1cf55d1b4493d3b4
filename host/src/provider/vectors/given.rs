//! Keys that come with a vector's request: the one that the file gives is taken, and nobody asks whose it is.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::provider::remote::Fetched;

/// What stands for whatever the scheme would fetch.
pub(super) fn fetched(keys: &BTreeMap<String, Vec<String>>) -> Fetched {
    let main = keys.get("main").and_then(|texts| texts.first());
    Fetched::given(main.map(|text| Bytes::from(text.clone())))
}

/// The scheme with roots that are known: which ones does not matter here, and its file may say so in words.
pub(super) fn unchained(scheme: &mut Map<String, Value>) {
    let tables = match scheme.get_mut("verify") {
        Some(Value::Array(tables)) => tables.iter_mut().collect(),
        Some(table) => vec![table],
        None => Vec::new(),
    };
    for key in tables.into_iter().filter_map(|table| table.get_mut("key")?.as_object_mut()) {
        if key.contains_key("from") || key.contains_key("chain") {
            key.insert("chain".into(), json!("webpki"));
        }
        if key.contains_key("from") {
            // Below those roots a description must name whose certificate counts.
            key.entry("subject_cn").or_insert(json!("*"));
        }
        if let Some(chain) = key.get_mut("fetch").and_then(|fetch| fetch.get_mut("chain")) {
            *chain = json!("webpki");
        }
    }
}
