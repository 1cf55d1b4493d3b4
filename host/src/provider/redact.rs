//! `redact`: what no log, rejection or screen may show. Pointers go on inside a string that holds JSON; `*` is any
//! one step, `**` any number of them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::json::{Document, Edit, Kind, Value, write_string};

const MASK: &[u8] = b"\"***\"";

/// The document with the pointers' values masked; bytes that are not JSON are withheld whole.
pub fn mask(bytes: &[u8], pointers: &[Vec<String>]) -> Bytes {
    if pointers.is_empty() || bytes.is_empty() {
        return Bytes::copy_from_slice(bytes);
    }
    let Ok(document) = Document::parse(bytes) else {
        return Bytes::from(format!(
            "[{} bytes withheld: the provider declares redacted fields and this does not parse]",
            bytes.len()
        ));
    };
    let mut out = Vec::with_capacity(bytes.len());
    write(&document, pointers, &mut out);
    out.into()
}

fn write(document: &Document<'_>, pointers: &[Vec<String>], out: &mut Vec<u8>) {
    let mut masked = HashSet::new();
    let mut inside: HashMap<usize, Vec<Vec<String>>> = HashMap::new();
    for pointer in pointers {
        find(document.root(), pointer, &mut |value, rest| match rest {
            [] => {
                masked.insert(value.span().start);
            }
            rest => inside.entry(value.span().start).or_default().push(rest.to_vec()),
        });
    }
    document.root().write(out, &mut |value| {
        let start = value.span().start;
        if masked.contains(&start) {
            return Edit::Replace(MASK.to_vec());
        }
        match inside.get(&start) {
            Some(rest) if value.kind() == Kind::String => nested(value, rest),
            _ => Edit::Keep,
        }
    });
}

/// A string whose text is JSON is masked inside. One that only begins as JSON, or that names what should be masked, is
/// masked whole.
fn nested(value: Value<'_>, pointers: &[Vec<String>]) -> Edit {
    let text = value.text();
    match Document::parse(text.as_bytes()) {
        Ok(document) if matches!(document.root().kind(), Kind::Object | Kind::Array | Kind::String) => {
            let (mut inner, mut literal) = (Vec::new(), Vec::new());
            write(&document, pointers, &mut inner);
            write_string(&inner, &mut literal);
            Edit::Replace(literal)
        }
        _ if text.trim_start().starts_with(['{', '[', '"']) => Edit::Replace(MASK.to_vec()),
        _ if pointers.iter().filter_map(|pointer| pointer.last()).any(|name| text.contains(name.as_str())) => {
            Edit::Replace(MASK.to_vec())
        }
        _ => Edit::Keep,
    }
}

/// Calls `found` with every value that the pointer reaches, and with strings that it would have to go on inside of.
fn find<'d>(value: Value<'d>, pointer: &[String], found: &mut impl FnMut(Value<'d>, &[String])) {
    let Some((step, rest)) = pointer.split_first() else { return found(value, pointer) };
    if value.kind() == Kind::String {
        return found(value, pointer);
    }
    if step == "**" {
        find(value, rest, found);
    }
    for (index, child) in value.children().enumerate() {
        let named = match value.kind() {
            Kind::Object => child.name() == *step,
            _ => index.to_string() == *step,
        };
        if step == "**" {
            find(child, pointer, found);
        } else if named || step == "*" {
            find(child, rest, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::pointer;
    use super::*;

    #[test]
    fn values_are_masked_at_any_depth_also_inside_json_text() {
        let pointers: Vec<_> = ["/a/**/pin", "/b/*/no", "/a/cvv"].iter().map(|text| pointer(text).unwrap()).collect();
        let text =
            r#"{"a":{"cvv":123,"x":[{"pin":"9"}],"pin":0},"b":[{"no":"1","k":2.50},{"no":null}],"c":{"pin":"seen"}}"#;
        let masked = r#"{"a":{"cvv":"***","x":[{"pin":"***"}],"pin":"***"},"b":[{"no":"***","k":2.50},{"no":"***"}],"c":{"pin":"seen"}}"#;
        assert_eq!(mask(text.as_bytes(), &pointers), masked);
        let text = r#"{"a":"{\"cvv\":\"345\",\"n\":1.0}"}"#;
        assert_eq!(mask(text.as_bytes(), &pointers), r#"{"a":"{\"cvv\":\"***\",\"n\":1.0}"}"#);
    }

    #[test]
    fn a_text_that_is_broken_json_or_names_what_is_hidden_is_masked_whole() {
        let pointers = [pointer("/a/**/cvv").unwrap()];
        for text in [r#"{"a":"{\"cvv\":\"345\""}"#, r#"{"a":"cvv=345"}"#, r#"{"a":{"b":"[\"cvv\", 345"}}"#] {
            let masked = mask(text.as_bytes(), &pointers);
            assert!(!String::from_utf8_lossy(&masked).contains("345"), "{text}");
        }
        assert_eq!(mask(br#"{"a":{"b":"2025-03-03"}}"#, &pointers), &br#"{"a":{"b":"2025-03-03"}}"#[..]);
    }

    #[test]
    fn many_strings_take_no_more_than_their_length() {
        let text = format!("{{\"a\":[{}\"\"]}}", "\"\",".repeat(200_000));
        assert_eq!(mask(text.as_bytes(), &[pointer("/a/**/cvv").unwrap()]).len(), text.len());
    }

    #[test]
    fn what_does_not_parse_is_withheld() {
        let masked = mask(b"{\"a\":{\"cvv\":345", &[pointer("/a/cvv").unwrap()]);
        assert!(!String::from_utf8_lossy(&masked).contains("345"));
    }
}
