//! Stored events that a replay replaces, and those that it adds.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use crate::event::DedupKey;
use crate::journal::postgres::family::Family;
use crate::journal::postgres::fault::Fault;
use crate::journal::postgres::filter::{Value, parameters};
use crate::journal::postgres::partitions;
use crate::journal::postgres::rows::{self, get};
use crate::journal::prepare::{self, PreparedEvent};

/// Where a stored event is, and what it leans on.
pub(super) struct Stored {
    pub(super) request: i64,
    pub(super) place: i32,
    pub(super) day: Date,
    /// The request that it is a copy of, or itself.
    pub(super) root: i64,
    pub(super) state: i16,
    /// The request's bytes are gone, with another event of it.
    pub(super) blank: bool,
    /// The sum of the request; none where it is sealed.
    pub(super) sum: Option<i64>,
    key: Uuid,
}

/// Where it is stored, if it is; nobody erases it until the transaction ends.
pub(super) async fn stored(transaction: &Transaction<'_>, id: Uuid) -> Result<Option<Stored>, Fault> {
    let find = "SELECT e.request, e.place, e.day, coalesce(r.copy_of, r.id) AS root, e.state, r.erased, r.sum, e.key \
         FROM events e JOIN requests r ON r.id = e.request AND r.day = e.day WHERE e.id = $1 AND e.day = $2";
    let day = partitions::day_of(id);
    let Some(row) = transaction.query_opt(find, &[&id, &day]).await? else { return Ok(None) };
    Family::lock(transaction, get(&row, "request")?, day).await?;
    // It may have been erased while the lock was waited for.
    transaction.query_opt(find, &[&id, &day]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Stored, Fault> {
    Ok(Stored {
        request: get(row, "request")?,
        place: get(row, "place")?,
        day: get(row, "day")?,
        root: get(row, "root")?,
        state: get(row, "state")?,
        blank: get(row, "erased")?,
        sum: get(row, "sum")?,
        key: get(row, "key")?,
    })
}

/// Takes the keys of events that are to be added, in the order of their hashes; gives those that were free.
pub(super) async fn taken(
    transaction: &Transaction<'_>,
    added: impl Iterator<Item = &PreparedEvent>,
    now: Timestamp,
) -> Result<HashSet<[u8; 16]>, Fault> {
    let mut keys: Vec<(DedupKey, Timestamp)> = added.map(|event| (event.key, event.event.received)).collect();
    keys.sort_unstable_by_key(|(key, _)| key.hash);
    let take = "INSERT INTO keys (hash, until, received) VALUES ($1, $2, $3) ON CONFLICT (hash) \
         DO UPDATE SET until = excluded.until, received = excluded.received WHERE keys.until <= $4";
    let mut free = HashSet::new();
    for (key, received) in keys {
        let (hash, until) = (Uuid::from_bytes(key.hash), key.until.map(Timestamp::as_microsecond));
        let values: [&(dyn ToSql + Sync); 4] = [&hash, &until, &received.as_microsecond(), &now.as_microsecond()];
        if transaction.execute(take, &values).await? > 0 {
            free.insert(key.hash);
        }
    }
    Ok(free)
}

/// What an event says, by the columns of its row.
const SAYS: [&str; 16] = [
    "origin",
    "state",
    "key",
    "key_until",
    "kind",
    "subject",
    "provider_id",
    "time",
    "warnings",
    "form",
    "content",
    "head",
    "tail",
    "data",
    "seal",
    "sum",
];

/// Their values, in the same order.
fn says(prepared: &PreparedEvent, origin: i32) -> Result<[Value; 16], Fault> {
    let PreparedEvent { event, key, data, seal, warnings, sum, .. } = prepared;
    let small = |number: i64| i16::try_from(number).map_err(|_| Fault::Damaged);
    let end = |bytes: usize| i32::try_from(bytes).map_err(|_| Fault::Damaged);
    Ok([
        Box::new(origin),
        Box::new(rows::state_code(event.state)),
        Box::new(Uuid::from_bytes(key.hash)),
        Box::new(key.until.map(Timestamp::as_microsecond)),
        Box::new(event.kind.clone()),
        Box::new(event.subject.clone()),
        Box::new(event.provider_id.clone()),
        Box::new(event.time.map(Timestamp::as_microsecond)),
        Box::new(warnings.clone()),
        Box::new(small(prepare::form(&event.data))?),
        Box::new(prepare::content(&event.data).map(str::to_owned)),
        Box::new(end(data.head)?),
        Box::new(end(data.tail)?),
        Box::new((!data.own.is_empty()).then(|| data.own.to_vec())),
        Box::new(seal.clone()),
        Box::new(*sum),
    ])
}

/// Puts an event in the place of the stored one, and remembers its key, which may be another.
pub(super) async fn replace(
    transaction: &Transaction<'_>,
    prepared: &PreparedEvent,
    stored: &Stored,
) -> Result<(), Fault> {
    let key = &prepared.key;
    if stored.key.into_bytes() != key.hash {
        let remember = "INSERT INTO keys (hash, until, received) VALUES ($1, $2, $3) ON CONFLICT (hash) DO UPDATE SET \
             until = CASE WHEN keys.until IS NULL OR excluded.until IS NULL THEN NULL ELSE greatest(keys.until, excluded.until) END, \
             received = greatest(keys.received, excluded.received)";
        let (hash, until) = (Uuid::from_bytes(key.hash), key.until.map(Timestamp::as_microsecond));
        transaction.execute(remember, &[&hash, &until, &prepared.event.received.as_microsecond()]).await?;
    }
    let mut values: Vec<Value> = says(prepared, origin(transaction, prepared).await?)?.into();
    let columns: Vec<String> = SAYS.iter().zip(1..).map(|(column, n)| format!("{column} = ${n}")).collect();
    let update = format!("UPDATE events SET {} WHERE request = $17 AND place = $18 AND day = $19", columns.join(", "));
    values.extend::<[Value; 3]>([Box::new(stored.request), Box::new(stored.place), Box::new(stored.day)]);
    transaction.execute(&update, &parameters(&values)).await?;
    Ok(())
}

/// One more event of a request, which it gets a copy of.
pub(super) async fn add(
    transaction: &Transaction<'_>,
    prepared: &PreparedEvent,
    stored: Stored,
    id: Uuid,
) -> Result<Stored, Fault> {
    let (origin, day) = (origin(transaction, prepared).await?, partitions::day_of(id));
    let copy = "INSERT INTO requests (id, day, received, origin, method, target, peer, headers, body, seal, sum, copy_of, erased) \
         SELECT nextval('request_numbers'), $1::date, received, $2::int, method, target, peer, headers, body, seal, sum, coalesce(copy_of, id), \
         erased FROM requests WHERE id = $3 AND day = $4 RETURNING id";
    let row = transaction.query_one(copy, &[&day, &origin, &stored.request, &stored.day]).await?;
    let request: i64 = get(&row, "id")?;
    let mut values: Vec<Value> = says(prepared, origin)?.into();
    let numbers: Vec<String> = (1..=20).map(|n| format!("${n}")).collect();
    let insert = format!(
        "INSERT INTO events ({}, request, place, day, id, received) VALUES ({}, $21)",
        SAYS.join(", "),
        numbers.join(", ")
    );
    values.extend::<[Value; 5]>([
        Box::new(request),
        Box::new(0_i32),
        Box::new(day),
        Box::new(id),
        Box::new(prepared.event.received.as_microsecond()),
    ]);
    transaction.execute(&insert, &parameters(&values)).await?;
    Ok(Stored { request, place: 0, day, ..stored })
}

async fn origin(transaction: &Transaction<'_>, prepared: &PreparedEvent) -> Result<i32, Fault> {
    let event = &prepared.event;
    let values: [&(dyn ToSql + Sync); 3] = [&&*event.source, &&*event.provider, &&*event.provider_version];
    let put = "INSERT INTO origins (source, provider, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    transaction.execute(put, &values).await?;
    let find = "SELECT id FROM origins WHERE source = $1 AND provider = $2 AND version = $3";
    get(&transaction.query_one(find, &values).await?, "id")
}
