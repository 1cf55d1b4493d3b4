//! Rejections: kept for people, bounded in number and bytes, the oldest go first. What is authentic lies on a shelf of its own,
//! so that nobody who only forges can push it out; the bounds are those of each of the two.
//!
//! Whoever changes a shelf locks its row first, so that what it says is what lies on it, whatever the number of hosts.

use tokio_postgres::{Client, GenericClient, Row, Transaction};

use super::fault::Fault;
use super::filter::{Where, number, parameters};
use super::numbers::{self, Sequence};
use super::rows::{self, get, opened};
use super::text;
use crate::journal::kept::Kept;
use crate::journal::prepare::{self, Target};
use crate::journal::seal::Vault;
use crate::journal::{Rejected, RejectionFilter};
use crate::reason::Reason;
use crate::request::Incoming;

/// Those that go in one step.
const STEP: i64 = 512;

/// Of each shelf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rejections: u64,
    pub(super) bytes: u64,
}

/// Keeps some, in their order, and lets the oldest go where there are too many. All or none.
pub(super) async fn keep(client: &mut Client, all: &[Kept], bounds: Bounds) -> Result<(), Fault> {
    let transaction = client.transaction().await?;
    for authentic in [false, true] {
        if all.iter().any(|kept| kept.authentic == authentic) {
            lock(&transaction, authentic).await?;
            let of_shelf = all.iter().filter(|kept| kept.authentic == authentic);
            put(&transaction, of_shelf).await?;
            trim(&transaction, authentic, bounds).await?;
        }
    }
    Ok(transaction.commit().await?)
}

async fn lock(transaction: &Transaction<'_>, authentic: bool) -> Result<(), Fault> {
    transaction.execute("SELECT FROM shelves WHERE authentic = $1 FOR UPDATE", &[&authentic]).await?;
    Ok(())
}

async fn put(transaction: &Transaction<'_>, all: impl Iterator<Item = &Kept>) -> Result<(), Fault> {
    let insert = transaction
        .prepare(
            "WITH put AS (INSERT INTO rejections (source, reason, detail, received, method, target, peer, length, size, headers, \
             body, seal, authentic) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING authentic, size) \
             UPDATE shelves s SET kept = kept + 1, bytes = bytes + put.size FROM put WHERE s.authentic = put.authentic",
        )
        .await?;
    for kept in all {
        let target: &[u8] = match &kept.stored.target {
            Target::Plain(text) => text.as_bytes(),
            Target::Sealed(bytes) => bytes,
        };
        transaction
            .execute(
                &insert,
                &[
                    &kept.source,
                    &kept.rejection.reason.code(),
                    &text::kept(&kept.rejection.detail),
                    &kept.received.as_microsecond(),
                    &text::kept(&kept.method),
                    &target,
                    &kept.peer.map(|peer| peer.to_string()),
                    &number(kept.length as u64),
                    &number(kept.size as u64),
                    &kept.stored.headers,
                    &&kept.stored.body[..],
                    &kept.stored.seal,
                    &kept.authentic,
                ],
            )
            .await?;
    }
    Ok(())
}

/// Lets the oldest of a shelf go until it is within its bounds.
async fn trim(transaction: &Transaction<'_>, authentic: bool, bounds: Bounds) -> Result<(), Fault> {
    // Too many by this number, or older ones that weigh as much as there is too much.
    let oldest = "DELETE FROM rejections WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS nth, \
         sum(size) OVER (ORDER BY id) - size AS before FROM (SELECT id, size FROM rejections WHERE authentic = $1 ORDER BY id LIMIT $4) o) w, \
         shelves s WHERE s.authentic = $1 AND (nth <= s.kept - $2 OR before < s.bytes - $3)) RETURNING size";
    loop {
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&authentic, &number(bounds.rejections), &number(bounds.bytes), &STEP];
        let gone = transaction.query(oldest, &values).await?;
        forget(transaction, authentic, &gone).await?;
        if (gone.len() as i64) < STEP {
            return Ok(());
        }
    }
}

/// The shelf without these.
async fn forget(transaction: &Transaction<'_>, authentic: bool, gone: &[Row]) -> Result<(), Fault> {
    let mut bytes = 0;
    for row in gone {
        bytes += get::<i64>(row, "size")?;
    }
    let without = "UPDATE shelves SET kept = kept - $2, bytes = bytes - $3 WHERE authentic = $1";
    transaction.execute(without, &[&authentic, &(gone.len() as i64), &bytes]).await?;
    Ok(())
}

/// Takes those away that became events, or that nobody may read any more; says how many were there.
pub(super) async fn released(client: &mut Client, released: &[u64]) -> Result<u64, Fault> {
    let numbers: Vec<i64> = released.iter().copied().map(number).collect();
    let transaction = client.transaction().await?;
    let mut all = 0;
    for authentic in [false, true] {
        lock(&transaction, authentic).await?;
        let delete = "DELETE FROM rejections WHERE id = ANY ($1) AND authentic = $2 RETURNING size";
        let gone = transaction.query(delete, &[&numbers, &authentic]).await?;
        forget(&transaction, authentic, &gone).await?;
        all += gone.len() as u64;
    }
    transaction.commit().await?;
    Ok(all)
}

/// As [`released`], and leaves nothing of them in the table's pages that a later row could not take. What the server keeps in
/// its log and its backups goes with these.
pub(super) async fn erase(client: &mut Client, rejections: &[u64]) -> Result<u64, Fault> {
    let erased = released(client, rejections).await?;
    if erased > 0 {
        // Written anew: a plain VACUUM would leave the bytes where they were. Few rows, as they are bounded.
        client.batch_execute("VACUUM (FULL) rejections").await?;
    }
    Ok(erased)
}

/// Lets those go that came before.
pub(super) async fn expire(client: &mut Client, before: i64) -> Result<(), Fault> {
    for authentic in [false, true] {
        loop {
            let transaction = client.transaction().await?;
            lock(&transaction, authentic).await?;
            let delete = "DELETE FROM rejections WHERE id IN (SELECT id FROM rejections WHERE authentic = $1 AND received < $2 \
                 ORDER BY id LIMIT $3) RETURNING size";
            let gone = transaction.query(delete, &[&authentic, &before, &STEP]).await?;
            forget(&transaction, authentic, &gone).await?;
            transaction.commit().await?;
            if (gone.len() as i64) < STEP {
                break;
            }
        }
    }
    Ok(())
}

const COLUMNS: &str = "id, source, reason, detail, received, peer, method, target, length, authentic, seal";

/// The filter's conditions.
pub(super) fn which(filter: &RejectionFilter) -> Where {
    let mut wanted = Where::default();
    wanted.equals("source", filter.source.clone());
    wanted.equals("reason", filter.reason.map(|reason| reason.code()));
    wanted.between("received", filter.since, filter.until);
    wanted.among("id", filter.ids.iter().copied().map(number).collect());
    wanted.condition("id > ?", filter.after.map(number));
    wanted
}

/// Newest first, after a number oldest first.
pub(super) async fn list(
    client: &impl GenericClient,
    filter: &RejectionFilter,
    vault: Option<&Vault>,
) -> Result<Vec<Rejected>, Fault> {
    let mut wanted = which(filter);
    if filter.after.is_some() {
        wanted.condition("id <= ?", Some(numbers::settled(client, Sequence::Rejections).await?));
    }
    let order = if filter.after.is_some() { "id" } else { "id DESC" };
    let (text, values) = wanted.limited(order, filter.limit);
    let sql = format!("SELECT {COLUMNS} FROM rejections {text}");
    client.query(&sql, &parameters(&values)).await?.iter().map(|row| rejected(row, vault).map(|(one, _)| one)).collect()
}

/// One with its request; its body may be cut off.
pub(super) async fn show(
    client: &impl GenericClient,
    id: u64,
    vault: Option<&Vault>,
) -> Result<Option<(Rejected, Option<Incoming>)>, Fault> {
    let sql = format!("SELECT {COLUMNS}, headers, body FROM rejections WHERE id = $1");
    let Some(row) = client.query_opt(&sql, &[&number(id)]).await? else { return Ok(None) };
    let (rejected, target) = rejected(&row, vault)?;
    let seal: Option<Vec<u8>> = get(&row, "seal")?;
    let part = |column: &str| opened(get(&row, column)?, seal.as_deref(), vault);
    let (headers, body) = (prepare::headers(&part("headers")?), part("body")?.into());
    let (method, peer, received) = (get(&row, "method")?, rejected.peer, rejected.received);
    Ok(Some((rejected, Some(Incoming { method, target, headers, body, peer, received }))))
}

/// With its target.
fn rejected(row: &Row, vault: Option<&Vault>) -> Result<(Rejected, String), Fault> {
    let seal: Option<Vec<u8>> = get(row, "seal")?;
    let target = opened(get(row, "target")?, seal.as_deref(), vault)?;
    let target = String::from_utf8(target).map_err(|_| Fault::Damaged)?;
    let code: String = get(row, "reason")?;
    let rejected = Rejected {
        id: rows::unsigned(row, "id")?,
        source: get(row, "source")?,
        // A code of a newer version is shown as what every refusal is at least.
        reason: serde_json::from_value(code.into()).unwrap_or(Reason::Malformed),
        detail: get(row, "detail")?,
        received: rows::time(get(row, "received")?),
        peer: rows::peer(row)?,
        line: format!("{} {target}", get::<String>(row, "method")?),
        authentic: get(row, "authentic")?,
        bytes: rows::unsigned(row, "length")?,
    };
    Ok((rejected, target))
}
