//! What of an answer is new or changed since the last one: pure in the answer and what was seen before.
//!
//! An item that is not in an answer is no change: it may be in the next one, and then it is compared with what it was.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::provider::json::{Document, Kind, Value, write_string};

/// What a poll remembers, in the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// When it ran last.
    pub(super) at: Option<Timestamp>,
    /// How often it was written; tells equal changes apart that come after each other.
    pub(super) run: u64,
    /// A hash of each item by the item's key.
    pub(super) items: BTreeMap<String, String>,
}

/// An item that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changed {
    /// The value of the item's key field.
    pub(super) key: String,
    /// The item as received.
    pub(super) item: String,
    /// What it was, unless it is new.
    pub(super) before: Option<String>,
    /// What it is.
    pub(super) now: String,
}

/// What a comparison found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Compared {
    /// In the answer's order.
    pub(super) changed: Vec<Changed>,
    /// Items as they were.
    pub(super) same: usize,
    /// Items without the key field.
    pub(super) nameless: usize,
}

impl Seen {
    /// Compares the items at `steps`; of several with one key the last counts.
    pub(super) fn compare(&self, output: &str, steps: &[String], field: &str) -> Result<Compared, String> {
        let document = Document::parse(output.as_bytes()).map_err(|error| format!("the output is {error}"))?;
        let place = || format!("the output has no list at /{}", steps.join("/"));
        let list = document.root().at(steps).filter(|list| list.kind() == Kind::Array).ok_or_else(place)?;
        let mut compared = Compared::default();
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        let items: Vec<_> = list.children().map(|item| (name_of(item, field), item)).collect();
        for (index, (name, _)) in items.iter().enumerate() {
            match name {
                Some(name) => drop(last.insert(name.clone(), index)),
                None => compared.nameless += 1,
            }
        }
        for (index, (name, item)) in items.into_iter().enumerate() {
            let Some(key) = name.filter(|name| last.get(name) == Some(&index)) else { continue };
            let (before, now) = (self.items.get(&key), hash(item));
            match before == Some(&now) {
                true => compared.same += 1,
                false => {
                    let (item, before) = (item.raw().to_owned(), before.cloned());
                    compared.changed.push(Changed { key, item, before, now });
                }
            }
        }
        Ok(compared)
    }

    /// What is remembered after the changes became events.
    pub(super) fn after(&self, changed: &[Changed], at: Timestamp) -> Self {
        let mut items = self.items.clone();
        items.extend(changed.iter().map(|changed| (changed.key.clone(), changed.now.clone())));
        Self { at: Some(at), run: self.run.wrapping_add(1), items }
    }
}

fn name_of(item: Value<'_>, field: &str) -> Option<String> {
    let name = item.at(&[field.to_owned()])?;
    let scalar = matches!(name.kind(), Kind::String | Kind::Number | Kind::Bool);
    Some(name.text().into_owned()).filter(|text| scalar && !text.is_empty())
}

/// Equal for equal documents: the order of members, white space and escapes do not count, the texts of numbers do.
fn hash(item: Value<'_>) -> String {
    let mut text = Vec::new();
    write(item, &mut text);
    hex::encode(&Sha256::digest(&text)[..16])
}

fn write(value: Value<'_>, out: &mut Vec<u8>) {
    match value.kind() {
        Kind::Object => {
            let members: BTreeMap<_, _> = value.members().collect();
            out.push(b'{');
            for (name, member) in members {
                write_string(name.as_bytes(), out);
                out.push(b':');
                write(member, out);
                out.push(b',');
            }
            out.push(b'}');
        }
        Kind::Array => {
            out.push(b'[');
            for child in value.children() {
                write(child, out);
                out.push(b',');
            }
            out.push(b']');
        }
        Kind::String => write_string(value.text().as_bytes(), out),
        _ => out.extend_from_slice(value.raw().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(seen: &Seen, output: &str) -> Compared {
        seen.compare(output, &["result".to_owned()], "id").unwrap()
    }

    fn keys(compared: &Compared) -> Vec<&str> {
        compared.changed.iter().map(|changed| changed.key.as_str()).collect()
    }

    fn after(seen: &Seen, output: &str) -> Seen {
        seen.after(&compare(seen, output).changed, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_was_never_seen_is_new_and_what_is_the_same_is_not() {
        let first = r#"{"result":[{"id":"a","n":1.0},{"id":7}]}"#;
        let compared = compare(&Seen::default(), first);
        assert_eq!(keys(&compared), ["a", "7"]);
        assert_eq!((compared.changed[0].item.as_str(), &compared.changed[0].before), (r#"{"id":"a","n":1.0}"#, &None));
        let seen = after(&Seen::default(), first);
        let again = compare(&seen, r#"{"result":[{ "n" : 1.0, "id":"\u0061" },{"id":7}]}"#);
        assert_eq!((keys(&again), again.same), (vec![], 2));
        assert_eq!(keys(&compare(&seen, r#"{"result":[{"id":"a","n":1.00}]}"#)), ["a"]);
    }

    #[test]
    fn an_item_that_is_missing_keeps_its_state() {
        let seen = after(&Seen::default(), r#"{"result":[{"id":"a"},{"id":"b"}]}"#);
        let seen = after(&seen, r#"{"result":[{"id":"b","x":1}]}"#);
        assert_eq!((seen.run, seen.items.len()), (2, 2));
        assert_eq!(keys(&compare(&seen, r#"{"result":[{"id":"a"},{"id":"b","x":1}]}"#)), Vec::<&str>::new());
    }

    #[test]
    fn of_one_key_the_last_item_counts_and_without_a_key_there_is_nothing_to_compare() {
        let compared = compare(
            &Seen::default(),
            r#"{"result":[{"id":"a","n":1},{"id":"a","n":2},{"n":3},{"id":null},{"id":""},[]]}"#,
        );
        assert_eq!(keys(&compared), ["a"]);
        assert_eq!((compared.changed[0].item.as_str(), compared.nameless), (r#"{"id":"a","n":2}"#, 4));
    }

    #[test]
    fn an_output_without_the_list_is_told() {
        for output in ["{", "{}", r#"{"result":{}}"#] {
            assert!(Seen::default().compare(output, &["result".to_owned()], "id").is_err(), "{output}");
        }
    }
}
