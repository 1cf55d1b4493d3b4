//! `each` and `batch`: one request that says several things, cut where a JSON pointer with `*` says.

use super::json::{Document, Kind, Value, pointer};

/// More things in one request than any sender puts there.
pub(super) const MAX_PIECES: usize = 10_000;

/// A pointer whose step `*` stands for every element of a list. An object's members are no items: senders that send one
/// event alone or several in a list mean the object by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut(Vec<String>);

impl Cut {
    /// Reads a pointer with at least one `*`.
    pub(super) fn compile(text: &str) -> Result<Self, String> {
        let steps = pointer(text).ok_or_else(|| super::check::not_a_pointer(text))?;
        match steps.iter().any(|step| step == "*") {
            true => Ok(Self(steps)),
            false => Err(format!("{text:?} has no *, so it names one value: the elements of a list are {text}/*")),
        }
    }

    /// Every value that it reaches, in order; more than [`MAX_PIECES`] are an error.
    pub(super) fn pieces<'d>(&self, document: &'d Document<'d>) -> Result<Vec<Value<'d>>, String> {
        let mut found = Vec::new();
        collect(document.root(), &self.0, &mut found);
        match found.len() {
            0..=MAX_PIECES => Ok(found),
            more => Err(format!("{more} items in one request; {MAX_PIECES} are the most")),
        }
    }
}

fn collect<'d>(value: Value<'d>, steps: &[String], found: &mut Vec<Value<'d>>) {
    match steps.split_first() {
        None => found.push(value),
        Some((step, rest)) if step == "*" => {
            if value.kind() == Kind::Array {
                value.children().for_each(|child| collect(child, rest, found));
            }
        }
        Some((step, rest)) => {
            if let Some(child) = value.at(std::slice::from_ref(step)) {
                collect(child, rest, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pointer: &str, text: &str) -> Vec<String> {
        let document = Document::parse(text.as_bytes()).unwrap();
        let pieces = Cut::compile(pointer).unwrap().pieces(&document).unwrap();
        pieces.iter().map(|value| value.raw().to_owned()).collect()
    }

    #[test]
    fn a_star_stands_for_every_element_of_a_list_and_for_no_member() {
        assert_eq!(cut("/*", "[1, {\"a\":2}]"), ["1", "{\"a\":2}"]);
        assert_eq!(cut("/a/*/b", "{\"a\":[{\"b\":1},{\"c\":2},{\"b\":[3]}]}"), ["1", "[3]"]);
        assert_eq!(cut("/a/*/*", "{\"a\":[[1],[2,3]]}"), ["1", "2", "3"]);
        assert_eq!(cut("/*", "{\"id\":1,\"type\":\"one\"}"), [""; 0]);
        assert_eq!(cut("/a/*", "{\"a\":7}"), [""; 0]);
    }

    #[test]
    fn a_pointer_without_a_star_is_told_how_a_list_is_written() {
        assert!(Cut::compile("/events").unwrap_err().contains("/events/*"));
        assert!(Cut::compile("events/*").is_err());
    }

    #[test]
    fn a_request_of_countless_items_is_refused() {
        let text = format!("[{}1]", "1,".repeat(MAX_PIECES));
        let document = Document::parse(text.as_bytes()).unwrap();
        assert!(Cut::compile("/*").unwrap().pieces(&document).is_err());
    }
}
