//! Events and their requests: listed newest first, or after one oldest first, in the order in which their requests got
//! their numbers.

use std::sync::Arc;

use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use super::fault::Fault;
use super::filter::{Where, parameters};
use super::numbers::{self, Sequence};
use super::rows::{self, get};
use super::{deliveries, partitions};
use crate::event::{Build, Data, Event};
use crate::journal::seal::Vault;
use crate::journal::{DeliveryFilter, EventDetail, EventFilter, StoredEvent, StoredRequest};

/// Who goes on after an event, or asks for requests, gets no more bytes than this at a time.
const PAGE: usize = 8 << 20;

const NEWEST_FIRST: &str = "e.request DESC, e.place DESC";
pub(super) const OLDEST_FIRST: &str = "e.request, e.place";

pub(super) async fn events(
    client: &impl GenericClient,
    filter: &EventFilter,
    vault: Option<&Vault>,
) -> Result<Vec<Event>, Fault> {
    let order = if filter.after.is_some() { OLDEST_FIRST } else { NEWEST_FIRST };
    let found = select(client, "", filter, order).await?;
    if filter.after.is_none() {
        return found.iter().map(|row| rows::listed(row, vault)).collect();
    }
    let (mut events, mut bytes) = (Vec::new(), 0);
    for row in &found {
        if bytes >= PAGE {
            break;
        }
        let event = rows::listed(row, vault)?;
        bytes += match &event.data {
            Data::Json(data) | Data::Bytes(data, _) => data.len(),
            Data::None => 0,
        };
        events.push(event);
    }
    Ok(events)
}

/// A request's events lie side by side, so that each comes once in an answer.
pub(super) async fn requests(
    client: &impl GenericClient,
    filter: &EventFilter,
    vault: Option<&Vault>,
) -> Result<Vec<StoredRequest>, Fault> {
    let keys = ", e.key, (SELECT array_agg(k.key) FROM events k WHERE k.request = e.request AND k.day = e.day) AS keys";
    let found = select(client, keys, filter, OLDEST_FIRST).await?;
    let (mut all, mut last, mut bytes) = (Vec::<StoredRequest>::new(), None, 0);
    for row in &found {
        let number: i64 = get(row, "request")?;
        if last != Some(number) {
            if bytes >= PAGE {
                break;
            }
            // Only the whole of a request is worth decoding again: one that is damaged ends the list in words.
            let request = rows::request_of(row, vault)?;
            bytes += request.body.len();
            let others = get::<Vec<Uuid>>(row, "keys")?.into_iter().map(Uuid::into_bytes).collect();
            let erased = get(row, "erased")?;
            all.push(StoredRequest { request: Arc::new(request), events: Vec::new(), others, erased });
            last = Some(number);
        }
        if let Some(stored) = all.last_mut() {
            let key = get::<Uuid>(row, "key")?.into_bytes();
            // One that is damaged says so itself, without its data.
            stored.events.push(StoredEvent { event: rows::listed(row, vault)?, key });
            stored.others.retain(|other| *other != key);
        }
    }
    Ok(all)
}

/// One event with its request and its deliveries, oldest first.
pub(super) async fn event(
    client: &impl GenericClient,
    id: Uuid,
    vault: Option<&Vault>,
) -> Result<Option<EventDetail>, Fault> {
    let build = ", b.version AS build_version, b.sha256, b.generation";
    let sql = format!(
        "SELECT {}{build} FROM events e {} LEFT JOIN builds b ON b.id = r.build WHERE e.id = $1 AND e.day = $2",
        rows::EVENT,
        rows::EVENT_JOINS
    );
    let Some(row) = client.query_opt(&sql, &[&id, &partitions::day_of(id)]).await? else { return Ok(None) };
    let (event, request) = rows::event(&row, vault)?;
    let all = DeliveryFilter { event: Some(id), limit: usize::MAX, ..DeliveryFilter::default() };
    let mut deliveries = deliveries::deliveries(client, &all, vault).await?;
    deliveries.reverse();
    Ok(Some(EventDetail { event, request, deliveries, build: made_by(&row)? }))
}

/// The build that made an event, where that was written down.
fn made_by(row: &Row) -> Result<Option<Build>, Fault> {
    let Some(version) = get::<Option<String>>(row, "build_version")? else { return Ok(None) };
    let sha256 = get::<String>(row, "sha256")?.into();
    let generation = u32::try_from(get::<i32>(row, "generation")?).map_err(|_| Fault::Damaged)?;
    Ok(Some(Build { version: version.into(), sha256, generation }))
}

async fn select(client: &impl GenericClient, more: &str, filter: &EventFilter, order: &str) -> Result<Vec<Row>, Fault> {
    let wanted = wanted(client, filter).await?;
    let (text, values) = wanted.limited(order, filter.limit);
    // First which, and then what they say: the server would read all requests with them.
    let sql = format!(
        "SELECT {}{more} FROM (SELECT * FROM events e {text}) e {} ORDER BY {order}",
        rows::EVENT,
        rows::EVENT_JOINS
    );
    Ok(client.query(&sql, &parameters(&values)).await?)
}

/// The filter's conditions; of what goes on after an event only what no later commit can come before.
pub(super) async fn wanted(client: &impl GenericClient, filter: &EventFilter) -> Result<Where, Fault> {
    let mut wanted = Where::default();
    let all: Vec<Uuid> = filter.id.into_iter().collect();
    for ids in [&all, &filter.ids] {
        wanted.among("e.id", ids.clone());
        wanted.among("e.day", ids.iter().map(|id| partitions::day_of(*id)).collect());
    }
    of_source(&mut wanted, filter.source.as_deref());
    wanted.glob("e.kind", filter.kind.as_deref());
    wanted.says("e.subject", filter.subject.as_deref());
    wanted.says("e.provider_id", filter.provider_id.as_deref());
    wanted.equals("e.state", filter.state.map(rows::state_code));
    wanted.between("e.received", filter.since, filter.until);
    wanted.condition("e.day >= ?", filter.since.map(partitions::earliest));
    if let Some(after) = filter.after {
        wanted.condition("e.request <= ?", Some(numbers::settled(client, Sequence::Requests).await?));
        if let Some((request, place)) = place_of(client, after).await? {
            let (request, place) = (wanted.bind(request), wanted.bind(place));
            wanted.always(format!("(e.request, e.place) > ({request}, {place})"));
        }
    }
    Ok(wanted)
}

/// Where an event stands in the order of all; one that is gone stood before the first that has a greater id.
async fn place_of(client: &impl GenericClient, event: Uuid) -> Result<Option<(i64, i32)>, Fault> {
    if event.is_nil() {
        return Ok(None);
    }
    let day = partitions::day_of(event);
    let there = "SELECT request, place FROM events WHERE id = $1 AND day = $2";
    if let Some(row) = client.query_opt(there, &[&event, &day]).await? {
        return Ok(Some((get(&row, "request")?, get(&row, "place")?)));
    }
    let next = "SELECT request, place - 1 AS place FROM events WHERE id > $1 AND day >= $2 ORDER BY id LIMIT 1";
    Ok(match client.query_opt(next, &[&event, &day]).await? {
        Some(row) => Some((get(&row, "request")?, get(&row, "place")?)),
        None => Some((numbers::last(client, Sequence::Requests).await?, i32::MAX)),
    })
}

pub(super) fn of_source(wanted: &mut Where, source: Option<&str>) {
    wanted.condition("e.origin = ANY (ARRAY(SELECT id FROM origins WHERE source = ?))", source.map(str::to_owned));
}
