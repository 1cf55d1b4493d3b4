//! A request that nobody has verified yet, as the function sees it that writes its signed text. The host compares that text with
//! the signature; the function sees neither, and no secret.

use std::fmt;

use serde::Deserialize;

use crate::Header;
use crate::abi::{RequestView, attribute};
use crate::request::{headers, text_of};

/// A request whose sender is not known: anybody may have written every byte of it.
pub struct Unverified<'a> {
    view: &'a RequestView<'a>,
}

impl<'a> Unverified<'a> {
    pub(crate) fn new(view: &'a RequestView<'a>) -> Self {
        Self { view }
    }

    /// Which text is asked for: its name under `[let]`.
    pub fn text_name(&self) -> &'a str {
        self.attribute(attribute::TEXT).unwrap_or_default()
    }

    /// Upper case.
    pub fn method(&self) -> &'a str {
        self.view.method.as_str()
    }

    /// Path and query as received.
    pub fn target(&self) -> &'a str {
        self.view.target.as_str()
    }

    /// The URL that the sender calls: the configured public one, never what the request says of itself. Absent where none is
    /// configured. Of several each is tried.
    pub fn url(&self) -> Option<&'a str> {
        self.attribute(attribute::URL)
    }

    /// The headers as received.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = Header<'a>> + use<'a> {
        headers(self.view.headers.as_slice())
    }

    /// The first header of that name whose value is text; case does not matter.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        text_of(self.headers(), name)
    }

    /// The body as received.
    pub fn body(&self) -> &'a [u8] {
        self.view.body.as_slice()
    }

    /// The body as JSON. For fields that are text take `Cow` or `String`: senders escape, and `&str` then fails.
    pub fn json<T: Deserialize<'a>>(&self) -> Result<T, TextError> {
        serde_json::from_slice(self.body()).map_err(|error| TextError::new(format!("not as documented: {error}")))
    }

    /// The source's settings, by name; all are texts.
    pub fn settings<T: Deserialize<'a>>(&self) -> Result<T, TextError> {
        serde_json::from_str(self.attribute(attribute::SETTINGS).unwrap_or("{}"))
            .map_err(|error| TextError::new(format!("the settings are wrong: {error}")))
    }

    fn attribute(&self, key: u32) -> Option<&'a str> {
        let found = self.view.attributes.as_slice().iter().find(|attribute| attribute.key == key)?;
        std::str::from_utf8(found.value.as_slice()).ok()
    }
}

/// Why a request has no signed text. It is refused then: what cannot be signed was not signed by its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    message: String,
}

impl TextError {
    /// Says what is wrong, for the operator.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TextError {}

impl From<&str> for TextError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for TextError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}
