//! What a proven request says: its document, and the events that it holds.

use bytes::Bytes;
use hookport_plugin_api::description::Content;
use hyper::header::CONTENT_TYPE;
use jiff::Timestamp;

use super::document::document;
use super::identity::Declared;
use super::json::Document;
use super::prove::Proof;
use super::source::Source;
use super::view::{Parsed, Reads, View};
use crate::event::Data;
use crate::request::Incoming;

/// One event as the description has it.
#[derive(Debug, Clone)]
pub struct Item {
    /// What it is called, and by which key a repeat is known.
    pub declared: Declared,
    /// What it says, without the signature.
    pub data: Data,
}

/// A proven request on its way to events.
pub(super) struct Telling<'a> {
    pub(super) source: &'a Source,
    /// As received.
    pub(super) parsed: &'a Parsed<'a>,
    pub(super) now: Timestamp,
}

impl Telling<'_> {
    /// The events of the body; the error says why it is not what the provider sends.
    pub(super) fn body(&self, proof: &Proof<'_>) -> Result<Vec<Item>, String> {
        self.document(self.parsed, proof)
    }

    /// The events of a document that stands in the request, or was encrypted in it.
    pub(super) fn payload(&self, bytes: Vec<u8>, proof: &Proof<'_>) -> Result<Vec<Item>, String> {
        let request = self.standing_in(bytes.into());
        let (content, reads) = (self.source.provider.content, self.source.provider.reads);
        self.document(&Parsed::new(&request, reads.with(Reads::of(content))), proof)
    }

    /// The event of one of the pieces that proved themselves.
    pub(super) fn piece(&self, piece: &Incoming, proof: &Proof<'_>, nth: Option<usize>) -> Result<Item, String> {
        let parsed = Parsed::new(piece, Reads { json: true, ..self.source.provider.reads });
        let data = self.data(Content::Json, &parsed)?;
        Ok(self.item(&parsed, data, proof, nth))
    }

    /// The request with a part of it as its body.
    pub(super) fn standing_in(&self, body: Bytes) -> Incoming {
        let mut request = Incoming { body, ..self.parsed.request.clone() };
        request.headers.remove(CONTENT_TYPE);
        request
    }

    fn document(&self, inner: &Parsed<'_>, proof: &Proof<'_>) -> Result<Vec<Item>, String> {
        let data = self.data(self.source.provider.content, inner)?;
        if let (Some(batch), Data::Json(json)) = (&self.source.provider.identity.batch, &data) {
            let document = Document::parse(json).map_err(|error| error.to_string())?;
            let pieces = batch.pieces(&document)?;
            // A document that holds no list is one event: nothing is lost.
            if !pieces.is_empty() {
                let several = pieces.len() > 1;
                let pieces = pieces.into_iter().enumerate().map(|(nth, piece)| {
                    let request = self.standing_in(json.slice(piece.span()));
                    self.piece(&request, proof, several.then_some(nth))
                });
                return pieces.collect();
            }
        }
        Ok(vec![self.item(inner, data, proof, None)])
    }

    pub(super) fn item(&self, inner: &Parsed<'_>, data: Data, proof: &Proof<'_>, nth: Option<usize>) -> Item {
        let url = proof.url.or(self.source.urls.first());
        let view = View { sig: &proof.sig, url, envelope: Some(self.parsed), ..self.source.view(inner) };
        let (source, identity) = (&self.source.name, &self.source.provider.identity);
        Item { declared: identity.declare(source, &view, self.parsed.request, nth, self.now), data }
    }

    /// The body as it came.
    pub(super) fn raw(&self) -> Data {
        raw(self.parsed.request)
    }

    fn data(&self, content: Content, inner: &Parsed<'_>) -> Result<Data, String> {
        let json = document(content, inner, &self.source.provider.signed_fields)?;
        Ok(json.map_or_else(|| raw(inner.request), Data::Json))
    }
}

fn raw(request: &Incoming) -> Data {
    if request.body.is_empty() {
        return Data::None;
    }
    let kind = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Data::Bytes(request.body.clone(), kind.unwrap_or("application/octet-stream").to_owned())
}
