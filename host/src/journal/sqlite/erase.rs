//! Erasing content, in steps: the data keys go, and with them what they sealed; plain content is overwritten. That an event
//! was there stays known: its type, times, ids and deliveries.
//!
//! A request's bytes hold all its events, so they go with the first of them; the others keep their data.

use rusqlite::{Connection, Row, params, params_from_iter};
use uuid::Uuid;

use super::answer::Sender;
use super::ids;
use super::query;
use super::rows::{self, ERASED};
use super::seal::Vault;
use crate::event::Data;
use crate::journal::{Erased, EventFilter};

/// Events looked at in one step.
const STEP: usize = 64;

/// An erasure, in steps.
pub(super) struct Erase {
    filter: EventFilter,
    /// Only counts.
    dry: bool,
    pub(super) answer: Sender<Erased>,
    /// The last event looked at.
    after: i64,
    pub(super) done: Erased,
}

/// What a step did, for memory once it is committed.
pub(super) struct Step {
    after: i64,
    pub(super) more: bool,
    done: Erased,
}

/// An event that is to be erased.
struct Found {
    id: i64,
    uuid: Uuid,
    request: i64,
    /// All events of its request.
    events: (i64, i64),
    deliveries: (i64, i64),
}

impl Erase {
    pub(super) fn new(filter: EventFilter, dry: bool, answer: Sender<Erased>) -> Self {
        Self { filter, dry, answer, after: 0, done: Erased::default() }
    }

    /// Erases the next few, inside a transaction. The cursor moves only with [`committed`](Self::committed).
    pub(super) fn step(&self, conn: &Connection, vault: Option<&Vault>, flying: &[i64]) -> rusqlite::Result<Step> {
        // What is freed in the file is overwritten with zeros.
        conn.pragma_update(None, "secure_delete", true)?;
        let step = self.erase_next(conn, vault, flying);
        conn.pragma_update(None, "secure_delete", false)?;
        step
    }

    fn erase_next(&self, conn: &Connection, vault: Option<&Vault>, flying: &[i64]) -> rusqlite::Result<Step> {
        let found = self.find(conn)?;
        let mut done = Erased::default();
        for event in &found {
            if has_open(conn, event.events)? || flies(conn, event.events, flying)? {
                done.open += 1;
            } else {
                done.erased += 1;
                if !self.dry {
                    event.erase(conn, vault)?;
                }
            }
        }
        let after = found.last().map_or(self.after, |event| event.id);
        // Who set a limit goes on after it.
        let limit = self.filter.limit as u64;
        let ended = limit > 0 && self.seen() + found.len() as u64 >= limit;
        done.after = found.last().filter(|_| ended).map(|event| event.uuid);
        Ok(Step { after, more: found.len() == STEP && !ended, done })
    }

    fn find(&self, conn: &Connection) -> rusqlite::Result<Vec<Found>> {
        let mut wanted = query::wanted(&self.filter);
        wanted.always(format!("e.state <> {ERASED} AND e.id > {}", self.after));
        let room = match self.filter.limit as u64 {
            0 => STEP,
            limit => limit.saturating_sub(self.seen()).min(STEP as u64) as usize,
        };
        let (text, values) = wanted.limited(room);
        let sql = format!(
            "SELECT e.id, e.uuid, e.request, r.first_event, r.events, e.first_delivery, e.deliveries \
             FROM events e CROSS JOIN requests r ON r.id = e.request {text} ORDER BY e.id LIMIT ?"
        );
        let read = |row: &Row<'_>| {
            let from = |first, count| {
                Ok::<_, rusqlite::Error>((row.get(first)?, row.get::<_, i64>(first)? + row.get::<_, i64>(count)?))
            };
            let uuid = Uuid::from_bytes(row.get(1)?);
            Ok(Found { id: row.get(0)?, uuid, request: row.get(2)?, events: from(3, 4)?, deliveries: from(5, 6)? })
        };
        conn.prepare_cached(&sql)?.query_map(params_from_iter(values), read)?.collect()
    }

    fn seen(&self) -> u64 {
        self.done.erased + self.done.open
    }

    pub(super) fn is_dry(&self) -> bool {
        self.dry
    }

    pub(super) fn committed(&mut self, step: &Step) {
        self.after = step.after;
        self.done.erased += step.done.erased;
        self.done.open += step.done.open;
        self.done.after = step.done.after;
    }
}

/// Whether a delivery of the request still needs its bytes, or one of an event its data.
fn has_open(conn: &Connection, (first, end): (i64, i64)) -> rusqlite::Result<bool> {
    let mut planned = conn.prepare_cached(
        "SELECT 1 FROM events e CROSS JOIN deliveries d ON d.id >= e.first_delivery AND d.id < e.first_delivery + e.deliveries \
         WHERE e.id >= ? AND e.id < ? AND d.state NOT IN (2, 3, 4) LIMIT 1",
    )?;
    let mut replayed = conn.prepare_cached(
        "SELECT 1 FROM deliveries INDEXED BY deliveries_replayed \
         WHERE replay IS NOT NULL AND event >= ? AND event < ? AND state NOT IN (2, 3, 4) LIMIT 1",
    )?;
    Ok(planned.exists([first, end])? || replayed.exists([first, end])?)
}

/// Whether one that was cancelled is still on its way: its answer is still to come.
fn flies(conn: &Connection, (first, end): (i64, i64), flying: &[i64]) -> rusqlite::Result<bool> {
    let mut find = conn.prepare_cached("SELECT 1 FROM deliveries WHERE id = ? AND event >= ? AND event < ?")?;
    for delivery in flying {
        if find.exists([*delivery, first, end])? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Found {
    fn erase(&self, conn: &Connection, vault: Option<&Vault>) -> rusqlite::Result<()> {
        self.free_the_others(conn, vault)?;
        let request =
            "UPDATE requests SET seal = NULL, sum = NULL, target = '', headers = x'', body = x'' WHERE id = ?";
        conn.prepare_cached(request)?.execute([self.request])?;
        // The sums of its events are over its own, too.
        let sums = "UPDATE events SET sum = NULL WHERE id >= ? AND id < ?";
        conn.prepare_cached(sums)?.execute([self.events.0, self.events.1])?;
        let event = "UPDATE events SET state = ?, seal = NULL, subject = NULL, warnings = NULL, form = 0, content = NULL, \
            head = 0, tail = 0, data = NULL WHERE id = ?";
        conn.prepare_cached(event)?.execute([ERASED, self.id])?;
        let (first, end) = self.deliveries;
        let answers = "UPDATE attempts SET answer = NULL, error = NULL WHERE delivery >= ? AND delivery < ?";
        conn.prepare_cached(answers)?.execute([first, end])?;
        let later = "UPDATE attempts SET answer = NULL, error = NULL \
            WHERE delivery IN (SELECT id FROM deliveries WHERE event = ? AND replay IS NOT NULL)";
        conn.prepare_cached(later)?.execute([self.id])?;
        // A hash of what may be a subject, and what a destination said.
        let keys = "UPDATE deliveries SET order_key = NULL, reason = NULL WHERE (order_key IS NOT NULL OR reason IS NOT NULL) \
            AND (id >= ?1 AND id < ?2 OR id IN (SELECT id FROM deliveries WHERE event = ?3 AND replay IS NOT NULL))";
        conn.prepare_cached(keys)?.execute([first, end, self.id])?;
        Ok(())
    }

    /// Writes whole what the request's other events share with its bytes.
    fn free_the_others(&self, conn: &Connection, vault: Option<&Vault>) -> rusqlite::Result<()> {
        let (first, end) = self.events;
        let sql = format!(
            "SELECT {} FROM {} WHERE e.id >= ? AND e.id < ? AND e.id <> ? AND e.seal IS NULL AND e.state <> {ERASED}",
            rows::EVENT,
            rows::EVENT_FROM
        );
        let others = if end - first > 1 {
            conn.prepare_cached(&sql)?
                .query_map([first, end, self.id], rows::event)?
                .collect::<rusqlite::Result<Vec<_>>>()?
        } else {
            Vec::new()
        };
        for other in others {
            let (Data::Json(data) | Data::Bytes(data, _)) = other.data else { continue };
            write_whole(conn, other.id, &data, vault)?;
        }
        Ok(())
    }
}

fn write_whole(conn: &Connection, id: Uuid, data: &[u8], vault: Option<&Vault>) -> rusqlite::Result<()> {
    let key = vault.map(Vault::data_key);
    let data = key.as_ref().map_or_else(|| data.to_vec(), |key| key.seal(data));
    let whole = "UPDATE events SET head = 0, tail = 0, data = ?, seal = ? WHERE id = ?";
    conn.prepare_cached(whole)?.execute(params![data, key.map(|key| key.wrapped), ids::number(id)])?;
    Ok(())
}
