//! What the two sides say to each other, but for what comes of a call, which is `came`'s.

use std::borrow::Cow;

use hookport_plugin_api::Header;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::text::AskText;
use crate::plugin::{Answer, DecodeRequest};

/// Within which bounds a worker works.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    /// Address space in bytes.
    pub(super) memory: u64,
    /// The finest level of lines that anybody wants.
    pub(super) finest: u32,
}

/// What holds a worker in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Whether calls of the system are filtered.
    pub(super) seccomp: bool,
    /// Whether the file system is closed.
    pub(super) landlock: bool,
}

/// A line for the log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) level: u32,
    pub(super) module: &'a str,
    pub(super) line: &'a str,
}

/// A call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Ask<'a> {
    Decode {
        method: &'a str,
        target: &'a str,
        #[serde(borrow)]
        headers: Vec<(&'a str, &'a Bytes)>,
        #[serde(with = "serde_bytes")]
        body: &'a [u8],
        received_ms: i64,
        declared_type: &'a str,
        declared_subject: Option<&'a str>,
        document: &'a str,
    },
    Build {
        operation: &'a str,
        input: &'a str,
        settings: &'a str,
    },
    Parse {
        operation: &'a str,
        input: &'a str,
        settings: &'a str,
        #[serde(borrow)]
        answers: Vec<Reply<'a>>,
    },
    #[serde(borrow)]
    Text(AskText<'a>),
}

/// An answer that an operation got.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply<'a> {
    status: u16,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a Bytes)>,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
    error: Option<&'a str>,
}

impl<'a> Ask<'a> {
    pub(super) fn decode(request: &DecodeRequest<'a>) -> Self {
        let header = |(name, value): (&'a HeaderName, &'a HeaderValue)| (name.as_str(), Bytes::new(value.as_bytes()));
        Self::Decode {
            method: request.method,
            target: request.target,
            headers: request.headers.iter().map(header).collect(),
            body: request.body,
            received_ms: request.received.as_millisecond(),
            declared_type: request.declared_type,
            declared_subject: request.declared_subject,
            document: request.document,
        }
    }

    pub(super) fn parse(operation: &'a str, input: &'a str, settings: &'a str, answers: &'a [Answer<'a>]) -> Self {
        let reply = |answer: &'a Answer<'a>| Reply {
            status: answer.status,
            headers: answer.headers.iter().map(|header| (header.name, Bytes::new(header.value))).collect(),
            body: &answer.body,
            error: answer.error.as_deref(),
        };
        Self::Parse { operation, input, settings, answers: answers.iter().map(reply).collect() }
    }
}

impl<'a> Reply<'a> {
    pub(super) fn answer(&self) -> Answer<'a> {
        Answer {
            status: self.status,
            headers: self.headers.iter().map(|(name, value)| Header { name, value }).collect(),
            body: Cow::Borrowed(self.body),
            error: self.error.map(Cow::Borrowed),
        }
    }
}

/// The headers and the time of a request, as a decoder takes them.
pub(super) fn received(headers: &[(&str, &Bytes)], received_ms: i64) -> Option<(HeaderMap, Timestamp)> {
    Some((self::headers(headers)?, Timestamp::from_millisecond(received_ms).ok()?))
}

/// The headers of a request.
pub(super) fn headers(pairs: &[(&str, &Bytes)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        map.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(map)
}
