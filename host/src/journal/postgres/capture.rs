//! Secrets that senders told: rare, and each waits for the disk as an event does.

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Client, GenericClient, Row};

use super::fault::Fault;
use super::rows::{self, get, unwrapped};
use super::text;
use crate::journal::seal::Vault;
use crate::journal::{Capture, CaptureFilter, NewCapture, PENDING_IN_ALL, PENDING_OF_A_SOURCE};

/// Of one source, or all where it is none: those that are pending and too many.
const TOO_MANY: &str = "DELETE FROM captures WHERE confirmed IS NULL AND ($1::text IS NULL OR source = $1) AND id NOT IN \
    (SELECT id FROM captures WHERE confirmed IS NULL AND ($1::text IS NULL OR source = $1) ORDER BY id DESC LIMIT $2)";
const WHICH: &str = "source = $1 AND ($2::text IS NULL OR secret = $2) AND ($3::text IS NULL OR fingerprint = $3)";
const COLUMNS: &str = "id, source, secret, value, sealed, received, peer, confirmed";
/// They are few: who changes them goes after who did before.
const ALONE: &str = "LOCK TABLE captures IN SHARE ROW EXCLUSIVE MODE";

/// Keeps one as the newest; the oldest go where there are too many. One that is confirmed stays so.
pub(super) async fn keep(client: &mut Client, new: &NewCapture, vault: Option<&Vault>) -> Result<(), Fault> {
    let (source, secret, fingerprint) = (&*new.source, text::kept(&new.secret), new.fingerprint());
    let transaction = client.transaction().await?;
    transaction.batch_execute(ALONE).await?;
    let alike = format!("SELECT {COLUMNS} FROM captures WHERE source = $1 AND secret = $2 AND fingerprint = $3");
    let mut same = Vec::new();
    for row in &transaction.query(&alike, &[&source, &secret, &fingerprint]).await? {
        let known = capture(row, vault)?;
        if known.value.expose_secret() != new.value.expose_secret() {
            continue;
        }
        if known.confirmed.is_some() {
            return Ok(());
        }
        same.push(get::<i64>(row, "id")?);
    }
    transaction.execute("DELETE FROM captures WHERE id = ANY ($1)", &[&same]).await?;
    let value = new.value.expose_secret().as_bytes();
    let kept = vault.map_or_else(|| value.to_vec(), |vault| vault.wrap(value));
    let insert = "INSERT INTO captures (source, secret, value, sealed, fingerprint, received, peer) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (received, peer) = (new.received.as_microsecond(), new.peer.map(|peer| peer.to_string()));
    transaction.execute(insert, &[&source, &secret, &kept, &vault.is_some(), &fingerprint, &received, &peer]).await?;
    transaction.execute(TOO_MANY, &[&Some(source), &(PENDING_OF_A_SOURCE as i64)]).await?;
    transaction.execute(TOO_MANY, &[&None::<&str>, &(PENDING_IN_ALL as i64)]).await?;
    Ok(transaction.commit().await?)
}

/// Newest first.
pub(super) async fn list(client: &impl GenericClient, vault: Option<&Vault>) -> Result<Vec<Capture>, Fault> {
    let all = format!("SELECT {COLUMNS} FROM captures ORDER BY id DESC");
    client.query(&all, &[]).await?.iter().map(|row| capture(row, vault)).collect()
}

/// Confirms the newest that is pending, and forgets the others of the same secret.
pub(super) async fn confirm(
    client: &mut Client,
    which: &CaptureFilter,
    now: i64,
    vault: Option<&Vault>,
) -> Result<Option<Capture>, Fault> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(ALONE).await?;
    let mark = format!(
        "UPDATE captures SET confirmed = $4 WHERE id = (SELECT max(id) FROM captures WHERE confirmed IS NULL AND {WHICH}) \
         RETURNING {COLUMNS}"
    );
    let found = transaction.query_opt(&mark, &[&which.source, &which.secret, &which.fingerprint, &now]).await?;
    let Some(row) = found else { return Ok(None) };
    let confirmed = capture(&row, vault)?;
    let others = "DELETE FROM captures WHERE confirmed IS NULL AND source = $1 AND secret = $2";
    transaction.execute(others, &[&confirmed.source, &confirmed.secret]).await?;
    transaction.commit().await?;
    Ok(Some(confirmed))
}

/// Forgets what is pending, and what is confirmed too where its fingerprint is named.
pub(super) async fn discard(client: &impl GenericClient, which: &CaptureFilter) -> Result<u64, Fault> {
    let forget = format!("DELETE FROM captures WHERE {WHICH} AND (confirmed IS NULL OR $3 IS NOT NULL)");
    Ok(client.execute(&forget, &[&which.source, &which.secret, &which.fingerprint]).await?)
}

fn capture(row: &Row, vault: Option<&Vault>) -> Result<Capture, Fault> {
    Ok(Capture {
        source: get(row, "source")?,
        secret: get(row, "secret")?,
        value: SecretString::from(unwrapped(get(row, "value")?, get(row, "sealed")?, vault)?),
        received: rows::time(get(row, "received")?),
        peer: rows::peer(row)?,
        confirmed: get::<Option<i64>>(row, "confirmed")?.map(rows::time),
    })
}
