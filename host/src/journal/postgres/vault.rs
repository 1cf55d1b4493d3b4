//! Whether the configured keys are the journal's: asked when it is opened, so that a wrong key is a clear refusal and not a
//! surprise at the first delivery.

use tokio_postgres::{Client, GenericClient, Row};

use super::fault::Fault;
use super::open::OpenError;
use super::rows::get;
use crate::journal::Vault;

const PROOF: &[u8] = b"hookport journal";

/// A key that the journal was written with.
struct Used {
    id: i64,
    since: i64,
    /// Which of the configured keys it is.
    configured: Option<usize>,
}

/// What may stand against the keys.
enum Objection {
    Wrong(OpenError),
    Fault(Fault),
}

impl<F: Into<Fault>> From<F> for Objection {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// Compares the keys with the journal's, and notes the first one if it is new.
pub(super) async fn admit(client: &mut Client, vault: Option<&Vault>, now: i64) -> Result<(), OpenError> {
    compare(client, vault, now).await.map_err(|objection| match objection {
        Objection::Wrong(error) => error,
        Objection::Fault(fault) => OpenError::server(&fault),
    })
}

/// Hosts that begin together do it one after the other.
async fn compare(client: &mut Client, vault: Option<&Vault>, now: i64) -> Result<(), Objection> {
    let transaction = client.transaction().await?;
    transaction.batch_execute("LOCK TABLE vault IN EXCLUSIVE MODE").await?;
    let used = used(&transaction, vault).await?;
    let (newest, vault) = match (used.last(), vault) {
        (None, None) => return Ok(()),
        (Some(_), None) => return Err(Objection::Wrong(OpenError::Sealed)),
        (newest, Some(vault)) => (newest, vault),
    };
    if newest.is_some_and(|newest| newest.configured.is_none()) {
        return Err(Objection::Wrong(OpenError::Key));
    }
    for (old, next) in used.iter().zip(used.iter().skip(1)).filter(|(old, _)| old.configured.is_none()) {
        if holds_older(&transaction, next.since).await? {
            return Err(Objection::Wrong(OpenError::OldKey));
        }
        transaction.execute("DELETE FROM vault WHERE id = $1", &[&old.id]).await?;
    }
    if newest.is_none_or(|newest| newest.configured != Some(0)) {
        note(&transaction, vault, now).await?;
    }
    Ok(transaction.commit().await?)
}

async fn used(client: &impl GenericClient, vault: Option<&Vault>) -> Result<Vec<Used>, Fault> {
    let read = |row: &Row| {
        let proof: Vec<u8> = get(row, "proof")?;
        let opened = vault.and_then(|vault| vault.unwrap_by(&proof)).filter(|(_, text)| text.as_slice() == PROOF);
        Ok(Used { id: get(row, "id")?, since: get(row, "since")?, configured: opened.map(|(index, _)| index) })
    };
    client.query("SELECT id, since, proof FROM vault ORDER BY id", &[]).await?.iter().map(read).collect()
}

/// What senders told outlives retention, so the new key seals it anew.
async fn note(client: &impl GenericClient, vault: &Vault, now: i64) -> Result<(), Fault> {
    for row in &client.query("SELECT id, value FROM captures WHERE sealed", &[]).await? {
        // What no key opens stays as it is, and is refused where it is read.
        let Ok(value) = vault.unwrap(&get::<Vec<u8>>(row, "value")?) else { continue };
        let anew = vault.wrap(&value);
        client.execute("UPDATE captures SET value = $1 WHERE id = $2", &[&anew, &get::<i64>(row, "id")?]).await?;
    }
    client.execute("INSERT INTO vault (since, proof) VALUES ($1, $2)", &[&now, &vault.wrap(PROOF)]).await?;
    Ok(())
}

/// Whether something that may be under an older key is still kept.
async fn holds_older(client: &impl GenericClient, since: i64) -> Result<bool, Fault> {
    let older = "SELECT EXISTS (SELECT 1 FROM requests WHERE seal IS NOT NULL AND received <= $1) \
        OR EXISTS (SELECT 1 FROM events WHERE seal IS NOT NULL AND received <= $1) \
        OR EXISTS (SELECT 1 FROM rejections WHERE seal IS NOT NULL AND received <= $1) \
        OR EXISTS (SELECT 1 FROM attempts WHERE sealed AND at <= $1) AS older";
    get(&client.query_one(older, &[&since]).await?, "older")
}
