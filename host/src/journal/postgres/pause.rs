//! Pauses, which are rare and wait for the disk, so that a crash starts nothing that an operator stopped.

use tokio_postgres::{Client, GenericClient};

use super::fault::Fault;
use super::rows::{self, get};
use crate::journal::{Pausable, Paused};

/// Since when it is paused; a pause that is on goes on.
pub(super) async fn pause(
    client: &impl GenericClient,
    kind: Pausable,
    name: &str,
    now: i64,
) -> Result<jiff::Timestamp, Fault> {
    // An update that changes nothing gives the row back that was there.
    let put = "INSERT INTO paused (kind, name, since) VALUES ($1, $2, $3) \
         ON CONFLICT (kind, name) DO UPDATE SET since = paused.since RETURNING since";
    Ok(rows::time(get(&client.query_one(put, &[&kind.word(), &name, &now]).await?, "since")?))
}

/// Whether it was paused; when a destination's pause ended is remembered, because its deliveries could not be tried before.
pub(super) async fn resume(client: &mut Client, kind: Pausable, name: &str, now: i64) -> Result<bool, Fault> {
    let transaction = client.transaction().await?;
    let gone = transaction.execute("DELETE FROM paused WHERE kind = $1 AND name = $2", &[&kind.word(), &name]).await?;
    if gone > 0 && kind == Pausable::Destination {
        let resumed =
            "INSERT INTO destinations (name, resumed) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET resumed = $2";
        transaction.execute(resumed, &[&name, &now]).await?;
    }
    transaction.commit().await?;
    Ok(gone > 0)
}

/// All, by kind and name.
pub(super) async fn list(client: &impl GenericClient) -> Result<Vec<Paused>, Fault> {
    let all = "SELECT kind, name, since FROM paused ORDER BY kind COLLATE \"C\", name COLLATE \"C\"";
    let found = client.query(all, &[]).await?;
    let read = |row: &tokio_postgres::Row| {
        let source = get::<String>(row, "kind")? == Pausable::Source.word();
        let kind = if source { Pausable::Source } else { Pausable::Destination };
        Ok(Paused { kind, name: get(row, "name")?, since: rows::time(get(row, "since")?) })
    };
    found.iter().map(read).collect()
}
