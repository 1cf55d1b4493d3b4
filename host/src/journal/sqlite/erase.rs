//! Erasing content, in steps: the data keys go, and with them what they sealed; plain content is overwritten. That an event
//! was there stays known: its type, times, ids and deliveries.
//!
//! A request's bytes hold all its events, so they go with the first of them, wherever they lie (`family`); the others keep
//! their data.

use rusqlite::{Connection, Row, params_from_iter};
use uuid::Uuid;

use super::answer::Sender;
use super::family::Family;
use super::query;
use super::rows::ERASED;
use super::seal::Vault;
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
            let family = Family::of(conn, event.request)?;
            if family.has_open(conn)? || family.flies(conn, flying)? {
                done.open += 1;
            } else {
                done.erased += 1;
                if !self.dry {
                    event.erase(conn, &family, vault)?;
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
            "SELECT e.id, e.uuid, e.request, e.first_delivery, e.first_delivery + e.deliveries FROM events e {text} \
             ORDER BY e.id LIMIT ?"
        );
        let read = |row: &Row<'_>| {
            let uuid = Uuid::from_bytes(row.get(1)?);
            Ok(Found { id: row.get(0)?, uuid, request: row.get(2)?, deliveries: (row.get(3)?, row.get(4)?) })
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

impl Found {
    fn erase(&self, conn: &Connection, family: &Family, vault: Option<&Vault>) -> rusqlite::Result<()> {
        family.erase(conn, self.id, vault)?;
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
}
