//! JSON read so that the bytes stay at hand: every value's own text, the order of keys, numbers as written, repeated keys.
//!
//! One pass over the text, one flat list of nodes in document order; nothing is copied until somebody asks for it.

mod read;
mod text;

use std::borrow::Cow;
use std::ops::Range;

use self::read::Reader;
use self::text::unescape;
pub use self::text::write_string;
use super::fields::twice;

/// Deeper nesting is refused.
pub const MAX_DEPTH: usize = 128;

/// A parsed document that borrows its text.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    duplicate: Option<String>,
    compact: bool,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    /// Whether it is a string with an escape in it.
    escaped: bool,
    start: u32,
    end: u32,
    key: Key,
    /// The index behind this node's last descendant.
    next: u32,
}

/// The place of a member's name with its quotes; empty for elements and the root.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    start: u32,
    end: u32,
    /// Whether there is an escape in it.
    escaped: bool,
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
        let mut reader =
            Reader { bytes: text.as_bytes(), at: 0, nodes: Vec::with_capacity(text.len() / 16 + 4), compact: true };
        reader.space();
        reader.value(Key::default(), 0)?;
        reader.space();
        if reader.at != text.len() {
            return Err(reader.wrong("text behind the document"));
        }
        let mut document = Self { text, nodes: reader.nodes, duplicate: None, compact: reader.compact };
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

    /// Whether it is written as [`Value::write`] writes it.
    pub fn is_compact(&self) -> bool {
        self.compact
    }

    fn find_duplicate(&self) -> Option<String> {
        let mut names = Vec::with_capacity(16);
        for index in (0..self.nodes.len()).filter(|&i| self.nodes[i].kind == Kind::Object) {
            names.clear();
            Value { document: self, index }.children().for_each(|value| names.push(value.name()));
            if let Some(name) = twice(&mut names) {
                return Some(name.to_string());
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
            Kind::String => unquoted(self.raw(), self.node().escaped),
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
        match self.node().key {
            Key { end: 0, .. } => Cow::Borrowed(""),
            key => unquoted(&self.document.text[key.start as usize..key.end as usize], key.escaped),
        }
    }

    /// The value at a JSON pointer's steps; of a repeated key the last, as most parsers take it.
    pub fn at(self, steps: &[String]) -> Option<Value<'d>> {
        steps.iter().try_fold(self, |value, step| match value.kind() {
            Kind::Object => value.children().filter(|value| value.name() == *step).last(),
            Kind::Array => step.parse().ok().and_then(|index| value.children().nth(index)),
            _ => None,
        })
    }

    /// The document without this value, which is not the root, where it is compact: all around it as received.
    pub(super) fn cut(self) -> Vec<u8> {
        let (text, node) = (self.document.text.as_bytes(), self.node());
        let start = if node.key.end > 0 { node.key.start } else { node.start } as usize;
        let (before, behind) = (&text[..start], &text[node.end as usize..]);
        match before.strip_suffix(b",") {
            Some(before) => [before, behind].concat(),
            None => [before, behind.strip_prefix(b",").unwrap_or(behind)].concat(),
        }
    }

    /// Written compact: order and number texts as received, strings minimally escaped, `/` and non-ASCII literal.
    pub fn write_compact(self, out: &mut Vec<u8>) {
        self.write(out, &mut |value| match value.kind() {
            Kind::String if value.node().escaped => {
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

/// What a string literal says.
fn unquoted(literal: &str, escaped: bool) -> Cow<'_, str> {
    let inside = &literal[1..literal.len() - 1];
    if escaped { unescape(inside) } else { Cow::Borrowed(inside) }
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

#[cfg(test)]
mod tests;
