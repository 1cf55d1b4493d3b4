//! The queries: events, deliveries, numbers. Newest first, always limited; they run on a reader.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use uuid::Uuid;

use super::due::{AT_ONCE, Due};
use super::filter::Where;
use super::space::Space;
use super::{ids, reject, retry, rows, schema};
use crate::event::{Build, Data, Event};
use crate::journal::{Counted, Delivery, DeliveryFilter, DeliveryState, EventDetail, EventFilter, Stats};

/// Who goes on after an event gets no more than this at a time.
const PAGE: usize = 8 << 20;

pub(super) fn events(conn: &Connection, filter: &EventFilter) -> rusqlite::Result<Vec<Event>> {
    let order = if filter.after.is_some() { "" } else { "DESC" };
    let (text, values) = wanted(filter).limited(filter.limit);
    let sql = format!("SELECT {} FROM {} {text} ORDER BY e.id {order} LIMIT ?", rows::EVENT, rows::EVENT_FROM);
    let mut select = conn.prepare_cached(&sql)?;
    let mut found = select.query_map(params_from_iter(values), rows::listed)?;
    if filter.after.is_none() {
        return found.collect();
    }
    let (mut events, mut bytes) = (Vec::new(), 0);
    while bytes < PAGE
        && let Some(event) = found.next().transpose()?
    {
        bytes += match &event.data {
            Data::Json(data) | Data::Bytes(data, _) => data.len(),
            Data::None => 0,
        };
        events.push(event);
    }
    Ok(events)
}

/// The filter's conditions.
pub(super) fn wanted(filter: &EventFilter) -> Where {
    let mut wanted = Where::default();
    wanted.equals("e.id", filter.id.map(ids::number));
    wanted.equals("e.uuid", filter.id.map(|id| Value::Blob(id.as_bytes().to_vec())));
    of_source(&mut wanted, filter.source.as_deref());
    wanted.glob("e.kind", filter.kind.as_deref());
    wanted.equals("e.subject", filter.subject.clone());
    wanted.equals("e.provider_id", filter.provider_id.clone());
    wanted.equals("e.state", filter.state.map(rows::state_code));
    wanted.between("e.received", filter.since, filter.until);
    wanted.condition("e.id > ?", filter.after.map(ids::number));
    if !filter.ids.is_empty() {
        let numbers: Vec<String> = filter.ids.iter().map(|id| ids::number(*id).to_string()).collect();
        let uuids: Vec<String> = filter.ids.iter().map(|id| format!("x'{}'", id.simple())).collect();
        wanted.always(format!("e.id IN ({}) AND e.uuid IN ({})", numbers.join(","), uuids.join(",")));
    }
    wanted
}

pub(super) fn event(conn: &Connection, id: Uuid, due: &Due) -> rusqlite::Result<Option<EventDetail>> {
    let sql = format!("SELECT {} FROM {} WHERE e.id = ? AND e.uuid = ?", rows::EVENT, rows::EVENT_FROM);
    let find = rusqlite::params![ids::number(id), id.as_bytes()];
    let found = conn.query_row(&sql, find, |row| Ok((rows::event(row)?, rows::request(row)?))).optional()?;
    let Some((event, request)) = found else { return Ok(None) };
    let all = DeliveryFilter { event: Some(id), limit: usize::MAX, ..DeliveryFilter::default() };
    let mut deliveries = deliveries(conn, &all, due)?;
    deliveries.reverse();
    let build = made_by(conn, ids::number(id))?;
    Ok(Some(EventDetail { event, request, deliveries, build }))
}

/// The build that made an event, where that was written down.
fn made_by(conn: &Connection, event: i64) -> rusqlite::Result<Option<Build>> {
    let find = "SELECT p.version, p.sha256, p.generation FROM events e JOIN requests r ON r.id = e.request \
                JOIN plugins p ON p.id = r.plugin WHERE e.id = ?";
    let read = |row: &Row<'_>| Ok(Build { version: row.get(0)?, sha256: row.get(1)?, generation: row.get(2)? });
    conn.prepare_cached(find)?.query_row([event], read).optional()
}

pub(super) fn deliveries(conn: &Connection, filter: &DeliveryFilter, due: &Due) -> rusqlite::Result<Vec<Delivery>> {
    // The list before the file: what lands in between is shown as the file says.
    let in_flight = due.in_flight();
    let (text, values) = wanted_in_state(filter, &in_flight).limited(filter.limit);
    let order = if filter.after.is_some() { "" } else { "DESC" };
    let sql = format!(
        "SELECT d.id, e.uuid, e.kind, o.source, n.name, d.state, d.attempts, d.next, \
         CASE d.state WHEN 1 THEN ({LAST_ERROR}) ELSE d.reason END, d.replay FROM {DELIVERIES} {text} \
         ORDER BY d.id {order} LIMIT ?"
    );
    let read = |row: &Row<'_>| {
        let id: i64 = row.get(0)?;
        let state = rows::delivery_state(row.get(5)?);
        let flying = matches!(state, DeliveryState::Pending | DeliveryState::Retrying) && in_flight.contains(&id);
        Ok(Delivery {
            id: id as u64,
            event: Uuid::from_bytes(row.get(1)?),
            kind: row.get(2)?,
            source: row.get(3)?,
            destination: row.get(4)?,
            state: if flying { DeliveryState::InFlight } else { state },
            attempts: row.get(6)?,
            next: row.get::<_, Option<i64>>(7)?.filter(|next| !flying && *next != AT_ONCE).map(rows::time),
            reason: row.get(8)?,
            replay: row.get::<_, Option<i64>>(9)?.map(rows::time),
            tries: Vec::new(),
        })
    };
    let found: rusqlite::Result<Vec<Delivery>> =
        conn.prepare(&sql)?.query_map(params_from_iter(values), read)?.collect();
    let mut found = found?;
    if filter.id.is_some() || filter.event.is_some() {
        found.iter_mut().try_for_each(|delivery| add_tries(conn, delivery))?;
    }
    Ok(found)
}

/// Why a delivery that goes on was not delivered so far.
const LAST_ERROR: &str =
    "SELECT coalesce(a.error, 'status ' || a.status) FROM attempts a WHERE a.delivery = d.id AND a.number = d.attempts";

/// The filter's conditions, with its state.
fn wanted_in_state(filter: &DeliveryFilter, in_flight: &[i64]) -> Where {
    let mut wanted = which(filter);
    if let Some(state) = filter.state {
        wanted.always(in_state(state, in_flight));
    }
    wanted
}

/// How many, whatever the limit.
pub(super) fn count(conn: &Connection, of: &Counted, due: &Due) -> rusqlite::Result<u64> {
    let (from, (text, values)) = match of {
        Counted::Events(filter) => ("events e", wanted(filter).unlimited()),
        Counted::Deliveries(filter) => (DELIVERIES, wanted_in_state(filter, &due.in_flight()).unlimited()),
        Counted::Retriable(filter) => (DELIVERIES, retry::retriable(filter, &due.in_flight()).unlimited()),
        Counted::Rejections(filter) => ("rejections", reject::which(filter).unlimited()),
    };
    let sql = format!("SELECT count(*) FROM {from} {text}");
    conn.prepare(&sql)?.query_row(params_from_iter(values), |row| rows::unsigned(row, 0))
}

/// Deliveries with their events, sources and destinations.
pub(super) const DELIVERIES: &str = "deliveries d CROSS JOIN events e ON e.id = d.event \
    CROSS JOIN origins o ON o.id = e.origin CROSS JOIN destinations n ON n.id = d.destination";

/// The numbers of an event's deliveries: those that were planned lie side by side, and an index has those added since.
pub(super) fn of_event(number: &str) -> String {
    format!(
        "SELECT p.id FROM events x JOIN deliveries p ON p.id >= x.first_delivery AND p.id < x.first_delivery + x.deliveries \
         WHERE x.id = {number} UNION ALL \
         SELECT r.id FROM deliveries r INDEXED BY deliveries_replayed WHERE r.event = {number} AND r.replay IS NOT NULL"
    )
}

/// Case does not matter, and a status may stand alone.
const FAILED_WITH: &str = "EXISTS (SELECT 1 FROM (SELECT lower(?) AS wanted) \
    LEFT JOIN attempts a ON a.delivery = d.id AND a.number = d.attempts \
    WHERE instr(lower(coalesce(d.reason, '') || ' ' || coalesce(a.error, '')), wanted) > 0 OR CAST(a.status AS TEXT) = wanted)";

/// The filter's conditions but its state.
pub(super) fn which(filter: &DeliveryFilter) -> Where {
    let mut wanted = Where::default();
    let number = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
    wanted.equals("d.id", filter.id.map(number));
    wanted.among("d.id", &filter.ids);
    wanted.condition("d.id > ?", filter.after.map(number));
    wanted.condition(FAILED_WITH, filter.reason.clone());
    if let Some(event) = filter.event {
        let number = ids::number(event);
        wanted.always(format!("d.id IN ({})", of_event(&number.to_string())));
        wanted.equals("e.uuid", Some(Value::Blob(event.as_bytes().to_vec())));
    }
    let destination = "d.destination = (SELECT id FROM destinations WHERE name = ?)";
    wanted.condition(destination, filter.destination.clone());
    of_source(&mut wanted, filter.source.as_deref());
    wanted.glob("e.kind", filter.kind.as_deref());
    wanted.equals("e.subject", filter.subject.clone());
    wanted.equals("e.provider_id", filter.provider_id.clone());
    wanted.between("e.received", filter.since, filter.until);
    wanted
}

fn of_source(wanted: &mut Where, source: Option<&str>) {
    wanted.condition("e.origin IN (SELECT id FROM origins WHERE source = ?)", source.map(str::to_owned));
}

/// The condition for a state; what is in flight is in memory only.
pub(super) fn in_state(state: DeliveryState, in_flight: &[i64]) -> String {
    let flying = || in_flight.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    match state {
        DeliveryState::Pending => format!("d.state = 0 AND d.id NOT IN ({})", flying()),
        DeliveryState::Retrying => format!("d.state = 1 AND d.id NOT IN ({})", flying()),
        DeliveryState::InFlight => format!("d.state < 2 AND d.id IN ({})", flying()),
        DeliveryState::Delivered => "d.state = 2".into(),
        // Said twice, so that the index over those that do not go on is seen to hold them.
        DeliveryState::Waiting => "d.state > 2 AND d.state = 5".into(),
        DeliveryState::Exhausted => "d.state > 2 AND d.state IN (3, 6)".into(),
        DeliveryState::Cancelled => "d.state > 2 AND d.state IN (4, 7)".into(),
    }
}

fn add_tries(conn: &Connection, delivery: &mut Delivery) -> rusqlite::Result<()> {
    let mut select = conn.prepare_cached(
        "SELECT at, took_ms, status, error, CASE typeof(answer) WHEN 'blob' THEN CAST(unwrapped(answer) AS TEXT) \
         ELSE answer END FROM attempts WHERE delivery = ? ORDER BY number",
    )?;
    delivery.tries = select.query_map([delivery.id as i64], rows::attempt)?.collect::<rusqlite::Result<_>>()?;
    Ok(())
}

pub(super) fn poll_state(conn: &Connection, poll: &str) -> rusqlite::Result<Option<Bytes>> {
    let find = "SELECT state FROM polls WHERE name = ?";
    let state = conn.query_row(find, [poll], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    Ok(state.map(Bytes::from))
}

pub(super) fn stats(conn: &Connection, file: &Path) -> rusqlite::Result<Stats> {
    // One snapshot for all the numbers.
    let snapshot = conn.unchecked_transaction()?;
    let number = |sql: &str| {
        let found = snapshot.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<i64>>(0)).optional()?;
        Ok::<_, rusqlite::Error>(found.flatten())
    };
    let last = number("SELECT max(id) FROM events")?.unwrap_or(0).max(schema::meta(&snapshot, "last_event")?);
    let open = number("SELECT count(*) FROM deliveries INDEXED BY deliveries_open WHERE state < 2")?;
    let ended = |states: &str| {
        format!("SELECT count(*) FROM deliveries INDEXED BY deliveries_failed WHERE state > 2 AND state {states}")
    };
    let waiting = number(&ended("= 5"))?.unwrap_or(0);
    let exhausted = number(&ended("IN (3, 6)"))?;
    let oldest = number(
        "SELECT e.received FROM events e WHERE e.id = (SELECT d.event FROM deliveries d WHERE d.id = (SELECT min(id) FROM \
         (SELECT min(id) AS id FROM deliveries INDEXED BY deliveries_open WHERE state < 2 UNION ALL \
         SELECT min(id) FROM deliveries INDEXED BY deliveries_failed WHERE state > 2 AND state = 5)))",
    )?;
    let rejections = number("SELECT count(*) FROM rejections")?;
    let space = Space::of(&snapshot, file)?;
    Ok(Stats {
        events: (last - schema::meta(&snapshot, "deleted_events")?).max(0) as u64,
        open: (open.unwrap_or(0) + waiting) as u64,
        waiting: waiting as u64,
        exhausted: exhausted.unwrap_or(0) as u64,
        rejections: rejections.unwrap_or(0) as u64,
        rejections_dropped: 0,
        oldest_open: oldest.map(rows::time),
        bytes: space.all(),
        free_bytes: space.free,
        log_bytes: space.log,
        oldest: number("SELECT received FROM events ORDER BY id LIMIT 1")?.map(rows::time),
        open_by_destination: open_by_destination(&snapshot)?,
    })
}

fn open_by_destination(conn: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut select = conn.prepare_cached(
        "SELECT n.name, count(*) FROM deliveries d INDEXED BY deliveries_open JOIN destinations n ON n.id = d.destination \
         WHERE d.state < 2 GROUP BY d.destination",
    )?;
    select.query_map([], |row| Ok((row.get(0)?, rows::unsigned(row, 1)?)))?.collect()
}
