//! The journal in numbers: what is kept, what waits, and where.

use std::collections::BTreeMap;

use tokio_postgres::{Client, GenericClient, IsolationLevel, Row, Transaction};

use super::fault::Fault;
use super::filter::parameters;
use super::rows::{self, get, unsigned};
use super::{deliveries, events, partitions, reject, space};
use crate::journal::{Backlog, Counted, Stats};

/// A day with more pages of events than this is not counted but estimated from what the server last counted itself.
const COUNTED_PAGES: i64 = 20_000;

/// How many, whatever the limit.
pub(super) async fn count(client: &impl GenericClient, of: &Counted) -> Result<u64, Fault> {
    let from = |table: &str, (text, values)| (format!("{table} {text}"), values);
    let (from, values) = match of {
        Counted::Events(filter) => from("events e", events::wanted(client, filter).await?.unlimited()),
        Counted::Deliveries(filter) => deliveries::counted(deliveries::wanted_in_state(filter)),
        Counted::Retriable(filter) => deliveries::counted(deliveries::retriable(filter)),
        Counted::Rejections(filter) => from("rejections", reject::which(filter).unlimited()),
    };
    let sql = format!("SELECT count(*) AS counted FROM {from}");
    unsigned(&client.query_one(&sql, &parameters(&values)).await?, "counted")
}

/// All of the journal's numbers but those that a host has in memory. The number of events of days with very many is the
/// server's estimate.
pub(super) async fn stats(client: &mut Client) -> Result<Stats, Fault> {
    let snapshot = snapshot(client).await?;
    let open = "SELECT n.name, w.open, w.waiting FROM (SELECT destination, count(*) FILTER (WHERE state < 2) AS open, \
        count(*) FILTER (WHERE state = 5) AS waiting FROM queue GROUP BY destination) w JOIN destinations n ON n.id = w.destination";
    let (mut open_by_destination, mut waiting) = (BTreeMap::new(), 0);
    for row in &snapshot.query(open, &[]).await? {
        let open = unsigned(row, "open")?;
        waiting += unsigned(row, "waiting")?;
        if open > 0 {
            open_by_destination.insert(get(row, "name")?, open);
        }
    }
    let others = "SELECT (SELECT count(*) FROM every_delivery d WHERE d.state > 2 AND d.state IN (3, 6)) AS exhausted, \
        (SELECT sum(kept)::bigint FROM shelves) AS rejections, \
        (SELECT e.received FROM queue q JOIN events e ON e.request = q.request AND e.place = q.place AND e.day = q.day \
         WHERE q.id = (SELECT min(id) FROM queue WHERE state IN (0, 1, 5))) AS oldest_open, \
        (SELECT received FROM events ORDER BY request, place LIMIT 1) AS oldest";
    let row = snapshot.query_one(others, &[]).await?;
    let seen = |row: &Row, column| Ok::<_, Fault>(get::<Option<i64>>(row, column)?.map(rows::time));
    Ok(Stats {
        events: all_events(&snapshot).await?,
        open: open_by_destination.values().sum::<u64>() + waiting,
        waiting,
        exhausted: unsigned(&row, "exhausted")?,
        rejections: unsigned(&row, "rejections")?,
        rejections_dropped: 0,
        oldest_open: seen(&row, "oldest_open")?,
        bytes: space::all(&snapshot).await?,
        free_bytes: 0,
        log_bytes: 0,
        oldest: seen(&row, "oldest")?,
        open_by_destination,
    })
}

async fn all_events(client: &impl GenericClient) -> Result<u64, Fault> {
    let mut all = 0;
    for day in partitions::all(client).await? {
        let name = partitions::name("events", day);
        let estimate = format!(
            "SELECT pg_relation_size(oid) / current_setting('block_size')::bigint AS pages, \
             CASE WHEN relpages > 0 AND reltuples > 0 THEN (reltuples / relpages * pg_relation_size(oid) \
                  / current_setting('block_size')::bigint)::bigint ELSE -1 END AS events \
             FROM pg_class WHERE oid = '{name}'::regclass"
        );
        let row = client.query_one(&estimate, &[]).await?;
        let estimated = get::<i64>(&row, "events")?;
        if get::<i64>(&row, "pages")? > COUNTED_PAGES && estimated >= 0 {
            all += estimated.unsigned_abs();
            continue;
        }
        all += unsigned(&client.query_one(&format!("SELECT count(*) AS events FROM {name}"), &[]).await?, "events")?;
    }
    Ok(all)
}

/// What waits for each destination, and what failed there for good.
pub(super) async fn backlog(client: &mut Client) -> Result<Vec<Backlog>, Fault> {
    let snapshot = snapshot(client).await?;
    let mut found: BTreeMap<String, Backlog> = BTreeMap::new();
    // The oldest of those that are open, and of those that wait, which may wait behind one that is held.
    let open = "SELECT n.name, w.open, (SELECT min(e.received) FROM queue q \
        JOIN events e ON e.request = q.request AND e.place = q.place AND e.day = q.day WHERE q.id IN (w.first, w.waits)) AS oldest \
        FROM (SELECT destination, count(*) AS open, min(id) FILTER (WHERE state < 2) AS first, \
              min(id) FILTER (WHERE state = 5) AS waits FROM queue WHERE state IN (0, 1, 5) GROUP BY destination) w \
        JOIN destinations n ON n.id = w.destination";
    for row in &snapshot.query(open, &[]).await? {
        let entry = found.entry(get(row, "name")?).or_default();
        entry.open = unsigned(row, "open")?;
        entry.oldest_open = get::<Option<i64>>(row, "oldest")?.map(rows::time);
    }
    let failed = "SELECT n.name, w.failed FROM (SELECT destination, count(*) AS failed FROM every_delivery d \
        WHERE d.state > 2 AND d.state IN (3, 6) GROUP BY destination) w JOIN destinations n ON n.id = w.destination";
    for row in &snapshot.query(failed, &[]).await? {
        found.entry(get(row, "name")?).or_default().exhausted = unsigned(row, "failed")?;
    }
    Ok(found.into_iter().map(|(destination, backlog)| Backlog { destination, ..backlog }).collect())
}

/// One for all the numbers.
async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, Fault> {
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    Ok(begin.start().await?)
}
