//! A plugin's code as the writer of its provider's signed texts.
//!
//! Verification is pure and waits for it; [`Source::costly`](crate::provider::source::Source::costly) keeps such a source off the
//! async threads.

use super::{Code, FaultKind, TextRequest};
use crate::provider::text::{Asked, NoText, SignedTexts};

impl SignedTexts for Code {
    fn text(&self, asked: &Asked<'_>) -> Result<Vec<u8>, NoText> {
        let Asked { name, request, url, settings } = *asked;
        let (method, target) = (request.method.as_str(), request.target.as_str());
        let (headers, body) = (&request.headers, &*request.body);
        let request = TextRequest { name, method, target, url, headers, body, settings };
        pollster::block_on(self.canonicalize(&request)).map_err(|fault| match fault.kind {
            FaultKind::Refused => NoText::Refused(fault.message),
            _ => NoText::Broken(fault.to_string()),
        })
    }
}
