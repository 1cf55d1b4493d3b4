//! Rejections: kept for people, bounded in number and bytes, the oldest go first. Never worth a sync or a wait.

use std::net::IpAddr;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::filter::Where;
use super::ids::Ids;
use super::limits::Limits;
use super::wipe::wiping;
use super::{rows, schema};
use crate::journal::kept::Kept;
use crate::journal::prepare;
use crate::journal::{Rejected, RejectionFilter};
use crate::reason::Reason;
use crate::request::Incoming;

/// Those that go for their age in one step.
const FORGOTTEN: i64 = 128;

/// The kept rejections' bounds and what they hold now. What is authentic lies apart, so that nobody who only forges can
/// push it out; the bounds are those of each of the two.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf {
    limit: u64,
    limit_bytes: u64,
    forged: Held,
    authentic: Held,
}

/// Rejections of one kind.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    count: u64,
    bytes: u64,
}

impl Held {
    fn without(&mut self, size: u64) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }
}

impl Shelf {
    pub(super) fn load(conn: &Connection, limits: &Limits) -> rusqlite::Result<Self> {
        let held = "SELECT count(*), coalesce(sum(size), 0) FROM rejections WHERE authentic = ?";
        let held = |authentic: bool| {
            conn.query_row(held, [authentic], |row| {
                Ok(Held { count: rows::unsigned(row, 0)?, bytes: rows::unsigned(row, 1)? })
            })
        };
        let (forged, authentic) = (held(false)?, held(true)?);
        Ok(Self { limit: limits.rejections, limit_bytes: limits.rejection_bytes, forged, authentic })
    }

    /// How many are kept.
    pub(super) fn count(&self) -> u64 {
        self.forged.count + self.authentic.count
    }

    fn held(&mut self, authentic: bool) -> &mut Held {
        if authentic { &mut self.authentic } else { &mut self.forged }
    }

    /// Keeps one and lets the oldest go where there are too many.
    pub(super) fn put(&mut self, conn: &Connection, ids: &mut Ids, kept: Kept) -> rusqlite::Result<()> {
        ids.rejection += 1;
        conn.prepare_cached(
            "INSERT INTO rejections (id, source, reason, detail, received, method, target, peer, length, size, headers, \
             body, seal, authentic) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            kept.authentic,
        ])?;
        let (limit, limit_bytes) = (self.limit, self.limit_bytes);
        let held = self.held(kept.authentic);
        held.count += 1;
        held.bytes += kept.size as u64;
        while held.count > limit || held.bytes > limit_bytes {
            let oldest = "DELETE FROM rejections WHERE id = (SELECT min(id) FROM rejections INDEXED BY rejections_shelf \
                 WHERE authentic = ?) RETURNING size";
            let mut oldest = conn.prepare_cached(oldest)?;
            let oldest = wiping(conn, || oldest.query_row([kept.authentic], |row| rows::unsigned(row, 0)).optional())?;
            let Some(size) = oldest else { break };
            held.without(size);
        }
        Ok(())
    }

    /// Takes away those that became events, or that nobody may read any more; the newest may be among them, and its number is not given again.
    pub(super) fn released(&mut self, conn: &Connection, ids: &Ids, released: &[u64]) -> rusqlite::Result<u64> {
        schema::set_meta(conn, "last_rejection", ids.rejection)?;
        let mut delete = conn.prepare_cached("DELETE FROM rejections WHERE id = ? RETURNING size, authentic")?;
        let mut gone = 0;
        for id in released {
            let read = |row: &Row<'_>| Ok((rows::unsigned(row, 0)?, row.get::<_, bool>(1)?));
            let id = i64::try_from(*id).unwrap_or(i64::MAX);
            // Also where its bytes live on in an event, that may be erased one day: nothing of them stays here.
            let found = wiping(conn, || delete.query_row([id], read).optional())?;
            if let Some((size, authentic)) = found {
                self.held(authentic).without(size);
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Lets the oldest go that came before; true if there may be more. The newest stays: ids go on from it.
    pub(super) fn forget(&mut self, conn: &Connection, before: i64) -> rusqlite::Result<bool> {
        let forget = "DELETE FROM rejections WHERE received < ?1 AND id < (SELECT max(id) FROM rejections) \
             AND id IN (SELECT id FROM rejections ORDER BY id LIMIT ?2) RETURNING size, authentic";
        let mut forget = conn.prepare_cached(forget)?;
        let read = |row: &Row<'_>| Ok((rows::unsigned(row, 0)?, row.get::<_, bool>(1)?));
        let gone: Vec<_> =
            wiping(conn, || forget.query_map(params![before, FORGOTTEN], read)?.collect::<Result<_, _>>())?;
        gone.iter().for_each(|(size, authentic)| self.held(*authentic).without(*size));
        Ok(gone.len() as i64 == FORGOTTEN)
    }
}

const COLUMNS: &str = "id, source, reason, detail, received, peer, method, \
    CASE WHEN seal IS NULL THEN target ELSE CAST(opened(seal, target) AS TEXT) END, length, authentic";
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
            headers: prepare::headers(row.get_ref(10)?.as_blob()?),
            body: row.get::<_, Vec<u8>>(11)?.into(),
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
        authentic: row.get(9)?,
        bytes: rows::unsigned(row, 8)?,
    })
}

fn peer(row: &Row<'_>) -> rusqlite::Result<Option<IpAddr>> {
    Ok(row.get::<_, Option<String>>(5)?.and_then(|peer| peer.parse().ok()))
}
