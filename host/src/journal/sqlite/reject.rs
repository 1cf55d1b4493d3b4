//! Rejections: kept for people, bounded in number and bytes, the oldest go first. Never worth a sync or a wait.

use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::filter::Where;
use super::ids::Ids;
use super::limits::Limits;
use super::prepare::{self, Prepared, Stored};
use super::rows;
use super::seal::Vault;
use crate::journal::{NewRejected, Rejected, RejectionFilter};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// What a row weighs beside its texts.
const ROW: usize = 128;
/// Those that go for their age in one step.
const FORGOTTEN: i64 = 128;

/// A rejection on its way to the file.
pub(super) struct Kept {
    source: Option<String>,
    rejection: Rejection,
    received: Timestamp,
    method: String,
    stored: Stored,
    peer: Option<IpAddr>,
    length: usize,
    pub(super) size: usize,
}

impl Kept {
    /// A refused request; its body is cut off at the bound.
    pub(super) fn new(rejected: NewRejected, bound: usize, vault: Option<&Vault>) -> Self {
        let NewRejected { source, rejection, request } = rejected;
        let cut = request.body.len().min(bound);
        // Copied: a slice would hold the whole body while it waits.
        let body = bytes::Bytes::copy_from_slice(&request.body[..cut]);
        let stored = Stored::new(&request, body, vault.map(Vault::data_key).as_ref());
        Self::of(source.map(|source| source.to_string()), rejection, &request, stored)
    }

    /// An authentic request that came too late or twice: whole, so that it can be released.
    pub(super) fn stale(prepared: &Prepared, rejection: Rejection) -> Self {
        let request = &prepared.request;
        Self::of(Some(prepared.source.to_string()), rejection, request, prepared.stored.clone())
    }

    fn of(source: Option<String>, rejection: Rejection, request: &Incoming, stored: Stored) -> Self {
        let size = ROW + stored.headers.len() + stored.body.len() + request.target.len() + rejection.detail.len();
        Self {
            source,
            rejection,
            received: request.received,
            method: request.method.clone(),
            stored,
            peer: request.peer,
            length: request.body.len(),
            size,
        }
    }
}

/// The kept rejections' bounds and what they hold now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf {
    limit: u64,
    limit_bytes: u64,
    pub(super) count: u64,
    bytes: u64,
}

impl Shelf {
    pub(super) fn load(conn: &Connection, limits: &Limits) -> rusqlite::Result<Self> {
        conn.query_row("SELECT count(*), coalesce(sum(size), 0) FROM rejections", [], |row| {
            let (count, bytes) = (rows::unsigned(row, 0)?, rows::unsigned(row, 1)?);
            Ok(Self { limit: limits.rejections, limit_bytes: limits.rejection_bytes, count, bytes })
        })
    }

    /// Keeps one and lets the oldest go where there are too many.
    pub(super) fn put(&mut self, conn: &Connection, ids: &mut Ids, kept: Kept) -> rusqlite::Result<()> {
        ids.rejection += 1;
        conn.prepare_cached(
            "INSERT INTO rejections (id, source, reason, detail, received, method, target, peer, length, size, headers, \
             body, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            ids.rejection,
            kept.source,
            kept.rejection.reason.code(),
            kept.rejection.detail,
            kept.received.as_microsecond(),
            kept.method,
            kept.stored.target,
            kept.peer.map(|peer| peer.to_string()),
            kept.length as i64,
            kept.size as i64,
            kept.stored.headers,
            &kept.stored.body[..],
            kept.stored.seal,
        ])?;
        self.count += 1;
        self.bytes += kept.size as u64;
        while self.count > self.limit || self.bytes > self.limit_bytes {
            let oldest = "DELETE FROM rejections WHERE id = (SELECT min(id) FROM rejections) RETURNING size";
            let size = conn.prepare_cached(oldest)?.query_row([], |row| rows::unsigned(row, 0)).optional()?;
            let Some(size) = size else { break };
            self.count -= 1;
            self.bytes -= size.min(self.bytes);
        }
        Ok(())
    }

    /// Lets the oldest go that came before; true if there may be more. The newest stays: ids go on from it.
    pub(super) fn forget(&mut self, conn: &Connection, before: i64) -> rusqlite::Result<bool> {
        let forget = "DELETE FROM rejections WHERE received < ?1 AND id < (SELECT max(id) FROM rejections) \
             AND id IN (SELECT id FROM rejections ORDER BY id LIMIT ?2) RETURNING size";
        let mut forget = conn.prepare_cached(forget)?;
        let gone: Vec<u64> =
            forget.query_map(params![before, FORGOTTEN], |row| rows::unsigned(row, 0))?.collect::<Result<_, _>>()?;
        self.count -= (gone.len() as u64).min(self.count);
        self.bytes -= gone.iter().sum::<u64>().min(self.bytes);
        Ok(gone.len() as i64 == FORGOTTEN)
    }
}

const COLUMNS: &str = "id, source, reason, detail, received, peer, method, \
    CASE WHEN seal IS NULL THEN target ELSE CAST(opened(seal, target) AS TEXT) END, length";
const CONTENT: &str = "CASE WHEN seal IS NULL THEN headers ELSE opened(seal, headers) END, \
    CASE WHEN seal IS NULL THEN body ELSE opened(seal, body) END";

/// The filter's conditions.
pub(super) fn which(filter: &RejectionFilter) -> Where {
    let mut wanted = Where::default();
    wanted.equals("source", filter.source.clone().map(Value::from));
    wanted.equals("reason", filter.reason.map(|reason| Value::from(reason.code().to_owned())));
    wanted.between("received", filter.since, filter.until);
    wanted.among("id", &filter.ids);
    wanted.condition("id > ?", filter.after.map(|after| i64::try_from(after).unwrap_or(i64::MAX)));
    wanted
}

/// Newest first, after a number oldest first.
pub(super) fn list(conn: &Connection, filter: &RejectionFilter) -> rusqlite::Result<Vec<Rejected>> {
    let order = if filter.after.is_some() { "" } else { "DESC" };
    let (text, values) = which(filter).limited(filter.limit);
    let mut select = conn.prepare(&format!("SELECT {COLUMNS} FROM rejections {text} ORDER BY id {order} LIMIT ?"))?;
    select.query_map(rusqlite::params_from_iter(values), rejected)?.collect()
}

/// One with its request; its body may be cut off.
pub(super) fn show(conn: &Connection, id: u64) -> rusqlite::Result<Option<(Rejected, Option<Incoming>)>> {
    let sql = format!("SELECT {COLUMNS}, {CONTENT} FROM rejections WHERE id = ?");
    let read = |row: &Row<'_>| {
        let request = Incoming {
            method: row.get(6)?,
            target: row.get(7)?,
            headers: prepare::headers(row.get_ref(9)?.as_blob()?),
            body: row.get::<_, Vec<u8>>(10)?.into(),
            peer: peer(row)?,
            received: rows::time(row.get(4)?),
        };
        Ok((rejected(row)?, Some(request)))
    };
    conn.query_row(&sql, [i64::try_from(id).unwrap_or(i64::MAX)], read).optional()
}

fn rejected(row: &Row<'_>) -> rusqlite::Result<Rejected> {
    let code: String = row.get(2)?;
    Ok(Rejected {
        id: rows::unsigned(row, 0)?,
        source: row.get(1)?,
        // A code of a newer version is shown as what every refusal is at least.
        reason: serde_json::from_value(code.into()).unwrap_or(Reason::Malformed),
        detail: row.get(3)?,
        received: rows::time(row.get(4)?),
        peer: peer(row)?,
        line: format!("{} {}", row.get::<_, String>(6)?, row.get::<_, String>(7)?),
        bytes: rows::unsigned(row, 8)?,
    })
}

fn peer(row: &Row<'_>) -> rusqlite::Result<Option<IpAddr>> {
    Ok(row.get::<_, Option<String>>(5)?.and_then(|peer| peer.parse().ok()))
}
