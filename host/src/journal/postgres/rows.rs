//! Rows of the database as the journal's types, and back.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

use super::fault::Fault;
use crate::event::{Data, Event, EventState};
use crate::journal::seal::{Unopened, Vault};
use crate::journal::{Attempt, DeliveryState, prepare, splice, sum};
use crate::request::Incoming;

/// A stored time; one that no calendar has is shown as 1970.
pub(super) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A count; nothing that the journal counts is negative.
pub(super) fn unsigned(row: &Row, column: &str) -> Result<u64, Fault> {
    u64::try_from(row.try_get::<_, i64>(column)?).map_err(|_| Fault::Damaged)
}

pub(super) fn state_code(state: EventState) -> i16 {
    match state {
        EventState::Routed => 0,
        EventState::Unrouted => 1,
        EventState::Undecoded => 2,
        EventState::Erased => ERASED,
    }
}

fn state(code: i16) -> EventState {
    match code {
        0 => EventState::Routed,
        1 => EventState::Unrouted,
        ERASED => EventState::Erased,
        _ => EventState::Undecoded,
    }
}

/// Of an event.
pub(super) const ERASED: i16 = 3;

pub(super) const PENDING: i16 = 0;
pub(super) const RETRYING: i16 = 1;
pub(super) const DELIVERED: i16 = 2;
pub(super) const EXHAUSTED: i16 = 3;
/// Behind an earlier one of its key.
pub(super) const WAITING: i16 = 5;
/// Exhausted, and those behind it of its key wait.
pub(super) const HELD: i16 = 6;

/// Of one that is in flight with a host.
pub(super) fn delivery_state(code: i16, flies: bool) -> DeliveryState {
    match code {
        PENDING | RETRYING if flies => DeliveryState::InFlight,
        PENDING => DeliveryState::Pending,
        RETRYING => DeliveryState::Retrying,
        DELIVERED => DeliveryState::Delivered,
        EXHAUSTED | HELD => DeliveryState::Exhausted,
        WAITING => DeliveryState::Waiting,
        _ => DeliveryState::Cancelled,
    }
}

/// The columns that [`event`] and [`request`] read.
pub(super) const EVENT: &str = "e.id, e.request, e.place, e.day, o.source, o.provider, o.version, e.kind, e.subject, e.time, \
    e.received, e.provider_id, e.form, e.content, e.head, e.tail, e.data, e.state, e.warnings, e.sum, e.seal, \
    r.method, r.target, r.headers, r.body, r.peer, r.received AS arrived, r.sum AS request_sum, r.seal AS request_seal, r.erased";

/// Where they come from, beside the events themselves.
pub(super) const EVENT_JOINS: &str =
    "JOIN requests r ON r.id = e.request AND r.day = e.day JOIN origins o ON o.id = e.origin";

/// Content as it was before it was sealed.
pub(super) fn opened(sealed: Vec<u8>, seal: Option<&[u8]>, vault: Option<&Vault>) -> Result<Vec<u8>, Fault> {
    let Some(seal) = seal else { return Ok(sealed) };
    Ok(vault.ok_or(Unopened)?.open(seal, &sealed)?)
}

/// What the configured key wrapped itself, or a plain text.
pub(super) fn unwrapped(text: Vec<u8>, sealed: bool, vault: Option<&Vault>) -> Result<String, Fault> {
    let bytes = if sealed { vault.ok_or(Unopened)?.unwrap(&text)?.to_vec() } else { text };
    String::from_utf8(bytes).map_err(|_| Fault::Damaged)
}

/// An event whose bytes are those that were recorded, with its request.
pub(super) fn event(row: &Row, vault: Option<&Vault>) -> Result<(Event, Incoming), Fault> {
    let (request, stored) = request(row, vault)?;
    let (headers, body) = (&prepare::header_text(&request.headers), &request.body);
    let (received, target) = (request.received.as_microsecond(), &request.target);
    let found = || sum::Request { received, method: &request.method, target, headers, body };
    check(stored.sum, || found().sum())?;
    let seal = get::<Option<Vec<u8>>>(row, "seal")?.or(stored.seal);
    let own = get::<Option<Vec<u8>>>(row, "data")?;
    let own = own.map(|own| opened(own, seal.as_deref(), vault)).transpose()?.unwrap_or_default();
    let (form, head, tail) = (get::<i16>(row, "form")?, get::<i32>(row, "head")?, get::<i32>(row, "tail")?);
    let said = said(row)?;
    let content: Option<String> = get(row, "content")?;
    let found = || sum::Event {
        request: stored.sum.unwrap_or_default(),
        kind: &said.kind,
        subject: said.subject.as_deref(),
        provider_id: said.provider_id.as_deref(),
        time: said.time.map(Timestamp::as_microsecond),
        form: form.into(),
        content: content.as_deref(),
        head: head.into(),
        tail: tail.into(),
        data: &own,
    };
    check(get(row, "sum")?, || found().sum())?;
    let end = |number: i32| usize::try_from(number).map_err(|_| Fault::Damaged);
    let data = match form {
        0 => Data::None,
        _ => {
            let joined = splice::join(end(head)?, &own, end(tail)?, &request.body).ok_or(Fault::Damaged)?;
            if form == 1 { Data::Json(joined) } else { Data::Bytes(joined, content.ok_or(Fault::Damaged)?) }
        }
    };
    Ok((Event { data, ..said }, request))
}

/// As [`event`]; where it is damaged, what can be said of it, without its data.
pub(super) fn listed(row: &Row, vault: Option<&Vault>) -> Result<Event, Fault> {
    match event(row, vault) {
        Err(fault) if fault.is_damage() => Ok(Event { warnings: vec![fault.to_string()], ..said(row)? }),
        whole => Ok(whole?.0),
    }
}

/// An event without its data.
fn said(row: &Row) -> Result<Event, Fault> {
    let warnings: Option<String> = get(row, "warnings")?;
    Ok(Event {
        id: get(row, "id")?,
        source: get::<String>(row, "source")?.into(),
        provider: get::<String>(row, "provider")?.into(),
        provider_version: get::<String>(row, "version")?.into(),
        kind: get(row, "kind")?,
        subject: get(row, "subject")?,
        time: get::<Option<i64>>(row, "time")?.map(time),
        received: time(get(row, "received")?),
        provider_id: get(row, "provider_id")?,
        data: Data::None,
        state: state(get(row, "state")?),
        warnings: warnings.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    })
}

/// What an event leans on of its request's row.
struct Stored {
    sum: Option<i64>,
    seal: Option<Vec<u8>>,
}

fn request(row: &Row, vault: Option<&Vault>) -> Result<(Incoming, Stored), Fault> {
    let stored = Stored { sum: get(row, "request_sum")?, seal: get(row, "request_seal")? };
    let part = |column: &str| opened(get(row, column)?, stored.seal.as_deref(), vault);
    let (headers, body) = (part("headers")?, Bytes::from(part("body")?));
    let target = String::from_utf8(part("target")?).map_err(|_| Fault::Damaged)?;
    let headers = prepare::headers(&headers);
    let (method, received) = (get(row, "method")?, time(get(row, "arrived")?));
    Ok((Incoming { method, target, headers, body, peer: peer(row)?, received }, stored))
}

/// A request alone, whatever became of its bytes.
pub(super) fn request_of(row: &Row, vault: Option<&Vault>) -> Result<Incoming, Fault> {
    request(row, vault).map(|(request, _)| request)
}

/// Compares with what was recorded; what is sealed has no sum.
fn check(kept: Option<i64>, found: impl FnOnce() -> i64) -> Result<(), Fault> {
    if kept.is_some_and(|kept| kept != found()) { Err(Fault::Damaged) } else { Ok(()) }
}

/// Who sent it.
pub(super) fn peer(row: &Row) -> Result<Option<std::net::IpAddr>, Fault> {
    Ok(get::<Option<String>>(row, "peer")?.and_then(|peer| FromStr::from_str(&peer).ok()))
}

/// Reads `at, took_ms, status, error, answer, sealed`.
pub(super) fn attempt(row: &Row, vault: Option<&Vault>) -> Result<Attempt, Fault> {
    let (answer, sealed): (Option<Vec<u8>>, bool) = (get(row, "answer")?, get(row, "sealed")?);
    Ok(Attempt {
        at: time(get(row, "at")?),
        took_ms: unsigned(row, "took_ms")?,
        status: get::<Option<i32>>(row, "status")?.and_then(|status| status.try_into().ok()),
        error: get(row, "error")?,
        answer: answer.map(|answer| unwrapped(answer, sealed, vault)).transpose()?,
    })
}

pub(super) fn get<T: FromSqlOwned>(row: &Row, column: &str) -> Result<T, Fault> {
    Ok(row.try_get(column)?)
}

/// As the caches share it.
pub(super) fn shared((event, request): (Event, Incoming)) -> (Arc<Event>, Arc<Incoming>) {
    (Arc::new(event), Arc::new(request))
}
