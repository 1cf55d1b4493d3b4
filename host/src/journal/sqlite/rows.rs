//! Rows of the file as the journal's types, and back.

use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Row, types::Type};
use uuid::Uuid;

use super::sum;
use crate::event::{Data, Event, EventState};
use crate::journal::{Attempt, DeliveryState, prepare, splice};
use crate::request::Incoming;

/// A stored time; one that no calendar has is shown as 1970.
pub(super) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A count; nothing that the journal counts is negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

pub(super) fn state_code(state: EventState) -> i64 {
    match state {
        EventState::Routed => 0,
        EventState::Unrouted => 1,
        EventState::Undecoded => 2,
        EventState::Erased => ERASED,
    }
}

fn state(code: i64) -> EventState {
    match code {
        0 => EventState::Routed,
        1 => EventState::Unrouted,
        ERASED => EventState::Erased,
        _ => EventState::Undecoded,
    }
}

/// Of an event.
pub(super) const ERASED: i64 = 3;

pub(super) const PENDING: i64 = 0;
pub(super) const RETRYING: i64 = 1;
pub(super) const DELIVERED: i64 = 2;
pub(super) const EXHAUSTED: i64 = 3;
pub(super) const CANCELLED: i64 = 4;
/// Behind an earlier one of its key.
pub(super) const WAITING: i64 = 5;
/// Exhausted, and those behind it of its key wait.
pub(super) const HELD: i64 = 6;
/// Cancelled, and those behind it of its key wait until the try that is under way is over.
pub(super) const LEAVING: i64 = 7;

pub(super) fn delivery_state(code: i64) -> DeliveryState {
    match code {
        PENDING => DeliveryState::Pending,
        RETRYING => DeliveryState::Retrying,
        DELIVERED => DeliveryState::Delivered,
        EXHAUSTED | HELD => DeliveryState::Exhausted,
        WAITING => DeliveryState::Waiting,
        _ => DeliveryState::Cancelled,
    }
}

/// The columns that [`event`] and [`request`] read, in this order.
pub(super) const EVENT: &str = "e.uuid, o.source, o.provider, o.version, e.kind, e.subject, e.time, e.received, \
    e.provider_id, e.form, e.content, e.head, e.tail, \
    CASE WHEN coalesce(e.seal, r.seal) IS NULL THEN e.data ELSE opened(coalesce(e.seal, r.seal), e.data) END, \
    e.state, e.warnings, \
    CASE WHEN r.seal IS NULL THEN r.body ELSE opened(r.seal, r.body) END, r.method, \
    CASE WHEN r.seal IS NULL THEN r.target ELSE CAST(opened(r.seal, r.target) AS TEXT) END, \
    CASE WHEN r.seal IS NULL THEN r.headers ELSE opened(r.seal, r.headers) END, r.peer, r.received, r.sum, e.sum";

/// Where they come from.
pub(super) const EVENT_FROM: &str =
    "events e CROSS JOIN requests r ON r.id = e.request CROSS JOIN origins o ON o.id = e.origin";

/// An event whose bytes are those that were recorded.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    check(row)?;
    let body: Bytes = row.get::<_, Vec<u8>>(16)?.into();
    Ok(Event {
        id: Uuid::from_bytes(row.get(0)?),
        source: row.get::<_, Arc<str>>(1)?,
        provider: row.get::<_, Arc<str>>(2)?,
        provider_version: row.get::<_, Arc<str>>(3)?,
        kind: row.get(4)?,
        subject: row.get(5)?,
        time: row.get::<_, Option<i64>>(6)?.map(time),
        received: time(row.get(7)?),
        provider_id: row.get(8)?,
        data: data(row, &body)?,
        state: state(row.get(14)?),
        warnings: warnings(row.get(15)?),
    })
}

/// As [`event`]; where it is damaged, what can be said of it, without its data.
pub(super) fn listed(row: &Row<'_>) -> rusqlite::Result<Event> {
    let damaged = match event(row) {
        Err(error) if sum::is_damage(&error) => sum::words(&error),
        whole => return whole,
    };
    Ok(Event {
        id: Uuid::from_bytes(row.get(0)?),
        source: row.get::<_, Arc<str>>(1)?,
        provider: row.get::<_, Arc<str>>(2)?,
        provider_version: row.get::<_, Arc<str>>(3)?,
        kind: row.get(4).unwrap_or_default(),
        subject: row.get(5).unwrap_or_default(),
        time: row.get::<_, Option<i64>>(6).unwrap_or_default().map(time),
        received: time(row.get(7)?),
        provider_id: row.get(8).unwrap_or_default(),
        data: Data::None,
        state: state(row.get(14)?),
        warnings: damaged.into_iter().collect(),
    })
}

/// Compares what is read with its sums.
pub(super) fn check(row: &Row<'_>) -> rusqlite::Result<()> {
    let request: Option<i64> = row.get(22)?;
    sum::check(request, || {
        let found = || -> rusqlite::Result<i64> {
            let part = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_blob()?);
            let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
            let (method, target, headers, body) = (text(17)?, text(18)?, part(19)?, part(16)?);
            Ok(sum::Request { received: row.get(21)?, method, target, headers, body }.sum())
        };
        found().unwrap_or(-1)
    })?;
    sum::check(row.get(23)?, || {
        let found = || -> rusqlite::Result<i64> {
            let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?);
            Ok(sum::Event {
                request: request.unwrap_or_default(),
                kind: row.get_ref(4)?.as_str()?,
                subject: text(5)?,
                provider_id: text(8)?,
                time: row.get(6)?,
                form: row.get(9)?,
                content: text(10)?,
                head: row.get(11)?,
                tail: row.get(12)?,
                data: row.get_ref(13)?.as_blob_or_null()?.unwrap_or_default(),
            }
            .sum())
        };
        found().unwrap_or(-1)
    })
}

fn data(row: &Row<'_>, body: &Bytes) -> rusqlite::Result<Data> {
    let form: i64 = row.get(9)?;
    if form == 0 {
        return Ok(Data::None);
    }
    let own = row.get_ref(13)?.as_blob_or_null()?.unwrap_or_default();
    let joined =
        splice::join(unsigned(row, 11)? as usize, own, unsigned(row, 12)? as usize, body).ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(
                11,
                Type::Integer,
                "the event's data does not fit its request".into(),
            )
        })?;
    Ok(if form == 1 { Data::Json(joined) } else { Data::Bytes(joined, row.get(10)?) })
}

fn warnings(text: Option<String>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

pub(super) fn request(row: &Row<'_>) -> rusqlite::Result<Incoming> {
    Ok(Incoming {
        body: row.get::<_, Vec<u8>>(16)?.into(),
        method: row.get(17)?,
        target: row.get(18)?,
        headers: prepare::headers(row.get_ref(19)?.as_blob()?),
        peer: row.get::<_, Option<String>>(20)?.and_then(|peer| FromStr::from_str(&peer).ok()),
        received: time(row.get(21)?),
    })
}

/// Reads `at, took_ms, status, error, answer`.
pub(super) fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    Ok(Attempt {
        at: time(row.get(0)?),
        took_ms: unsigned(row, 1)?,
        status: row.get(2)?,
        error: row.get(3)?,
        answer: row.get(4)?,
    })
}
