//! JSON read so that the bytes stay at hand: every value's own text, the order of keys, numbers as written, repeated keys.
//!
//! One pass over the text, one flat list of nodes in document order; nothing is copied until somebody asks for it.

use std::borrow::Cow;
use std::ops::Range;

/// Deeper nesting is refused.
pub const MAX_DEPTH: usize = 128;

/// A parsed document that borrows its text.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    duplicate: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    start: u32,
    end: u32,
    /// The member's name with its quotes; empty for elements and the root.
    key: (u32, u32),
    /// The index behind this node's last descendant.
    next: u32,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// `[...]`.
    Array,
    /// `{...}`.
    Object,
}

/// Why a text is not a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {at}: {what}")]
pub struct NotJson {
    /// The offset.
    pub at: usize,
    /// What was found or wanted.
    pub what: &'static str,
}

/// A value of a document; cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    index: usize,
}

impl<'a> Document<'a> {
    /// Reads a document: UTF-8, at most [`MAX_DEPTH`] deep, nothing behind it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotJson> {
        let text = std::str::from_utf8(bytes).map_err(|e| NotJson { at: e.valid_up_to(), what: "not UTF-8" })?;
        if text.len() > u32::MAX as usize {
            return Err(NotJson { at: 0, what: "longer than 4 GiB" });
        }
        let mut reader = Reader { bytes: text.as_bytes(), at: 0, nodes: Vec::with_capacity(text.len() / 16 + 4) };
        reader.space();
        reader.value((0, 0), 0)?;
        reader.space();
        if reader.at != text.len() {
            return Err(reader.wrong("text behind the document"));
        }
        let mut document = Self { text, nodes: reader.nodes, duplicate: None };
        document.duplicate = document.find_duplicate();
        Ok(document)
    }

    /// The whole value.
    pub fn root(&self) -> Value<'_> {
        Value { document: self, index: 0 }
    }

    /// A key that some object has twice.
    pub fn duplicate_key(&self) -> Option<&str> {
        self.duplicate.as_deref()
    }

    fn find_duplicate(&self) -> Option<String> {
        let mut names = Vec::new();
        for index in (0..self.nodes.len()).filter(|&i| self.nodes[i].kind == Kind::Object) {
            names.clear();
            names.extend(Value { document: self, index }.members().map(|(name, _)| name));
            names.sort_unstable();
            if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Some(pair[0].to_string());
            }
        }
        None
    }
}

impl<'d> Value<'d> {
    fn node(self) -> &'d Node {
        &self.document.nodes[self.index]
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Whether both are the same place of the same document.
    pub fn is(self, other: Value<'_>) -> bool {
        std::ptr::eq(self.document.text, other.document.text) && self.index == other.index
    }

    /// Its text as received, quotes included.
    pub fn raw(self) -> &'d str {
        &self.document.text[self.span()]
    }

    /// Where its text lies in the document.
    pub fn span(self) -> Range<usize> {
        self.node().start as usize..self.node().end as usize
    }

    /// What it says: a string without quotes and escapes, anything else as received.
    pub fn text(self) -> Cow<'d, str> {
        match self.kind() {
            Kind::String => unescape(&self.document.text[self.node().start as usize + 1..self.node().end as usize - 1]),
            _ => Cow::Borrowed(self.raw()),
        }
    }

    /// Null, `""`, `[]` or `{}`.
    pub fn is_empty(self) -> bool {
        match self.kind() {
            Kind::Null => true,
            Kind::String => self.raw().len() == 2,
            Kind::Array | Kind::Object => self.node().next as usize == self.index + 1,
            Kind::Bool | Kind::Number => false,
        }
    }

    /// The elements of an array or the values of an object, in order.
    pub fn children(self) -> impl Iterator<Item = Value<'d>> {
        let (document, end) = (self.document, self.node().next as usize);
        let first = if matches!(self.kind(), Kind::Array | Kind::Object) { self.index + 1 } else { end };
        std::iter::successors((first < end).then_some(first), move |&index| {
            let next = document.nodes[index].next as usize;
            (next < end).then_some(next)
        })
        .map(move |index| Value { document, index })
    }

    /// The members of an object, in the order received.
    pub fn members(self) -> impl Iterator<Item = (Cow<'d, str>, Value<'d>)> {
        let object = self.kind() == Kind::Object;
        self.children().filter(move |_| object).map(|value| (value.name(), value))
    }

    /// The name under which an object holds it; empty for elements and the root.
    pub fn name(self) -> Cow<'d, str> {
        let (start, end) = self.node().key;
        if end == 0 {
            return Cow::Borrowed("");
        }
        unescape(&self.document.text[start as usize + 1..end as usize - 1])
    }

    /// The value at a JSON pointer's steps; of a repeated key the last, as most parsers take it.
    pub fn at(self, steps: &[String]) -> Option<Value<'d>> {
        steps.iter().try_fold(self, |value, step| match value.kind() {
            Kind::Object => value.members().filter(|(name, _)| name == step).last().map(|(_, value)| value),
            Kind::Array => step.parse().ok().and_then(|index| value.children().nth(index)),
            _ => None,
        })
    }

    /// Written compact: order and number texts as received, strings minimally escaped, `/` and non-ASCII literal.
    pub fn write_compact(self, out: &mut Vec<u8>) {
        self.write(out, &mut |value| match value.kind() {
            Kind::String if value.raw().contains('\\') => {
                let mut minimal = Vec::with_capacity(value.raw().len());
                write_string(value.text().as_bytes(), &mut minimal);
                Edit::Replace(minimal)
            }
            _ => Edit::Keep,
        });
    }

    /// Written without white space, every scalar as received, unless `edit` says otherwise; asked before descending.
    pub fn write(self, out: &mut Vec<u8>, edit: &mut impl FnMut(Value<'d>) -> Edit) {
        match edit(self) {
            Edit::Keep => self.write_inside(out, edit),
            Edit::Drop => out.extend_from_slice(b"null"),
            Edit::Replace(text) => out.extend_from_slice(&text),
        }
    }

    fn write_inside(self, out: &mut Vec<u8>, edit: &mut impl FnMut(Value<'d>) -> Edit) {
        let (open, close) = match self.kind() {
            Kind::Object => (b'{', b'}'),
            Kind::Array => (b'[', b']'),
            _ => return out.extend_from_slice(self.raw().as_bytes()),
        };
        out.push(open);
        let empty = out.len();
        for child in self.children() {
            let edited = edit(child);
            if matches!(edited, Edit::Drop) {
                continue;
            }
            if out.len() > empty {
                out.push(b',');
            }
            if self.kind() == Kind::Object {
                write_string(child.name().as_bytes(), out);
                out.push(b':');
            }
            match edited {
                Edit::Replace(text) => out.extend_from_slice(&text),
                _ => child.write_inside(out, edit),
            }
        }
        out.push(close);
    }
}

/// What becomes of a value when its document is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// As it is, and what is inside is asked about.
    Keep,
    /// Left out, with its name.
    Drop,
    /// This JSON text instead.
    Replace(Vec<u8>),
}

/// Splits a JSON pointer into its steps; `None` when it does not begin with `/` and is not empty.
pub fn pointer(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let steps = text.strip_prefix('/')?.split('/');
    Some(steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

/// Writes a JSON string literal in which only what JSON demands is escaped. The bytes may be any; they pass as they are.
pub fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[byte as usize >> 4], HEX[byte as usize & 15]])
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Resolves the escapes of a string that was checked before; half a surrogate pair becomes U+FFFD.
fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('\\') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(escape) = rest.strip_prefix('\\') {
        let (character, used) = match escape.as_bytes()[0] {
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'u' => unicode(escape),
            other => (other as char, 1),
        };
        out.push(character);
        let plain = &escape[used..];
        let end = plain.find('\\').unwrap_or(plain.len());
        out.push_str(&plain[..end]);
        rest = &plain[end..];
    }
    Cow::Owned(out)
}

/// The character of `uXXXX` or `uXXXX\uXXXX`, and how many bytes it took.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |text: &str| u32::from_str_radix(text, 16).unwrap_or(0xFFFD);
    let first = unit(&escape[1..5]);
    if (0xD800..0xDC00).contains(&first) && escape[5..].starts_with("\\u") {
        let second = unit(&escape[7..11]);
        if (0xDC00..0xE000).contains(&second) {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return (char::from_u32(code).unwrap_or('\u{FFFD}'), 11);
        }
    }
    (char::from_u32(first).unwrap_or('\u{FFFD}'), 5)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
}

impl Reader<'_> {
    fn wrong(&self, what: &'static str) -> NotJson {
        NotJson { at: self.at, what }
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    fn value(&mut self, key: (u32, u32), depth: usize) -> Result<(), NotJson> {
        let (index, start) = (self.nodes.len(), self.at as u32);
        self.nodes.push(Node { kind: Kind::Null, start, end: 0, key, next: 0 });
        let kind = match self.peek() {
            b'{' | b'[' if depth == MAX_DEPTH => return Err(self.wrong("nested deeper than 128")),
            b'{' => self.container(b'}', depth).map(|()| Kind::Object),
            b'[' => self.container(b']', depth).map(|()| Kind::Array),
            b'"' => self.string().map(|()| Kind::String),
            b'-' | b'0'..=b'9' => self.number().map(|()| Kind::Number),
            b't' => self.word(b"true").map(|()| Kind::Bool),
            b'f' => self.word(b"false").map(|()| Kind::Bool),
            b'n' => self.word(b"null").map(|()| Kind::Null),
            _ => Err(self.wrong("a value was expected")),
        }?;
        let (end, next) = (self.at as u32, self.nodes.len() as u32);
        self.nodes[index] = Node { kind, start, end, key, next };
        Ok(())
    }

    fn container(&mut self, close: u8, depth: usize) -> Result<(), NotJson> {
        self.at += 1;
        self.space();
        if self.peek() == close {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = if close == b'}' { self.name()? } else { (0, 0) };
            self.value(key, depth + 1)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                byte if byte == close && self.at < self.bytes.len() => break self.at += 1,
                _ => return Err(self.wrong("a comma or the closing bracket was expected")),
            }
            self.space();
        }
        Ok(())
    }

    fn name(&mut self) -> Result<(u32, u32), NotJson> {
        let start = self.at as u32;
        if self.peek() != b'"' {
            return Err(self.wrong("a member's name was expected"));
        }
        self.string()?;
        let end = self.at as u32;
        self.space();
        if self.peek() != b':' {
            return Err(self.wrong("a colon was expected"));
        }
        self.at += 1;
        self.space();
        Ok((start, end))
    }

    fn string(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => return Err(self.wrong("a string does not end")),
                Some(b'"') => break self.at += 1,
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return Err(self.wrong("a control character in a string")),
                Some(_) => self.at += 1,
            }
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' if self.bytes.len() >= self.at + 5
                && self.bytes[self.at + 1..self.at + 5].iter().all(u8::is_ascii_hexdigit) =>
            {
                self.at += 5;
            }
            _ => return Err(self.wrong("not an escape")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), NotJson> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.wrong("a digit was expected")) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.wrong("a value was expected"));
        }
        self.at += word.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compact(text: &str) -> String {
        let mut out = Vec::new();
        Document::parse(text.as_bytes()).unwrap().root().write_compact(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn order_and_number_texts_stay_and_escapes_become_minimal() {
        let text = r#" { "b" : 100000.00 , "a/":"\/x\u00e9\n", "n":[ 1e2 , -0 ,{} ,[ ] ] } "#;
        assert_eq!(compact(text), r#"{"b":100000.00,"a/":"/xé\n","n":[1e2,-0,{},[]]}"#);
    }

    #[test]
    fn pointers_reach_members_and_elements() {
        let document = Document::parse(br#"{"a/b":[{"c~":"x"},7]}"#).unwrap();
        let at = |text: &str| document.root().at(&pointer(text).unwrap()).map(|value| value.text().into_owned());
        assert_eq!(at("/a~1b/0/c~0").as_deref(), Some("x"));
        assert_eq!(at("/a~1b/1").as_deref(), Some("7"));
        assert_eq!(at("/a~1b/2"), None);
    }

    #[test]
    fn a_repeated_key_is_noticed_at_any_depth_also_when_escaped() {
        assert_eq!(Document::parse(br#"{"x":[{"a":1,"\u0061":2}]}"#).unwrap().duplicate_key(), Some("a"));
        assert_eq!(Document::parse(br#"{"x":{"a":1},"y":{"a":2}}"#).unwrap().duplicate_key(), None);
    }

    #[test]
    fn depth_is_bounded_at_128() {
        let nest = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Document::parse(nest(128).as_bytes()).is_ok());
        assert!(Document::parse(nest(129).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn it_takes_and_reads_what_serde_json_does(text in r#"[\[\]{}:,"\\a0-9.eE+\-u \ntrufalsn]{0,24}"#) {
            let ours = Document::parse(text.as_bytes()).is_ok();
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(ours, theirs, "{}", text);
        }

        #[test]
        fn what_serde_json_writes_comes_back_the_same(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let again: serde_json::Value = serde_json::from_str(&compact(&text)).unwrap();
            prop_assert_eq!(again, value);
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
