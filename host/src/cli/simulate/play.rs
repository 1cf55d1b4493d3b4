//! One play: a case becomes the request that its provider would send now, goes over a real socket, and its answer is judged.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::{Request, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::case::Case;
use crate::gateway::Plugin;
use crate::net::{Answer, Client, SendError};
use crate::provider::ack::{Ack, Outcome};
use crate::provider::complaint::did_you_mean;
use crate::provider::sign::{PrivateKeys, Tamper, renew, seal, sign};
use crate::provider::source::Source;
use crate::request::Incoming;

/// Longer than any provider waits for its ack.
const PATIENCE: Duration = Duration::from_secs(30);
/// Acks are short.
const KEPT: usize = 64 << 10;

/// What is played.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Play<'p> {
    pub(in crate::cli) source: &'p Source,
    pub(in crate::cli) case: &'p Case,
    /// Of asymmetric schemes.
    pub(in crate::cli) keys: &'p PrivateKeys,
    /// Makes the event's id a new one; none keeps that of the case.
    pub(in crate::cli) seed: Option<&'p str>,
}

impl Play<'_> {
    /// The request as the provider would send it now, or a copy that it would not.
    pub(in crate::cli) fn request(&self, tamper: Option<Tamper>, now: Timestamp) -> Result<Incoming, String> {
        let Self { source, case, keys, seed } = *self;
        let event: Value = case.section("event").and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
        let sample = seal(source, &case.request, event["data"].to_string().as_bytes())?;
        let sample = seed.map_or_else(|| sample.clone(), |seed| renew(source, &sample, seed, now));
        let signed = sign(source, &sample, keys, now).map_err(|error| error.to_string())?;
        match tamper {
            Some(tamper) => signed.tampered(source, tamper, now).map_err(|error| error.to_string()),
            None => Ok(signed.request),
        }
    }
}

/// What a provider makes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Verdict {
    /// Its own ack for what is stored, now or before.
    Accepted,
    /// Its own words for what is refused, or a status that says so.
    Refused,
    /// Its own words for "not now", or the status that says so.
    Unavailable,
    /// Anything else.
    Unexpected,
}

impl Verdict {
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Unexpected => "unexpected",
        }
    }
}

/// Compares the answer with what the description declares.
pub(in crate::cli) fn judge(source: &Source, request: &Incoming, answer: &Answer, now: Timestamp) -> Verdict {
    let is = |outcome| {
        let Ack { status, body, .. } = source.ack(outcome, request, now);
        status == answer.status.as_u16() && body == answer.body
    };
    if is(Outcome::Accepted) || is(Outcome::Duplicate) {
        Verdict::Accepted
    } else if is(Outcome::Rejected) || is(Outcome::Malformed) || answer.status.is_client_error() {
        Verdict::Refused
    } else if is(Outcome::Unavailable) || answer.status == StatusCode::SERVICE_UNAVAILABLE {
        Verdict::Unavailable
    } else {
        Verdict::Unexpected
    }
}

/// Sends a request to the gateway at this base, over a connection of its own or one that is still open.
pub(in crate::cli) async fn send(client: &Client, base: &str, request: &Incoming) -> Result<Answer, SendError> {
    let url = format!("{base}{}", request.target);
    let mut sent = Request::builder().method(request.method.as_str()).uri(&url);
    for (name, value) in &request.headers {
        // The connection's own business.
        if ![HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING].contains(name) {
            sent = sent.header(name, value);
        }
    }
    let sent = sent.body(Full::<Bytes>::new(request.body.clone()));
    client.send(sent.map_err(|error| SendError::Connection(error.to_string()))?, KEPT, PATIENCE).await
}

/// The URL in front of a target; one that ends with the source's own path is taken for the whole URL of the source.
pub(in crate::cli) fn base(url: &Url, source: &Source) -> String {
    let text = url.as_str().split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let path = source.path.as_deref().unwrap_or_default();
    text.strip_suffix(path).filter(|base| !base.ends_with('/')).unwrap_or(text).trim_end_matches('/').to_owned()
}

/// A case by its name.
pub(in crate::cli) fn named(plugin: &Plugin, name: &str) -> Result<(String, Case), String> {
    let Some(sample) = plugin.samples.iter().find(|sample| sample.name == name) else {
        let names: Vec<&str> = plugin.samples.iter().map(|sample| sample.name.as_str()).collect();
        let near = did_you_mean(name, names.iter().copied());
        return Err(match names.as_slice() {
            [] => format!("{:?} came without cases: name a .http file", plugin.provider.id),
            _ => format!("{:?} has no case {name:?}{near}; it has:\n  {}", plugin.provider.id, names.join("\n  ")),
        });
    };
    let case = Case::parse(&sample.text).map_err(|error| format!("{name}: {error}"))?;
    Ok((name.to_owned(), case))
}

/// The first case that expects an event and nothing special of its source.
pub(in crate::cli) fn first(plugin: &Plugin) -> Result<(String, Case), String> {
    let cases = plugin.samples.iter().filter_map(|sample| Some((sample.name.clone(), Case::parse(&sample.text).ok()?)));
    let mut cases: Vec<_> = cases.filter(|(_, case)| case.section("event").is_some()).collect();
    cases.sort_by_key(|(_, case)| case.section("given").is_some());
    let first = cases.into_iter().next();
    first.ok_or_else(|| format!("{:?} came without a case that is accepted: name a .http file", plugin.provider.id))
}

/// A case of one's own.
pub(in crate::cli) fn file(path: &Path) -> Result<(String, Case), String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let case = Case::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((path.display().to_string(), case))
}
