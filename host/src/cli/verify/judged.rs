//! What the gateway would make of a request, offline: nothing is kept, and nobody is answered.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

use crate::event::{Event, NewEvent};
use crate::gateway::Plugin;
use crate::inbound::{self, Decoder};
use crate::provider::ack::{Ack, Outcome};
use crate::provider::handshake::{Answer, Greeting, greet};
use crate::provider::item::Item;
use crate::provider::prove::Try;
use crate::provider::remote::Fetched;
use crate::provider::source::Source;
use crate::provider::verify::{Verified, trace};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// What came of it.
pub(in crate::cli) struct Judged {
    pub(super) tries: Vec<Try>,
    pub(super) verified_by: Option<usize>,
    /// The names of the secrets that the sender told, where it asked whether the address is ours and was answered.
    pub(super) handshake: Option<Vec<String>>,
    pub(in crate::cli) reason: Option<Rejection>,
    pub(in crate::cli) events: Vec<Event>,
    /// Whether nothing holds the events' keys: the same request again would be news.
    pub(in crate::cli) forgotten: bool,
    pub(in crate::cli) ack: Ack,
}

/// What the gateway would make of a request on the source's path.
pub(in crate::cli) fn judge(
    source: &Source,
    plugin: &Plugin,
    request: &Arc<Incoming>,
    fetched: &Fetched,
    now: Timestamp,
) -> Judged {
    let refused = |rejection| Judged::refused(source, request, rejection, now);
    let method = |detail| refused(Rejection::new(Reason::Method, detail));
    if !source.takes(&request.method) {
        return method(format!("the provider calls with {}", source.allowed_methods().join(", ")));
    }
    // Nobody says who calls, but for a case that does.
    if request.peer.is_some() && !source.allows(request.peer) {
        return refused(Rejection::new(Reason::Address, "the sender's address is not in allow_from"));
    }
    match greet(source, request) {
        Greeting::Answered(Ok(answer)) => return Judged::answered(answer),
        Greeting::Answered(Err(rejection)) => return refused(rejection),
        Greeting::None if !source.methods().contains(&request.method) => {
            return method(format!("the provider takes {} for its handshakes alone, and this is none", request.method));
        }
        Greeting::None | Greeting::Signed => {}
    }
    let (tries, result) = trace(source, request, fetched, now);
    let verified_by = result.as_ref().ok().and_then(|verified| verified.by);
    let judged = match result {
        Err(rejection)
        | Ok(Verified { stale: Some(rejection), .. } | Verified { handshake: Some(Err(rejection)), .. }) => {
            refused(rejection)
        }
        Ok(Verified { handshake: Some(Ok(answer)), .. }) => Judged::answered(answer),
        Ok(verified) => Judged::told(source, plugin, verified, now),
    };
    Judged { tries, verified_by, ..judged }
}

impl Judged {
    /// Of a request on a path that no source has.
    pub(in crate::cli) fn nowhere() -> Self {
        let rejection = Rejection::new(Reason::UnknownPath, "the source has another path");
        Self { reason: Some(rejection), ..Self::of(Ack { status: 404, headers: Vec::new(), body: Bytes::new() }) }
    }

    /// Whether it is refused for what a signature that does not match may be the reason of.
    pub(super) fn is_unlike(&self) -> bool {
        let reason = self.reason.as_ref().map(|rejection| rejection.reason);
        matches!(reason, Some(Reason::SignatureMismatch | Reason::Malformed))
    }

    fn of(ack: Ack) -> Self {
        let (tries, events) = (Vec::new(), Vec::new());
        Self { tries, verified_by: None, handshake: None, reason: None, events, forgotten: false, ack }
    }

    fn refused(source: &Source, request: &Incoming, rejection: Rejection, now: Timestamp) -> Self {
        let ack = match rejection.reason {
            Reason::Method => inbound::not_allowed(source),
            reason => source.ack(inbound::outcome(reason), request, now),
        };
        Self { reason: Some(rejection), ..Self::of(ack) }
    }

    fn answered(Answer { ack, captured }: Answer) -> Self {
        Self { handshake: Some(captured.into_iter().map(|(name, _)| name).collect()), ..Self::of(ack) }
    }

    /// Of what is proven, and is no handshake.
    fn told(source: &Source, plugin: &Plugin, verified: Verified, now: Timestamp) -> Self {
        let held = |item: &Item| item.declared.key.until.is_none_or(|until| until > now);
        let forgotten = !verified.items.iter().any(held);
        let reason = verified.malformed.clone().map(|what| Rejection::new(Reason::Malformed, what));
        let outcome = if reason.is_some() { Outcome::Malformed } else { Outcome::Accepted };
        let ack = source.ack(outcome, verified.request(), now);
        Self { reason, forgotten, events: events(source, plugin, verified, now), ..Self::of(ack) }
    }
}

fn events(source: &Source, plugin: &Plugin, verified: Verified, now: Timestamp) -> Vec<Event> {
    let decoder = plugin.code.clone().map(|code| Decoder::new(code, &plugin.file));
    let ids = ContextV7::new();
    let stamp = || uuid::Timestamp::from_unix(&ids, now.as_second().try_into().unwrap_or_default(), 0);
    let (events, ..) = pollster::block_on(inbound::events(source, decoder.as_ref(), verified));
    let event = |new: NewEvent| {
        let mut event =
            new.into_event(source.name.clone(), source.provider.id.clone(), source.provider.version.clone(), now);
        event.id = Uuid::new_v7(stamp());
        // As the journal keeps it.
        event.time = event.time.and_then(|time| Timestamp::from_microsecond(time.as_microsecond()).ok());
        event
    };
    events.into_iter().map(event).collect()
}
