//! XML bodies: read within bounds, looked up by path, shown as a JSON document.
//!
//! roxmltree reads; document types (and with them entities) are refused, and what would cost it more than its length is
//! refused before. Namespaces do not matter: an element is called by its local name.

mod bounds;
mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use roxmltree::{Document, Error, Node, ParsingOptions};

/// Elements inside elements; deeper nesting is refused.
pub const MAX_DEPTH: usize = 128;
/// Elements, texts, comments and instructions of a document; more are refused.
pub const MAX_NODES: u32 = 100_000;

/// A parsed document that borrows its text.
#[derive(Debug)]
pub struct Xml<'a>(Document<'a>);

/// Why a text is not a document that is read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not XML at line {line}, column {column}: {what}")]
pub struct NotXml {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What was found or wanted.
    pub what: &'static str,
}

impl NotXml {
    fn whole(what: &'static str) -> Self {
        Self { line: 1, column: 1, what }
    }
}

impl<'a> Xml<'a> {
    /// Reads a document: UTF-8, without a document type, within the bounds.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotXml> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotXml::whole("not UTF-8"))?;
        bounds::before(text).map_err(NotXml::whole)?;
        let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, entity_resolver: None };
        let document = Document::parse_with_options(text, options).map_err(|error| not_xml(&error))?;
        bounds::deep(&document).map_err(NotXml::whole)?;
        Ok(Self(document))
    }

    /// What the element at a path below the root says; nothing where a name on the way comes twice.
    pub fn text(&self, path: &[String]) -> Option<Cow<'_, str>> {
        self.at(path).map(said)
    }

    /// The root's children as fields, in order; nothing where fields alone do not say all that the document does, because
    /// there is text between them or an attribute on one.
    pub fn fields(&self) -> Option<Vec<(&str, Cow<'_, str>)>> {
        let root = self.0.root_element();
        let plain = |node: &Node<'_, '_>| node.attributes().len() == 0;
        let fields = || root.children().filter(Node::is_element);
        let whole = plain(&root) && own_text(root).trim().is_empty() && fields().all(|field| plain(&field));
        whole.then(|| fields().map(|field| (field.tag_name().name(), said(field))).collect())
    }

    /// The names that several of the root's children have.
    pub fn repeated(&self) -> impl Iterator<Item = &str> {
        let mut seen = std::collections::HashSet::new();
        let fields = self.0.root_element().children().filter(Node::is_element);
        fields.map(|field| field.tag_name().name()).filter(move |name| !seen.insert(*name))
    }

    /// Where an element's inside lies in the text, or the root's for a path without steps; nothing for one that is written
    /// `<a/>`, or is not there once.
    pub fn inside(&self, path: &[String]) -> Option<Range<usize>> {
        inside(self.at(path)?)
    }

    /// Where an element lies in the text, its tags included.
    pub fn span(&self, path: &[String]) -> Option<Range<usize>> {
        self.at(path).map(|node| node.range())
    }

    fn at(&self, path: &[String]) -> Option<Node<'_, 'a>> {
        path.iter().try_fold(self.0.root_element(), |node, step| {
            let mut named = node.children().filter(|child| child.is_element() && child.tag_name().name() == step);
            named.next().filter(|_| named.next().is_none())
        })
    }
}

/// An element's text; of one that holds elements, what is between its tags as received.
fn said<'d>(node: Node<'d, '_>) -> Cow<'d, str> {
    match node.children().any(|child| child.is_element()) {
        true => Cow::Borrowed(inside(node).map_or("", |inside| &node.document().input_text()[inside])),
        false => own_text(node),
    }
}

/// The texts right under an element, as one: a comment does not cut a text in two.
fn own_text<'d>(node: Node<'d, '_>) -> Cow<'d, str> {
    let mut texts = node.children().filter(Node::is_text).filter_map(|text| text.text());
    let first = texts.next().unwrap_or_default();
    texts.fold(Cow::Borrowed(first), |all, text| all + text)
}

fn inside(node: Node<'_, '_>) -> Option<Range<usize>> {
    let whole = node.range();
    let source = &node.document().input_text()[whole.clone()];
    let end = whole.start + source.rfind("</").filter(|_| !source.ends_with("/>"))?;
    let start = node.first_child().map_or(end, |first| first.range().start);
    Some(start..end)
}

/// In our words, because the reader's own hold names of the document.
fn not_xml(error: &Error) -> NotXml {
    let place = error.pos();
    let what = match error {
        Error::DtdDetected => "a document type (<!DOCTYPE) is not taken",
        Error::NodesLimitReached => "more than 100000 nodes",
        Error::UnknownEntityReference(..) | Error::MalformedEntityReference(_) => {
            "a reference that XML does not define"
        }
        Error::UnexpectedCloseTag(..) | Error::UnexpectedEntityCloseTag(_) => "the closing tag of another element",
        Error::UnknownNamespace(..) => "a prefix without a namespace",
        Error::DuplicatedAttribute(..) | Error::DuplicatedNamespace(..) => "an attribute comes twice",
        Error::NonXmlChar(..) => "a character that XML does not have",
        Error::NoRootNode => "there is no element",
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream => "the text ends too early",
        _ => "not well-formed",
    };
    NotXml { line: place.row, column: place.col, what }
}
