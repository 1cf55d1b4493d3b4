//! Deliveries: those that have not ended lie in the queue, the others with their day. Newest first, after a number oldest first.

use tokio_postgres::{GenericClient, Row};

use super::events::of_source;
use super::fault::Fault;
use super::filter::{Value, Where, number, parameters};
use super::numbers::{self, Sequence};
use super::partitions;
use super::rows::{self, ERASED, get};
use crate::journal::seal::Vault;
use crate::journal::{Attempt, Delivery, DeliveryFilter, DeliveryState};

/// What is due at once says this time.
const AT_ONCE: i64 = 0;

/// Deliveries with their events, sources and destinations.
const FROM: &str = "every_delivery d JOIN events e ON e.request = d.request AND e.place = d.place AND e.day = d.day \
    JOIN origins o ON o.id = e.origin JOIN destinations n ON n.id = d.destination";

/// Why a delivery that goes on was not delivered so far.
const LAST_ERROR: &str = "SELECT coalesce(a.error, 'status ' || a.status) FROM attempts a \
    WHERE a.delivery = d.id AND a.number = d.attempts AND a.day = d.day";

/// Case does not matter, and a status may stand alone.
const FAILED_WITH: &str = "EXISTS (SELECT 1 FROM (SELECT 1) w \
    LEFT JOIN attempts a ON a.delivery = d.id AND a.number = d.attempts AND a.day = d.day \
    WHERE strpos(lower(coalesce(d.reason, '') || ' ' || coalesce(a.error, '')), lower(?)) > 0 OR a.status::text = lower(?))";

pub(super) async fn deliveries(
    client: &impl GenericClient,
    filter: &DeliveryFilter,
    vault: Option<&Vault>,
) -> Result<Vec<Delivery>, Fault> {
    let mut wanted = wanted_in_state(filter);
    if filter.after.is_some() {
        wanted.condition("d.id <= ?", Some(numbers::settled(client, Sequence::Deliveries).await?));
    }
    let order = if filter.after.is_some() { "d.id" } else { "d.id DESC" };
    let (from, values) = listed(filter, wanted, order, filter.limit);
    let sql = format!(
        "SELECT d.id, d.day, e.id AS event, e.kind, o.source, n.name, d.state, d.host IS NOT NULL AS flies, d.attempts, d.due, \
         CASE d.state WHEN 1 THEN ({LAST_ERROR}) ELSE d.reason END AS reason, d.replay FROM {from}"
    );
    let rows = client.query(&sql, &parameters(&values)).await?;
    let mut found = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
    if filter.id.is_some() || filter.event.is_some() {
        for (delivery, row) in found.iter_mut().zip(&rows) {
            delivery.tries = tries(client, row, vault).await?;
        }
    }
    Ok(found)
}

/// Those that are wanted, in an order, with their events (`e`), sources (`o`) and destinations (`n`); after the word FROM.
pub(super) fn listed(filter: &DeliveryFilter, mut wanted: Where, order: &str, limit: usize) -> (String, Vec<Value>) {
    let limit = wanted.limit(limit);
    if filter.event.is_some() || filter.subject.is_some() || filter.provider_id.is_some() {
        // Few events: their deliveries are found from there.
        let (text, values) = wanted.unlimited();
        return (format!("{FROM} {text} ORDER BY {order} LIMIT {limit}"), values);
    }
    // One after the other in the order of their numbers until there are enough: the server would sort all of them.
    let (own, of_event, values) = wanted.split();
    let enough = if of_event.is_empty() { format!("LIMIT {limit}") } else { "OFFSET 0".to_owned() };
    let from = format!(
        "(SELECT * FROM every_delivery d {own} ORDER BY {order} {enough}) d CROSS JOIN LATERAL \
         (SELECT * FROM (SELECT * FROM events x WHERE x.request = d.request AND x.place = d.place AND x.day = d.day) e \
         {of_event} OFFSET 0) e \
         JOIN origins o ON o.id = e.origin JOIN destinations n ON n.id = d.destination ORDER BY {order} LIMIT {limit}"
    );
    (from, values)
}

/// How many are wanted.
pub(super) fn counted(wanted: Where) -> (String, Vec<Value>) {
    let (own, of_event, values) = wanted.split();
    if of_event.is_empty() {
        return (format!("every_delivery d {own}"), values);
    }
    let of_event = of_event.replacen("WHERE", if own.is_empty() { "WHERE" } else { "AND" }, 1);
    (format!("{FROM} {own} {of_event}"), values)
}

fn delivery(row: &Row) -> Result<Delivery, Fault> {
    let state = rows::delivery_state(get(row, "state")?, get(row, "flies")?);
    let shows_next = state != DeliveryState::InFlight;
    Ok(Delivery {
        id: rows::unsigned(row, "id")?,
        event: get(row, "event")?,
        kind: get(row, "kind")?,
        source: get(row, "source")?,
        destination: get(row, "name")?,
        state,
        attempts: u32::try_from(get::<i32>(row, "attempts")?).map_err(|_| Fault::Damaged)?,
        next: get::<Option<i64>>(row, "due")?.filter(|due| shows_next && *due != AT_ONCE).map(rows::time),
        reason: get(row, "reason")?,
        replay: get::<Option<i64>>(row, "replay")?.map(rows::time),
        tries: Vec::new(),
    })
}

async fn tries(client: &impl GenericClient, row: &Row, vault: Option<&Vault>) -> Result<Vec<Attempt>, Fault> {
    let all = "SELECT at, took_ms, status, error, answer, sealed FROM attempts WHERE delivery = $1 AND day = $2 ORDER BY number";
    let (id, day) = (get::<i64>(row, "id")?, get::<jiff::civil::Date>(row, "day")?);
    client.query(all, &[&id, &day]).await?.iter().map(|row| rows::attempt(row, vault)).collect()
}

/// The filter's conditions, with its state.
pub(super) fn wanted_in_state(filter: &DeliveryFilter) -> Where {
    let mut wanted = which(filter);
    if let Some(state) = filter.state {
        wanted.always(in_state(state));
    }
    wanted
}

/// What a retry finds; a delivery of a request that was erased may be among it, which its destination alone tells.
pub(super) fn retriable(filter: &DeliveryFilter) -> Where {
    let mut wanted = which(filter);
    wanted.always(match filter.state {
        // Of what has ended; said twice, so that the index over what failed is seen to hold it.
        None => "d.state > 2 AND d.state IN (3, 4, 6, 7)",
        Some(state @ (DeliveryState::Retrying | DeliveryState::Exhausted | DeliveryState::Cancelled)) => {
            in_state(state)
        }
        Some(_) => "false",
    });
    wanted.apart(|event| event.always(format!("e.state <> {ERASED}")));
    wanted
}

/// The filter's conditions but its state.
pub(super) fn which(filter: &DeliveryFilter) -> Where {
    let mut wanted = Where::default();
    wanted.equals("d.id", filter.id.map(number));
    wanted.among("d.id", filter.ids.iter().copied().map(number).collect());
    wanted.condition("d.id > ?", filter.after.map(number));
    wanted.condition(FAILED_WITH, filter.reason.as_deref().map(|reason| super::text::kept(reason).into_owned()));
    let destination = "d.destination = (SELECT id FROM destinations WHERE name = ?)";
    wanted.condition(destination, filter.destination.clone());
    wanted.equals("d.day", filter.event.map(partitions::day_of));
    wanted.condition("d.day >= ?", filter.since.map(partitions::earliest));
    wanted.apart(|event| {
        event.equals("e.id", filter.event);
        event.equals("e.day", filter.event.map(partitions::day_of));
        of_source(event, filter.source.as_deref());
        event.glob("e.kind", filter.kind.as_deref());
        event.says("e.subject", filter.subject.as_deref());
        event.says("e.provider_id", filter.provider_id.as_deref());
        event.between("e.received", filter.since, filter.until);
    });
    wanted
}

/// The condition for a state.
pub(super) fn in_state(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "d.state = 0 AND d.host IS NULL",
        DeliveryState::Retrying => "d.state = 1 AND d.host IS NULL",
        DeliveryState::InFlight => "d.state < 2 AND d.host IS NOT NULL",
        DeliveryState::Delivered => "d.state = 2",
        DeliveryState::Waiting => "d.state > 2 AND d.state = 5",
        DeliveryState::Exhausted => "d.state > 2 AND d.state IN (3, 6)",
        DeliveryState::Cancelled => "d.state > 2 AND d.state IN (4, 7)",
    }
}
