//! The call for a signed text, as a worker is asked and as it answers.

use hookport_plugin_api::abi::code;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_bytes::{ByteBuf, Bytes};

use super::came::Came;
use super::wire::headers;
use crate::plugin::output::Output;
use crate::plugin::{Fault, FaultKind, Native, TextRequest};

/// A request that nobody has verified yet.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AskText<'a> {
    name: &'a str,
    method: &'a str,
    target: &'a str,
    url: Option<&'a str>,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a Bytes)>,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
    settings: &'a str,
}

impl<'a> AskText<'a> {
    pub(super) fn of(request: &TextRequest<'a>) -> Self {
        let TextRequest { name, method, target, url, headers, body, settings } = *request;
        let header = |(name, value): (&'a HeaderName, &'a HeaderValue)| (name.as_str(), Bytes::new(value.as_bytes()));
        Self { name, method, target, url, headers: headers.iter().map(header).collect(), body, settings }
    }

    /// Within the worker.
    pub(super) fn perform(&self, native: &Native) -> Came {
        let Some(headers): Option<HeaderMap> = headers(&self.headers) else {
            return Fault::new(FaultKind::BadOutput, "the call's headers cannot be read").into();
        };
        let Self { name, method, target, url, body, settings, .. } = *self;
        let request = TextRequest { name, method, target, url, headers: &headers, body, settings };
        native.canonicalize(&request).map_or_else(Came::from, |text| Came::Text(ByteBuf::from(text)))
    }
}

impl Came {
    /// The signed text of a request with so long a body.
    pub(super) fn text(self, body: usize) -> Result<Vec<u8>, Fault> {
        let Self::Text(text) = self else { return Err(self.fault()) };
        let mut output = Output::default();
        output.text(&text);
        output.into_text(code::OK, body)
    }
}
