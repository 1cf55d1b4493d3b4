//! What polls remember, and whose turn the next run is: one host's in every interval, whatever their number.

use std::time::Duration;

use bytes::Bytes;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::fault::Fault;
use super::rows::get;

/// While another host is at it, it is asked again after so long.
const AT_IT: Duration = Duration::from_secs(2);

/// What a poll saw last.
pub(super) async fn state(client: &impl GenericClient, poll: &str) -> Result<Option<Bytes>, Fault> {
    let found = client.query_opt("SELECT state FROM polls WHERE name = $1", &[&poll]).await?;
    Ok(found.map(|row| get::<Option<Vec<u8>>>(&row, "state")).transpose()?.flatten().map(Bytes::from))
}

/// Begins a run, where its time has come and nobody is at it: a host that is gone is nobody. None: it is this host's; else
/// when to ask again.
///
/// A run that began up to an interval ahead is one of a host whose clock is; one from further ahead is of a clock that was
/// wrong.
pub(super) async fn take(
    client: &impl GenericClient,
    poll: &str,
    every: Duration,
    host: Uuid,
    now: i64,
) -> Result<Option<Duration>, Fault> {
    let take = "INSERT INTO polls (name, ran, host) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET ran = $2, host = $3 \
         WHERE (polls.ran IS NULL OR abs($2 - polls.ran) >= $4) AND (polls.host IS NULL OR polls.host = $3 \
         OR NOT EXISTS (SELECT 1 FROM hosts h WHERE h.id = polls.host))";
    let every = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
    if client.execute(take, &[&poll, &now, &host, &every]).await? > 0 {
        return Ok(None);
    }
    let ran = client.query_opt("SELECT ran FROM polls WHERE name = $1", &[&poll]).await?;
    let ran = ran.map(|row| get::<Option<i64>>(&row, "ran")).transpose()?.flatten();
    let left = ran.map_or(0, |ran| every.saturating_sub(now.abs_diff(ran).try_into().unwrap_or(i64::MAX)));
    Ok(Some(
        Duration::from_micros(left.max(0).unsigned_abs()).max(AT_IT.min(Duration::from_micros(every.unsigned_abs()))),
    ))
}

/// A run is over.
pub(super) async fn over(client: &impl GenericClient, poll: &str, host: Uuid) -> Result<(), Fault> {
    client.execute("UPDATE polls SET host = NULL WHERE name = $1 AND host = $2", &[&poll, &host]).await?;
    Ok(())
}
