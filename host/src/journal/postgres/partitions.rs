//! Days: what is of one lies in partitions of its own, so that retention drops them whole.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tokio_postgres::{Client, GenericClient};
use uuid::Uuid;

use super::fault::Fault;
use super::rows::{get, unsigned};

/// The tables that have partitions, in the order in which they are locked.
pub(super) const TABLES: [&str; 4] = ["requests", "events", "deliveries", "attempts"];
/// Days that are made ahead.
const AHEAD: i32 = 3;
/// Who makes or drops partitions holds this lock.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1885432692, hashtext(current_schema()))";

/// The day of a time, in UTC.
pub(super) fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

/// The day in an event's id, which is the one that its rows are of; that of the epoch where no event can be.
pub(super) fn day_of(event: Uuid) -> Date {
    let milliseconds = i64::try_from(event.as_u128() >> 80).unwrap_or(0);
    day(Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The first day of which something can be that was received since: a host's clock may be behind another's.
pub(super) fn earliest(since: Timestamp) -> Date {
    let day = day(since);
    day.yesterday().unwrap_or(day)
}

/// Makes the days from yesterday on that will be needed soon; says whether any was missing.
pub(super) async fn ahead(client: &mut Client, now: Timestamp) -> Result<bool, Fault> {
    let today = day(now);
    let wanted: Vec<Date> = (-1..=AHEAD).filter_map(|days| today.checked_add(days.days()).ok()).collect();
    let there = all(client).await?;
    let missing: Vec<Date> = wanted.into_iter().filter(|day| !there.contains(day)).collect();
    for day in &missing {
        make(client, *day).await?;
    }
    Ok(!missing.is_empty())
}

/// Makes the partitions of a day, where they are not there.
pub(super) async fn make(client: &mut Client, day: Date) -> Result<(), Fault> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK).await?;
    if !all(&transaction).await?.contains(&day)
        && let Ok(next) = day.tomorrow()
    {
        for table in TABLES {
            let name = name(table, day);
            // Attached, and not made in place: that would wait for everybody who reads the table, and hold up those behind.
            let make = format!(
                "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING CONSTRAINTS); \
                 ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{next}')"
            );
            transaction.batch_execute(&make).await?;
        }
    }
    Ok(transaction.commit().await?)
}

/// The days that are there, oldest first.
pub(super) async fn all(client: &impl GenericClient) -> Result<Vec<Date>, Fault> {
    let names = "SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = 'attempts'::regclass ORDER BY day";
    client.query(names, &[]).await?.iter().map(|row| get(row, "day")).collect()
}

/// Drops a day of which nothing is open; says how many events went, and nothing where it has to stay for now.
pub(super) async fn drop_day(client: &mut Client, day: Date) -> Result<Option<u64>, Fault> {
    let events = format!("SELECT count(*) AS events FROM {}", name("events", day));
    let events = unsigned(&client.query_one(&events, &[]).await?, "events")?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(LOCK).await?;
    // Who reads a table is waited for, but not long: those behind wait, too.
    transaction.batch_execute("SET LOCAL lock_timeout = '300ms'").await?;
    let tables = TABLES.map(|table| name(table, day)).join(", ");
    let parents = TABLES.map(|table| format!("ONLY {table}")).join(", ");
    if transaction.batch_execute(&format!("LOCK TABLE {parents} IN ACCESS EXCLUSIVE MODE")).await.is_err() {
        return Ok(None);
    }
    let open = transaction.query_one("SELECT EXISTS (SELECT 1 FROM queue WHERE day = $1) AS open", &[&day]).await?;
    if get(&open, "open")? {
        return Ok(None);
    }
    transaction.batch_execute(&format!("DROP TABLE {tables}")).await?;
    transaction.execute("DELETE FROM days WHERE day = $1", &[&day]).await?;
    transaction.commit().await?;
    Ok(Some(events))
}

/// A day's partition of a table.
pub(super) fn name(table: &str, day: Date) -> String {
    format!("{table}_{:04}{:02}{:02}", day.year(), day.month(), day.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_of_the_day_in_its_id() {
        let noon: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let id = Uuid::from_u128((noon.as_millisecond() as u128) << 80 | 0x7 << 76 | 0b10 << 62);
        assert_eq!(day_of(id), jiff::civil::date(2026, 11, 20));
        assert_eq!(name("events", day_of(id)), "events_20261120");
        assert_eq!(day_of(Uuid::nil()), jiff::civil::date(1970, 1, 1));
    }
}
