//! `hookport verify`: one request, offline, judged as the gateway would, with every step shown.

mod shown;

use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use jiff::Timestamp;
use uuid::{ContextV7, Uuid};

use self::shown::{Output, show};
use super::offline::{Offline, Stage};
use super::{Failure, output};
use crate::event::Event;
use crate::gateway::Plugin;
use crate::inbound::{self, Decoder};
use crate::provider::ack::{Ack, Outcome};
use crate::provider::item::Item;
use crate::provider::prove::Try;
use crate::provider::source::Source;
use crate::provider::verify::{Verified, trace};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// Verify and decode one request offline, and show each step; exit 0 accepted, 1 refused, 2 unusable input
#[derive(Args)]
#[command(after_help = "Examples:
  hookport verify --provider plugins/eiotclub/provider.toml --request notice.http --secret main=a1b1c1d1
  hookport verify --provider libhookport_sgate.so --request head.http --body body.json \\
      --secret api_key=env:KEY --secret system_public_key=@public.pem --url https://hooks.example.com/sgate
  hookport verify --provider provider.toml --request fixtures/a_payment.http
  hookport verify --provider provider.toml --request old.http --secret main=... --at 2025-05-01T00:05:00Z --json")]
pub(super) struct Verify {
    #[command(flatten)]
    offline: Offline,
    /// A machine-readable result
    #[arg(long)]
    json: bool,
}

/// What came of it.
pub(super) struct Judged {
    tries: Vec<Try>,
    verified_by: Option<usize>,
    pub(super) reason: Option<Rejection>,
    pub(super) events: Vec<Event>,
    /// Whether nothing holds the events' keys: the same request again would be news.
    pub(super) forgotten: bool,
    pub(super) ack: Ack,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Stage { plugin, case, source, now } = self.offline.stage()?;
        let request = Arc::new(case.request);
        let judged = judge(&source, &plugin, &request, now);
        match self.json {
            true => {
                output::line(serde_json::to_string(&Output::of(&source, &request, &judged)).map_err(Failure::refused)?)?
            }
            false => show(&source, &plugin, &request, &judged)?,
        }
        if judged.reason.is_none() { Ok(()) } else { Err(Failure::Said) }
    }
}

/// What the gateway would make of a request on the source's path.
pub(super) fn judge(source: &Source, plugin: &Plugin, request: &Arc<Incoming>, now: Timestamp) -> Judged {
    let methods = source.methods();
    let refused = |reason, detail: String| (Vec::new(), Err(Rejection::new(reason, detail)));
    let (tries, result) = match methods.contains(&request.method) {
        false => refused(Reason::Method, format!("the provider calls with {}", methods.join(", "))),
        // Nobody says who calls, but for a case that does.
        true if request.peer.is_some() && !source.allows(request.peer) => {
            refused(Reason::Address, "the sender's address is not in allow_from".to_owned())
        }
        true => trace(source, request, now),
    };
    let verified_by = result.as_ref().ok().and_then(|verified| verified.by);
    let held = |item: &Item| item.declared.key.until.is_none_or(|until| until > now);
    let forgotten = result.as_ref().is_ok_and(|verified| !verified.items.iter().any(held));
    let (reason, outcome, events) = match result {
        Err(rejection) => {
            let outcome = inbound::outcome(rejection.reason);
            (Some(rejection), outcome, Vec::new())
        }
        Ok(Verified { stale: Some(rejection), .. }) => (Some(rejection), Outcome::Rejected, Vec::new()),
        Ok(verified) => {
            let malformed = verified.malformed.clone().map(|what| Rejection::new(Reason::Malformed, what));
            let outcome = if malformed.is_some() { Outcome::Malformed } else { Outcome::Accepted };
            (malformed, outcome, events(source, plugin, verified, now))
        }
    };
    let ack = match &reason {
        Some(Rejection { reason: Reason::Method, .. }) => not_allowed(methods),
        _ => source.ack(outcome, request, now),
    };
    Judged { tries, verified_by, reason, events, forgotten, ack }
}

impl Judged {
    /// Of a request on a path that no source has.
    pub(super) fn nowhere() -> Self {
        let reason = Some(Rejection::new(Reason::UnknownPath, "the source has another path"));
        let ack = Ack { status: 404, headers: Vec::new(), body: Bytes::new() };
        Self { tries: Vec::new(), verified_by: None, reason, events: Vec::new(), forgotten: false, ack }
    }
}

/// The host's own answer to a method that the source does not take.
fn not_allowed(methods: &[String]) -> Ack {
    let allow = HeaderValue::from_str(&methods.join(", ")).map(|value| (ALLOW, value));
    let kind = (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ack { status: 405, headers: allow.into_iter().chain([kind]).collect(), body: "Method Not Allowed\n".into() }
}

fn events(source: &Source, plugin: &Plugin, verified: Verified, now: Timestamp) -> Vec<Event> {
    let file = plugin.file.display().to_string();
    let decoder = plugin.native.clone().map(|native| Decoder { native, file: file.into() });
    let ids = ContextV7::new();
    let stamp = || uuid::Timestamp::from_unix(&ids, now.as_second().try_into().unwrap_or_default(), 0);
    let (events, ..) = inbound::events(source, decoder.as_ref(), verified);
    let event = |new: crate::event::NewEvent| {
        let mut event =
            new.into_event(source.name.clone(), source.provider.id.clone(), source.provider.version.clone(), now);
        event.id = Uuid::new_v7(stamp());
        // As the journal keeps it.
        event.time = event.time.and_then(|time| Timestamp::from_microsecond(time.as_microsecond()).ok());
        event
    };
    events.into_iter().map(event).collect()
}
