//! A verified request as a decoder sees it: borrowed, and only for the call.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::abi::{HeaderView, RequestView, has};
use crate::{DecodeError, Fields};

/// A request that the host has verified.
pub struct Request<'a> {
    view: &'a RequestView<'a>,
}

/// One header as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Lower case.
    pub name: &'a str,
    /// Bytes, because HTTP does not promise text.
    pub value: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn new(view: &'a RequestView<'a>) -> Self {
        Self { view }
    }

    /// Upper case.
    pub fn method(&self) -> &'a str {
        self.view.method.as_str()
    }

    /// Path and query as received.
    pub fn target(&self) -> &'a str {
        self.view.target.as_str()
    }

    /// The headers as received.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = Header<'a>> + use<'a> {
        headers(self.view.headers.as_slice())
    }

    /// The first header of that name whose value is text; case does not matter.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        text_of(self.headers(), name)
    }

    /// The body as received, signature field and all.
    pub fn body(&self) -> &'a [u8] {
        self.view.body.as_slice()
    }

    /// When the request arrived, in milliseconds since 1970. Decoders know no other time, so that a replay says the same.
    pub fn received_unix_ms(&self) -> i64 {
        self.view.received_unix_ms
    }

    /// The event's type by the description, without the provider's id; empty where the description names none.
    pub fn declared_type(&self) -> &'a str {
        self.view.declared_type.as_str()
    }

    /// The event's subject by the description.
    pub fn declared_subject(&self) -> Option<&'a str> {
        (self.view.has & has::SUBJECT != 0).then(|| self.view.declared_subject.as_str())
    }

    /// The `data` that the event has if the decoder gives none: the body's JSON as received, without the signature field.
    /// Empty where the body is not JSON.
    pub fn document(&self) -> &'a str {
        self.view.document.as_str()
    }

    /// The document as `T`. For fields that are text take `Cow` or `String`: senders escape, and `&str` then fails.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.document()).map_err(DecodeError::from)
    }

    /// The document's own members in the order received, values as written.
    pub fn fields(&self) -> Result<Fields<'a>, DecodeError> {
        self.json()
    }

    /// One member of the document as written.
    pub fn field(&self, name: &str) -> Result<Option<Box<RawValue>>, DecodeError> {
        Ok(self.fields()?.get(name).map(ToOwned::to_owned))
    }
}

pub(crate) fn headers<'a>(views: &'a [HeaderView<'a>]) -> impl ExactSizeIterator<Item = Header<'a>> + use<'a> {
    views.iter().map(|view| Header { name: view.name.as_str(), value: view.value.as_slice() })
}

pub(crate) fn text_of<'a>(mut headers: impl Iterator<Item = Header<'a>>, name: &str) -> Option<&'a str> {
    headers.find_map(|header| {
        header.name.eq_ignore_ascii_case(name).then(|| std::str::from_utf8(header.value).ok()).flatten()
    })
}
