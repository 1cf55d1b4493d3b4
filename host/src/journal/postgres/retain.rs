//! Retention: whole days go at once, which costs nothing whatever they hold; where something of a day is open, and where a
//! retention is so short that a day is long, rows go in steps. Keys go with their age, but not before their events.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;

use super::family::Family;
use super::fault::Fault;
use super::rows::{get, unsigned};
use super::{partitions, reject, space};
use crate::journal::Shrunk;

/// Events looked at in one step.
const STEP: i64 = 500;
/// The same for a size, which is looked at after each.
const FEW: i64 = 32;
/// Keys deleted in one step.
const KEYS: i64 = 5_000;
/// So many younger events in a row are the end of the old ones: they lie in the order of their arrival, but for a clock that
/// was once ahead, and what was released.
const YOUNGER: usize = 10_000;
/// Who keeps for less than this gets what is older deleted to the second; for others a day that is not over stays whole.
const EXACT: SignedDuration = SignedDuration::from_hours(48);

/// Who deletes holds this lock: two hosts that shrink the journal at once would delete twice as much.
const ALONE: &str = "SELECT pg_try_advisory_lock(1885432693, hashtext(current_schema())) AS alone";
const DONE: &str = "SELECT pg_advisory_unlock(1885432693, hashtext(current_schema()))";

/// Deletes what is older; says how many events went. Days that are over by then go whole. None while another host is at it.
pub(super) async fn retain(client: &mut Client, before: Timestamp, now: Timestamp) -> Result<u64, Fault> {
    if !get::<bool>(&client.query_one(ALONE, &[]).await?, "alone")? {
        return Ok(0);
    }
    let deleted = retain_alone(client, before, now).await;
    client.query(DONE, &[]).await?;
    deleted
}

async fn retain_alone(client: &mut Client, before: Timestamp, now: Timestamp) -> Result<u64, Fault> {
    let exact = now.duration_since(before) < EXACT;
    let until = if exact { before } else { start(partitions::day(before)) };
    let mut deleted = 0;
    for day in partitions::all(client).await? {
        let over = day.tomorrow().is_ok_and(|next| start(next) <= until);
        if !over && !exact {
            break;
        }
        if over && let Some(events) = partitions::drop_day(client, day).await? {
            deleted += events;
            continue;
        }
        deleted += rows_of(client, day, until).await?;
    }
    forget_keys(client, until.as_microsecond(), now.as_microsecond()).await?;
    reject::expire(client, before.as_microsecond()).await?;
    Ok(deleted)
}

/// Deletes the oldest finished events until the journal is smaller, and a bit more. A day of which nothing is open goes whole.
pub(super) async fn shrink(client: &mut Client, max: u64, now: Timestamp) -> Result<Shrunk, Fault> {
    if !get::<bool>(&client.query_one(ALONE, &[]).await?, "alone")? {
        return Ok(Shrunk { events: 0, bytes: used(client).await?, over: false });
    }
    let shrunk = shrink_alone(client, max, now).await;
    client.query(DONE, &[]).await?;
    shrunk
}

async fn shrink_alone(client: &mut Client, max: u64, now: Timestamp) -> Result<Shrunk, Fault> {
    let (mut used, mut events, room) = (used(client).await?, 0, max / 10 * 9);
    if space::all(client).await? <= max || used <= room {
        return Ok(Shrunk { events, bytes: used, over: false });
    }
    for day in partitions::all(client).await? {
        if used <= room {
            break;
        }
        if day < partitions::day(now) {
            let bytes = space::of_day(client, day).await?;
            if let Some(gone) = partitions::drop_day(client, day).await? {
                events += gone;
                used = used.saturating_sub(bytes);
                continue;
            }
        }
        let mut walk = Walk::new(day, Timestamp::MAX, FEW);
        while used > room && walk.more {
            let step = walk.step(client).await?;
            events += step.events;
            used = used.saturating_sub(step.bytes);
        }
    }
    Ok(Shrunk { events, bytes: used, over: used > room })
}

/// Bytes that hold something: of days of which rows were deleted not what is free for new ones.
async fn used(client: &Client) -> Result<u64, Fault> {
    let mut used = space::all(client).await?;
    for row in &client.query("SELECT day FROM days WHERE deleted > 0", &[]).await? {
        let day = get(row, "day")?;
        let bytes = space::of_day(client, day).await?;
        used = used.saturating_sub(bytes) + space::used_of_day(client, day).await?.min(bytes);
    }
    Ok(used)
}

fn start(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |day| day.timestamp())
}

async fn rows_of(client: &mut Client, day: Date, before: Timestamp) -> Result<u64, Fault> {
    let (mut walk, mut deleted) = (Walk::new(day, before, STEP), 0);
    while walk.more {
        deleted += walk.step(client).await?.events;
    }
    Ok(deleted)
}

/// Over a day's events, oldest first.
struct Walk {
    day: Date,
    before: i64,
    limit: i64,
    after: (i64, i32),
    younger: usize,
    more: bool,
}

/// What one step deleted.
struct Step {
    events: u64,
    bytes: u64,
}

impl Walk {
    fn new(day: Date, before: Timestamp, limit: i64) -> Self {
        Self { day, before: before.as_microsecond(), limit, after: (0, 0), younger: 0, more: true }
    }

    async fn step(&mut self, client: &mut Client) -> Result<Step, Fault> {
        let find = "SELECT request, place, received FROM events WHERE day = $1 AND (request, place) > ($2, $3) \
             ORDER BY request, place LIMIT $4";
        let found = client.query(find, &[&self.day, &self.after.0, &self.after.1, &self.limit]).await?;
        let (mut requests, mut places) = (Vec::<i64>::new(), Vec::<i32>::new());
        for row in &found {
            self.after = (get(row, "request")?, get(row, "place")?);
            if get::<i64>(row, "received")? >= self.before {
                self.younger += 1;
                continue;
            }
            self.younger = 0;
            requests.push(self.after.0);
            places.push(self.after.1);
        }
        self.more = found.len() as i64 == self.limit && self.younger < YOUNGER;
        if requests.is_empty() {
            return Ok(Step { events: 0, bytes: 0 });
        }
        self.delete(client, &requests, &places).await
    }

    /// Those of which nothing is open, with all that belongs to them, and requests with their last event.
    async fn delete(&self, client: &mut Client, requests: &[i64], places: &[i32]) -> Result<Step, Fault> {
        let transaction = client.transaction().await?;
        let alone = "SELECT FROM requests WHERE day = $1 AND id = ANY ($2) ORDER BY id FOR UPDATE";
        transaction.query(alone, &[&self.day, &requests]).await?;
        Family::lock_ended(&transaction, requests).await?;
        let events = "WITH gone AS (DELETE FROM events e USING unnest($2::bigint[], $3::int[]) AS o (request, place) \
             WHERE e.day = $1 AND e.request = o.request AND e.place = o.place \
             AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.request = e.request AND q.place = e.place) \
             RETURNING e.request, e.place, 400 + coalesce(pg_column_size(e.data), 0) AS bytes), \
             ended AS (DELETE FROM deliveries d USING gone WHERE d.day = $1 AND d.request = gone.request AND d.place = gone.place \
             RETURNING d.id), tried AS (DELETE FROM attempts a USING ended WHERE a.day = $1 AND a.delivery = ended.id RETURNING 1) \
             SELECT count(*) AS events, (coalesce(sum(bytes), 0) + 200 * (SELECT count(*) FROM ended) \
             + 200 * (SELECT count(*) FROM tried))::bigint AS bytes FROM gone";
        let row = transaction.query_one(events, &[&self.day, &requests, &places]).await?;
        let (events, mut bytes) = (unsigned(&row, "events")?, unsigned(&row, "bytes")?);
        let unused = "WITH gone AS (DELETE FROM requests r WHERE r.day = $1 AND r.id = ANY ($2) \
             AND NOT EXISTS (SELECT 1 FROM events e WHERE e.day = $1 AND e.request = r.id) \
             RETURNING 350 + pg_column_size(r.headers) + pg_column_size(r.body) AS bytes) \
             SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM gone";
        bytes += unsigned(&transaction.query_one(unused, &[&self.day, &requests]).await?, "bytes")?;
        if events > 0 {
            let note = "INSERT INTO days (day, deleted) VALUES ($1, $2) ON CONFLICT (day) DO UPDATE SET deleted = days.deleted + $2";
            transaction.execute(note, &[&self.day, &super::filter::number(events)]).await?;
        }
        transaction.commit().await?;
        Ok(Step { events, bytes })
    }
}

/// Keys that hold as long as retention go with their age, but for those of events that are still there because they are open:
/// the same event must not be taken again beside them. Others go when their time has come.
async fn forget_keys(client: &Client, before: i64, now: i64) -> Result<(), Fault> {
    let kept = "SELECT e.key FROM queue q JOIN events e ON e.request = q.request AND e.place = q.place AND e.day = q.day \
         WHERE e.received < $1 UNION \
         SELECT r.nonce FROM queue q JOIN requests r ON r.id = q.request AND r.day = q.day WHERE r.received < $1 AND r.nonce IS NOT NULL";
    let kept = client.query(kept, &[&before]).await?;
    let kept: Vec<uuid::Uuid> = kept.iter().map(|row| get(row, "key")).collect::<Result<_, _>>()?;
    let aged = "DELETE FROM keys WHERE hash IN (SELECT hash FROM keys WHERE until IS NULL AND received < $1 \
         AND hash NOT IN (SELECT unnest($2::uuid[])) ORDER BY received LIMIT $3)";
    while client.execute(aged, &[&before, &kept, &KEYS]).await? == KEYS.unsigned_abs() {}
    let ended = "DELETE FROM keys WHERE hash IN (SELECT hash FROM keys WHERE until <= $1 ORDER BY until LIMIT $2)";
    while client.execute(ended, &[&now, &KEYS]).await? == KEYS.unsigned_abs() {}
    Ok(())
}

/// Makes room for new rows of what was deleted. The space itself comes back with days that go whole, so nothing is said to be
/// free.
pub(super) async fn vacuum(client: &Client) -> Result<u64, Fault> {
    for row in &client.query("SELECT day FROM days WHERE deleted > 0", &[]).await? {
        super::erase::vacuum(client, get(row, "day")?).await?;
    }
    Ok(0)
}
