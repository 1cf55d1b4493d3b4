//! A span that has ended. Values are names, numbers and words of closed lists: nothing of a payload, no secret.

use std::sync::Arc;

use super::Context;

/// What was done, from when until when.
#[derive(Debug, Clone)]
pub struct Span {
    /// Where it is.
    pub context: Context,
    /// The span that it is a part of.
    pub parent: Option<[u8; 8]>,
    /// The verb.
    pub name: &'static str,
    /// On which side of the wire.
    pub kind: Kind,
    /// Nanoseconds since 1970.
    pub began: u64,
    /// The same.
    pub ended: u64,
    /// What is known of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it failed, where it did.
    pub failed: Option<String>,
    /// Spans that it has to do with in other traces.
    pub links: Vec<Context>,
}

/// On which side of the wire a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On none.
    Internal,
    /// Somebody asked.
    Server,
    /// Somebody was asked.
    Client,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A name or a word.
    Text(Arc<str>),
    /// A word of a closed list.
    Word(&'static str),
    /// A number.
    Number(i64),
}

impl Span {
    /// Inside of the gateway.
    pub fn internal(name: &'static str, context: Context, parent: [u8; 8], (began, ended): (u64, u64)) -> Self {
        let parent = Some(parent);
        let (attributes, links) = (Vec::new(), Vec::new());
        Self { context, parent, name, kind: Kind::Internal, began, ended, attributes, failed: None, links }
    }
}
