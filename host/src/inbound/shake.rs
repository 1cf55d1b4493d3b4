//! Handshakes: a sender that asks whether the address is ours is answered, and nothing is recorded.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Inbound;
use crate::journal::NewCapture;
use crate::metrics::Answered;
use crate::provider::ack::Ack;
use crate::provider::handshake::Answer;
use crate::provider::source::Source;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

impl Inbound {
    /// Answers a handshake; no event comes of it. What its sender tells is durable before it is acknowledged.
    pub(super) async fn shake(
        &self,
        source: &Arc<Source>,
        answer: Result<Answer, Rejection>,
        request: &Incoming,
    ) -> Result<Ack, Rejection> {
        let Answer { ack, captured } = answer.inspect_err(|rejection| self.keep(Some(source), rejection, request))?;
        for (secret, value) in captured {
            let (source, received, peer) = (source.name.clone(), request.received, request.peer);
            let kept = self.journal.capture(NewCapture { source, secret, value, received, peer }).await;
            kept.map_err(|error| Rejection::new(Reason::Unavailable, error.to_string()))?;
        }
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        self.meters.source(source).answered.count(Answered::Handshake);
        if let Some(suppressed) = self.log.pass() {
            let (method, path, peer) = (request.method.as_str(), request.path(), peer_of(request));
            tracing::info!(source = &*source.name, method, path, peer, suppressed, "answered a handshake");
        }
        Ok(ack)
    }

    /// A method that the source has for handshakes alone, and a request that is none.
    pub(super) fn no_handshake(&self, source: &Arc<Source>, request: &Incoming) -> Result<Ack, Rejection> {
        let detail = format!("the source takes {} for its handshakes alone, and this is none", request.method);
        let rejection = Rejection::new(Reason::Method, detail);
        self.keep(Some(source), &rejection, request);
        Err(rejection)
    }
}

/// Who called, for the log.
pub(super) fn peer_of(request: &Incoming) -> String {
    request.peer.map(|peer| peer.to_string()).unwrap_or_default()
}
