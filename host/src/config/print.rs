//! The print of a configuration: what tells two of them apart, key by key, without holding what the keys hold.

use std::collections::BTreeMap;
use std::fmt;

use figment::value::{Dict, Value};
use sha2::{Digest, Sha256};

use super::environment::{FORMS, is_secret};

/// Sections whose keys are said with their values; what is a URL or names a key is not, and neither is a secret.
const SHOWN: [&str; 7] = ["server", "admin", "log", "journal", "plugins", "reload", "traces"];

/// Every key with what it says; two are compared by `difference`.
#[derive(Clone, Default)]
pub(super) struct Print {
    keys: BTreeMap<Vec<String>, Mark>,
    /// Each route and each poll by what people call it: they have no names that must differ.
    lists: BTreeMap<&'static str, Vec<(String, Hash)>>,
}

type Hash = [u8; 32];

/// What one key says.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mark {
    hash: Hash,
    /// As written, where everybody may see it.
    pub(super) shown: Option<String>,
}

/// Hashes of short secrets are no secrets.
impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys.len())
    }
}

impl Print {
    /// Of the merged layers.
    pub(super) fn of(layers: &Dict) -> Self {
        let mut print = Self::default();
        for (name, value) in layers {
            match (name.as_str(), value) {
                ("routes", Value::Array(_, items)) => drop(print.lists.insert("routes", listed(items, route))),
                ("polls", Value::Array(_, items)) => drop(print.lists.insert("polls", listed(items, poll))),
                _ => print.take(vec![name.clone()], value),
            }
        }
        print
    }

    fn take(&mut self, key: Vec<String>, value: &Value) {
        match value {
            Value::Dict(_, entries) if !is_a_secret(entries) => {
                for (name, inner) in entries {
                    self.take([&key[..], std::slice::from_ref(name)].concat(), inner);
                }
            }
            other => {
                let shown = is_shown(&key, other).then(|| text(other));
                self.keys.insert(key, Mark { hash: hash(other), shown });
            }
        }
    }

    /// What the key leads to and was read: the value of a secret, a file.
    pub(super) fn read(&mut self, key: &[&str], content: &[u8]) {
        let key = key.iter().map(|step| (*step).to_owned()).collect();
        let mark = self.keys.entry(key).or_insert(Mark { hash: [0; 32], shown: None });
        mark.hash = Sha256::new().chain_update(mark.hash).chain_update(content).finalize().into();
    }

    /// The keys of a section, by the name of what they belong to: `sources.NAME`, `destinations.NAME`.
    pub(super) fn named(&self, section: &str) -> BTreeMap<&str, BTreeMap<String, &Mark>> {
        let mut named: BTreeMap<&str, BTreeMap<String, &Mark>> = BTreeMap::new();
        for (key, mark) in &self.keys {
            if let [of, name, rest @ ..] = key.as_slice()
                && of == section
            {
                named.entry(name).or_default().insert(rest.join("."), mark);
            }
        }
        named
    }

    /// The routes or polls, in the file's order.
    pub(super) fn list(&self, section: &str) -> &[(String, Hash)] {
        self.lists.get(section).map_or(&[], Vec::as_slice)
    }

    /// The keys of all sections without names, whole.
    pub(super) fn settings(&self) -> BTreeMap<String, &Mark> {
        let plain = |key: &[String]| SHOWN.contains(&key[0].as_str());
        self.keys.iter().filter(|(key, _)| plain(key)).map(|(key, mark)| (key.join("."), mark)).collect()
    }
}

/// `{ env = "..." }` and the other forms.
fn is_a_secret(entries: &Dict) -> bool {
    entries.len() == 1 && entries.keys().all(|name| FORMS.contains(&name.as_str()))
}

fn is_shown(key: &[String], value: &Value) -> bool {
    let told = |value: &Value| !matches!(value, Value::Dict(..));
    let plain = match value {
        Value::Array(_, items) => items.iter().all(told),
        other => told(other),
    };
    let last = key.last().map_or("", String::as_str);
    plain && SHOWN.contains(&key[0].as_str()) && !is_secret(key) && !last.contains("url") && !last.contains("key")
}

fn listed(items: &[Value], label: fn(usize, &Value) -> String) -> Vec<(String, Hash)> {
    items.iter().enumerate().map(|(at, item)| (label(at, item), hash(item))).collect()
}

fn route(at: usize, route: &Value) -> String {
    route.find_ref("name").and_then(Value::as_str).map_or_else(|| (at + 1).to_string(), str::to_owned)
}

fn poll(_: usize, poll: &Value) -> String {
    let text = |key| poll.find_ref(key).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", text("source"), text("operation"))
}

fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn hash(value: &Value) -> Hash {
    Sha256::digest(text(value)).into()
}
