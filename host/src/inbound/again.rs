//! A kept request, judged once more: verified at the time of its receipt, by the sources and the code of now. Nothing is
//! recorded here, and nobody is answered.

use std::sync::Arc;

use hyper::Method;
use hyper::header::CONTENT_LENGTH;
use jiff::SignedDuration;

use super::Inbound;
use crate::journal::NewRequest;
use crate::provider::handshake::{Greeting, greet};
use crate::provider::source::Source;
use crate::request::Incoming;

impl Inbound {
    /// What a refused request would have become: of the source that refused it, or of the one that has its path now. The
    /// error says why it still is none. Its body had this length.
    pub async fn refused_again(
        &self,
        source: Option<&str>,
        request: Arc<Incoming>,
        length: u64,
    ) -> Result<NewRequest, String> {
        let source = self.source_of(source, &request)?;
        if !source.takes(&request.method) {
            return Err(format!("method: the source {} does not take {}", source.name, request.method));
        }
        if !source.allows(request.peer) {
            return Err(format!("address: the sender's address is not in allow_from of the source {}", source.name));
        }
        if source.is_masked(&request.body) {
            return Err(format!(
                "its body was masked when it was kept, because the provider of {} declares `redact`: it cannot be \
                 verified any more, so the sender must send it again",
                source.name
            ));
        }
        if !is_whole(&request, length) {
            return Err("its body was not kept whole, so it cannot be verified: the sender must send it again".into());
        }
        let mut new = self.stored_again(&source, request).await?;
        // Copies of one event are known as such from now on, whenever they came.
        let late =
            SignedDuration::from_millis(self.clock.now().as_millisecond() - new.request.received.as_millisecond());
        for event in &mut new.events {
            event.key.until = event.key.until.map(|until| until.checked_add(late).unwrap_or(until));
        }
        Ok(new)
    }

    /// What a stored request is now.
    pub async fn stored_again(&self, source: &Arc<Source>, request: Arc<Incoming>) -> Result<NewRequest, String> {
        const HANDSHAKE: &str = "it is a handshake, and no event";
        if matches!(greet(source, &request), Greeting::Answered(_)) {
            return Err(HANDSHAKE.into());
        }
        let verified = self.verify(source, &request, request.received).await;
        let verified = verified.map_err(|rejection| format!("{}: {}", rejection.reason, rejection.detail))?;
        if verified.handshake.is_some() {
            return Err(HANDSHAKE.into());
        }
        Ok(self.decode(source, verified).await)
    }

    /// The source of this name, or of the request's path.
    pub fn source_of(&self, name: Option<&str>, request: &Incoming) -> Result<Arc<Source>, String> {
        let found = match name {
            Some(name) => self.sources.named(name),
            None => self.sources.at(request.path()),
        };
        found.cloned().ok_or_else(|| match name {
            Some(name) => format!("the source {name} is not configured any more"),
            None => format!("unknown_path: no source has the path {}", request.path()),
        })
    }
}

/// Whether all that was sent is there: bodies are cut off at a bound, and some were not read at all.
pub fn is_whole(request: &Incoming, length: u64) -> bool {
    let announced = request.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let kept = request.body.len() as u64;
    let bare =
        [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS].iter().any(|bare| bare == request.method.as_str());
    kept == length && announced.map_or(kept > 0 || bare, |announced| announced == kept)
}
