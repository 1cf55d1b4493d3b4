//! What a request needs before it is written, done on its caller's thread: planning, header text, shares with the body.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::seal::{DataKey, Vault};
use super::splice::{Splice, splice};
use super::sum;
use super::{NewRequest, OrderKey, Plan};
use crate::event::{Build, Data, DedupKey, Event, EventState, NewEvent};
use crate::reason::Rejection;
use crate::request::Incoming;

/// Room for what a waiting request needs beside its bytes.
const OVERHEAD: usize = 512;

/// A request that only lacks the decision and its numbers.
pub(super) struct Prepared {
    pub(super) source: Arc<str>,
    pub(super) provider: Arc<str>,
    pub(super) version: Arc<str>,
    pub(super) build: Option<Arc<Build>>,
    pub(super) request: Arc<Incoming>,
    pub(super) stored: Stored,
    /// Of what is stored; what is sealed needs none.
    pub(super) sum: Option<i64>,
    pub(super) events: Vec<PreparedEvent>,
    pub(super) nonce: Option<DedupKey>,
    pub(super) stale: Option<Rejection>,
    pub(super) poll_state: Option<(Arc<str>, Bytes)>,
    /// Destinations that get the request and not its events: only its first new event goes there.
    pub(super) once: Vec<Arc<str>>,
    /// What it weighs while it waits.
    pub(super) bytes: usize,
}

/// A request's content as the store keeps it.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) target: Target,
    pub(super) headers: Vec<u8>,
    pub(super) body: Bytes,
    pub(super) seal: Option<Vec<u8>>,
}

/// A request's target as the store keeps it.
#[derive(Clone)]
pub(super) enum Target {
    Plain(String),
    Sealed(Vec<u8>),
}

pub(super) struct PreparedEvent {
    /// Without its id.
    pub(super) event: Event,
    pub(super) key: DedupKey,
    pub(super) data: Splice,
    /// Of its data, where it does not share its request's.
    pub(super) seal: Option<Vec<u8>>,
    pub(super) warnings: Option<String>,
    /// Where it goes, and what it is in order by there.
    pub(super) to: Vec<(Arc<str>, Option<OrderKey>)>,
    pub(super) sum: Option<i64>,
}

pub(super) fn prepare(new: NewRequest, plan: &dyn Plan, vault: Option<&Vault>) -> Prepared {
    let NewRequest { source, provider, provider_version: version, request, events, nonce, stale, build, poll_state } =
        new;
    let request = kept(request);
    // Of several events each can be erased alone, so none may lean on the request's bytes.
    let apart = vault.filter(|_| events.len() > 1);
    let event = |new: NewEvent| {
        let key = new.key;
        let time = new.time.map(to_the_microsecond);
        let event =
            NewEvent { time, ..new }.into_event(source.clone(), provider.clone(), version.clone(), request.received);
        planned(event, key, if apart.is_some() { &[] } else { &request.body }, plan)
    };
    let mut events: Vec<_> = events.into_iter().map(event).collect();
    let key = vault.map(Vault::data_key);
    let stored = Stored::new(&request, request.body.clone(), key.as_ref());
    if let Some(key) = &key {
        events.iter_mut().for_each(|event| event.seal(key, apart));
    }
    let sum = key.is_none().then(|| stored.sum(&request));
    if let Some(sum) = sum {
        events.iter_mut().for_each(|event| event.sum = Some(event.sum(sum)));
    }
    let shared = events.iter().skip(1).flat_map(|event| &event.to).map(|(to, _)| to);
    let once = shared.filter(|destination| plan.once_per_request(destination)).cloned().collect();
    let own: usize = events.iter().map(|event| event.data.own.len() + OVERHEAD).sum();
    let bytes = OVERHEAD + stored.headers.len() + request.body.len() + own;
    Prepared { source, provider, version, build, request, stored, sum, events, nonce, stale, poll_state, once, bytes }
}

/// As the store will give it back; whoever made it to the microsecond is spared the copy.
fn kept(request: Arc<Incoming>) -> Arc<Incoming> {
    let received = to_the_microsecond(request.received);
    if received == request.received { request } else { Arc::new(Incoming { received, ..Incoming::clone(&request) }) }
}

pub(super) fn planned(mut event: Event, key: DedupKey, body: &[u8], plan: &dyn Plan) -> PreparedEvent {
    let mut to = Vec::new();
    if !matches!(event.state, EventState::Undecoded | EventState::Erased) {
        let mut warnings = Vec::new();
        let planned = plan.plan(&event, &mut warnings);
        to.extend(planned.into_iter().map(|to| {
            let key = plan.order_key(&event, &to, &mut warnings);
            (to, key)
        }));
        event.warnings.append(&mut warnings);
        if to.is_empty() {
            event.state = EventState::Unrouted;
        }
    }
    let data = match &event.data {
        Data::Json(bytes) | Data::Bytes(bytes, _) => splice(bytes, body),
        Data::None => Splice { head: 0, tail: 0, own: Bytes::new() },
    };
    let warnings = (!event.warnings.is_empty()).then(|| serde_json::Value::from(event.warnings.clone()).to_string());
    PreparedEvent { event, key, data, seal: None, warnings, to, sum: None }
}

/// How data is told apart in its row.
pub(super) fn form(data: &Data) -> i64 {
    match data {
        Data::None => 0,
        Data::Json(_) => 1,
        Data::Bytes(..) => 2,
    }
}

pub(super) fn content(data: &Data) -> Option<&str> {
    match data {
        Data::Bytes(_, content) => Some(content),
        Data::None | Data::Json(_) => None,
    }
}

impl Stored {
    fn sum(&self, request: &Incoming) -> i64 {
        sum::Request {
            received: request.received.as_microsecond(),
            method: &request.method,
            target: &request.target,
            headers: &self.headers,
            body: &self.body,
        }
        .sum()
    }

    /// The body is the request's, or as much of it as is kept.
    pub(super) fn new(request: &Incoming, body: Bytes, key: Option<&DataKey>) -> Self {
        let headers = header_text(&request.headers);
        match key {
            None => Self { target: Target::Plain(request.target.clone()), headers, body, seal: None },
            Some(key) => Self {
                target: Target::Sealed(key.seal(request.target.as_bytes())),
                headers: key.seal(&headers),
                body: key.seal(&body).into(),
                seal: Some(key.wrapped.clone()),
            },
        }
    }
}

impl PreparedEvent {
    pub(super) fn sum(&self, request: i64) -> i64 {
        let Self { event, data, .. } = self;
        sum::Event {
            request,
            kind: &event.kind,
            subject: event.subject.as_deref(),
            provider_id: event.provider_id.as_deref(),
            time: event.time.map(Timestamp::as_microsecond),
            form: form(&event.data),
            content: content(&event.data),
            head: data.head as i64,
            tail: data.tail as i64,
            data: &data.own,
        }
        .sum()
    }

    /// Seals what is its own: by the request's key, or by one of its own.
    pub(super) fn seal(&mut self, request: &DataKey, apart: Option<&Vault>) {
        if self.data.own.is_empty() {
            return;
        }
        let own = apart.map(Vault::data_key);
        self.data.own = own.as_ref().unwrap_or(request).seal(&self.data.own).into();
        self.seal = own.map(|key| key.wrapped);
    }
}

/// Engines keep microseconds; an event from memory must be the same as the stored one.
fn to_the_microsecond(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// Headers as HTTP/1 writes them: readable, and any value's bytes survive.
pub(super) fn header_text(headers: &HeaderMap) -> Vec<u8> {
    let mut text = Vec::with_capacity(headers.len() * 48);
    for (name, value) in headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// The reverse of [`header_text`]; a line that is none is skipped.
pub(super) fn headers(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = line[colon + 1..].strip_prefix(b" ").unwrap_or_default();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_also_twice_and_with_strange_bytes() {
        let mut map = HeaderMap::new();
        map.append("x-sign", HeaderValue::from_bytes(b" a: \xff\t b").unwrap());
        map.append("x-twice", HeaderValue::from_static("1"));
        map.append("x-twice", HeaderValue::from_static(""));
        assert_eq!(headers(&header_text(&map)), map);
    }
}
