//! What is done with a refused request beside answering it: it is kept, counted, told and logged.

use std::sync::Arc;

use super::Inbound;
use super::shake::peer_of;
use crate::journal::NewRejected;
use crate::provider::source::Source;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

impl Inbound {
    /// Keeps a refused request as a rejection, with what the description redacts masked.
    pub(super) fn keep(&self, source: Option<&Arc<Source>>, rejection: &Rejection, request: &Incoming) {
        let body = source.map_or_else(|| request.body.clone(), |source| source.redact(&request.body));
        let request = Incoming { body, ..request.clone() };
        self.journal.reject(NewRejected {
            source: source.map(|source| source.name.clone()),
            rejection: rejection.clone(),
            request,
        });
    }

    pub(super) fn refused(&self, source: Option<&Arc<Source>>, rejection: &Rejection, request: &Incoming) {
        self.meters.refused(source.map(|source| &**source), rejection.reason);
        // A pause and a full queue refuse many, and are told otherwise.
        if let Some(source) = source.filter(|_| rejection.reason != Reason::Unavailable) {
            self.notices.refused(&source.name, self.clock.now());
        }
        let Some(suppressed) = self.log.pass() else { return };
        let source = source.map_or("-", |source| &source.name);
        let (reason, detail, path) = (rejection.reason.code(), rejection.detail.as_str(), request.path());
        let peer = peer_of(request);
        tracing::warn!(source, reason, detail, path, peer, suppressed, "refused");
    }
}
