//! Erasing content, in steps: the data keys go, and with them what they sealed; plain content is overwritten. That an event
//! was there stays known: its type, times, ids and deliveries.
//!
//! A request's bytes hold all its events, so they go with the first of them, wherever they lie (`family`); the others keep
//! their data. At the end what is free in the file goes back, with what was deleted there before.

use rusqlite::{Connection, Row, params_from_iter};
use uuid::Uuid;

use super::answer::Sender;
use super::family::Family;
use super::query;
use super::rows::ERASED;
use super::space;
use super::wipe::wiping;
use crate::journal::seal::Vault;
use crate::journal::{Erased, EventFilter};

/// Events looked at in one step.
const STEP: usize = 64;
/// With so many of them set apart from their requests a step ends: acks wait for it.
const APART: usize = 256;

/// An erasure, in steps.
pub(super) struct Erase {
    filter: EventFilter,
    /// Only counts.
    dry: bool,
    pub(super) answer: Sender<Erased>,
    /// The last event looked at.
    after: i64,
    /// All were looked at.
    looked: bool,
    pub(super) done: Erased,
}

/// What a step did, for memory once it is committed.
pub(super) struct Step {
    after: i64,
    looked: bool,
    pub(super) more: bool,
    done: Erased,
}

/// A request whose events lie side by side, looked at once.
struct Asked {
    request: i64,
    family: Family,
    open: bool,
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
        Self { filter, dry, answer, after: 0, looked: false, done: Erased::default() }
    }

    /// Erases the next few, inside a transaction. The cursor moves only with [`committed`](Self::committed).
    pub(super) fn step(&self, conn: &Connection, vault: Option<&Vault>, flying: &[i64]) -> rusqlite::Result<Step> {
        if self.looked {
            let (_, all) = space::give_back(conn)?;
            return Ok(Step {
                after: self.after,
                looked: true,
                more: !all,
                done: Erased { after: self.done.after, ..Erased::default() },
            });
        }
        wiping(conn, || self.erase_next(conn, vault, flying))
    }

    fn erase_next(&self, conn: &Connection, vault: Option<&Vault>, flying: &[i64]) -> rusqlite::Result<Step> {
        let mut found = self.find(conn)?;
        let (mut done, mut last, mut apart) = (Erased::default(), None::<Asked>, 0);
        let full = found.len() == STEP;
        let mut looked_at = 0;
        for event in &found {
            looked_at += 1;
            let mut asked = match last.take() {
                Some(asked) if asked.is_of(event) => asked,
                _ => Asked::of(conn, event, flying)?,
            };
            if asked.open {
                done.open += 1;
            } else {
                done.erased += 1;
                if !self.dry {
                    apart += event.erase(conn, &mut asked.family, vault)?;
                }
            }
            last = Some(asked);
            if apart >= APART {
                break;
            }
        }
        let more = full || looked_at < found.len();
        found.truncate(looked_at);
        let after = found.last().map_or(self.after, |event| event.id);
        // Who set a limit goes on after it.
        let limit = self.filter.limit as u64;
        let ended = limit > 0 && self.seen() + found.len() as u64 >= limit;
        done.after = found.last().filter(|_| ended).map(|event| event.uuid);
        let looked = !more || ended;
        Ok(Step { after, looked, more: !looked || !self.dry, done })
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
        self.looked = step.looked;
        self.done.erased += step.done.erased;
        self.done.open += step.done.open;
        self.done.after = step.done.after;
    }
}

impl Asked {
    fn of(conn: &Connection, event: &Found, flying: &[i64]) -> rusqlite::Result<Self> {
        let family = Family::of(conn, event.request)?;
        let open = family.has_open(conn)? || family.flies(conn, flying)?;
        Ok(Self { request: event.request, family, open })
    }

    fn is_of(&self, event: &Found) -> bool {
        self.request == event.request
    }
}

impl Found {
    /// Says how many events were set apart from its request.
    fn erase(&self, conn: &Connection, family: &mut Family, vault: Option<&Vault>) -> rusqlite::Result<usize> {
        let apart = family.erase(conn, self.id, vault)?;
        let event = "UPDATE events SET state = ?, seal = NULL, sum = NULL, subject = NULL, warnings = NULL, form = 0, \
            content = NULL, head = 0, tail = 0, data = NULL WHERE id = ?";
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
        Ok(apart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Pending;
    use crate::journal::sqlite::{schema, seal};

    #[test]
    fn a_large_batch_costs_each_of_its_events_little() {
        let conn = Connection::open_in_memory().unwrap();
        schema::prepare(&conn, "memory".as_ref()).unwrap();
        seal::register(&conn, None).unwrap();
        conn.execute_batch(
            "INSERT INTO origins VALUES (1, 'esim', 'p', '1');
             INSERT INTO requests (id, received, origin, first_event, events, method, target, headers, body)
                 VALUES (1, 1, 1, 1, 1000, 'POST', '/', x'', x'00');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
             INSERT INTO events SELECT i, x'00000000000000000000000000000000', 1, 1, 1, 0, x'00', NULL, 1, 0, 'p.a', NULL,
                 NULL, NULL, NULL, 1, NULL, 1, 0, x'01', NULL, NULL FROM n;",
        )
        .unwrap();
        let (answer, _pending) = Pending::new();
        let mut erase = Erase::new(EventFilter::default(), false, answer);
        let (mut steps, before) = (Vec::new(), conn.total_changes());
        loop {
            let step = erase.step(&conn, None, &[]).unwrap();
            erase.committed(&step);
            steps.push(step.done.erased);
            if !step.more {
                break;
            }
        }
        let changes = conn.total_changes() - before;
        assert_eq!((steps[0], erase.done.erased), (1, 1_000), "the step that sets the others apart does no more");
        assert!(changes < 5_000, "{changes} changes: each event is set apart once");
    }
}
