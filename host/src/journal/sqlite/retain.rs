//! Retention: from the oldest end, in steps so small that acks do not wait for them; then the space goes back.

use rusqlite::{Connection, OptionalExtension, params};

use super::answer::Sender;
use super::dedup::Keys;
use super::ids::Ids;
use super::schema;

/// Events looked at, keys deleted, pages given back in one step.
const EVENTS: usize = 128;
/// So many younger events in a row are the end of the old ones: they lie in the order of their arrival, but for a clock
/// that was once ahead.
const YOUNGER: usize = 10_000;
const KEYS: i64 = 2_000;
const PAGES: i64 = 64;

/// A retention run.
pub(super) struct Retain {
    before: i64,
    pub(super) answer: Sender<u64>,
    /// The last event looked at: those that must stay are not looked at again.
    after: i64,
    younger: usize,
    phase: Phase,
    pub(super) deleted: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Events,
    Keys,
    Pages,
    Done,
}

/// What a step did, for memory once it is committed.
pub(super) struct Step {
    after: i64,
    younger: usize,
    phase: Phase,
    deleted: u64,
    gone_run: Option<i64>,
    outliving: bool,
    forgotten: i64,
}

impl Retain {
    pub(super) fn new(before: jiff::Timestamp, answer: Sender<u64>) -> Self {
        Self { before: before.as_microsecond(), answer, after: 0, younger: 0, phase: Phase::Events, deleted: 0 }
    }

    pub(super) fn done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The next step, inside a transaction.
    pub(super) fn step(&self, conn: &Connection, ids: &Ids, keys: &Keys, now: i64) -> rusqlite::Result<Step> {
        let mut step = Step {
            after: self.after,
            younger: self.younger,
            phase: self.phase,
            deleted: 0,
            gone_run: None,
            outliving: keys.outliving,
            forgotten: keys.forgotten,
        };
        match self.phase {
            Phase::Events => self.events(conn, ids, keys, now, &mut step)?,
            Phase::Keys => self.keys(conn, keys, now, &mut step)?,
            Phase::Pages => pages(conn, &mut step)?,
            Phase::Done => {}
        }
        Ok(step)
    }

    pub(super) fn committed(&mut self, step: &Step, keys: &mut Keys) {
        (self.after, self.younger, self.phase) = (step.after, step.younger, step.phase);
        self.deleted += step.deleted;
        keys.outliving = step.outliving;
        keys.forgotten = step.forgotten;
        if let Some(gone) = step.gone_run {
            keys.runs.retain(|run| run.id != gone);
        }
    }

    fn events(&self, conn: &Connection, ids: &Ids, keys: &Keys, now: i64, step: &mut Step) -> rusqlite::Result<()> {
        schema::remember_ids(conn, ids)?;
        let mut select = conn.prepare_cached(
            "SELECT id, received, request, first_delivery, first_delivery + deliveries FROM events WHERE id > ? \
             ORDER BY id LIMIT ?",
        )?;
        let columns = |row: &rusqlite::Row<'_>| {
            Ok((
                row.get(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                (row.get::<_, i64>(3)?, row.get::<_, i64>(4)?),
            ))
        };
        let found: Vec<_> = select.query_map(params![self.after, EVENTS as i64], columns)?.collect::<Result<_, _>>()?;
        let covered = keys.runs.last().map_or((0, 0), |run| (run.last_event, run.last_request));
        for (event, received, request, deliveries) in &found {
            step.after = *event;
            if *received >= self.before {
                step.younger += 1;
                continue;
            }
            step.younger = 0;
            if is_open(conn, *deliveries)? {
                step.outliving |= hold_keys(conn, *event, *request)?;
                continue;
            }
            if step.outliving {
                release_keys(conn, *event, *request)?;
            }
            step.outliving |= keep_keys(conn, *event, *request, covered, now)?;
            delete(conn, *event, *request, *deliveries)?;
            step.deleted += 1;
        }
        let deleted = schema::meta(conn, "deleted_events")? + step.deleted as i64;
        schema::set_meta(conn, "deleted_events", deleted)?;
        if found.len() < EVENTS || step.younger >= YOUNGER {
            step.phase = Phase::Keys;
        }
        // Only when every event was looked at: one that was not may be old, and is still there. Then a key holds until
        // its run goes, which is later than it need.
        if found.len() < EVENTS {
            step.forgotten = step.forgotten.max(self.before);
        }
        schema::set_meta(conn, "forgotten", step.forgotten)
    }

    /// Deletes the oldest run whose keys have all expired, and keys that outlived their events and expired since.
    fn keys(&self, conn: &Connection, keys: &Keys, now: i64, step: &mut Step) -> rusqlite::Result<()> {
        // The last run stays: it says up to where the keys of the events are written.
        let newest = keys.runs.last().map(|run| run.id);
        let expired = |run: &&super::runs::Run| {
            let looked_at = run.last_event <= self.after;
            looked_at && run.received < self.before && run.until <= now && Some(run.id) != newest
        };
        let run = keys.runs.iter().find(expired).map_or(0, |run| run.id);
        let delete = "DELETE FROM keys WHERE (run, hash) IN \
             (SELECT run, hash FROM keys WHERE run = ?1 AND (?1 > 0 OR until <= ?2) LIMIT ?3)";
        if conn.prepare_cached(delete)?.execute(params![run, now, KEYS])? as i64 == KEYS {
            return Ok(());
        }
        if run > 0 {
            conn.execute("DELETE FROM runs WHERE id = ?", [run])?;
            step.gone_run = Some(run);
            return Ok(());
        }
        step.outliving = conn.query_row("SELECT EXISTS (SELECT 1 FROM keys WHERE run = 0)", [], |row| row.get(0))?;
        step.phase = Phase::Pages;
        Ok(())
    }
}

fn is_open(conn: &Connection, (first, end): (i64, i64)) -> rusqlite::Result<bool> {
    let open = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE id >= ? AND id < ? AND state < 2)";
    conn.prepare_cached(open)?.query_row([first, end], |row| row.get(0))
}

/// An event that stays although it is old keeps its keys: the same event must not be taken again beside it.
fn hold_keys(conn: &Connection, event: i64, request: i64) -> rusqlite::Result<bool> {
    let hold_event = "INSERT INTO keys (run, hash, received, until) SELECT 0, key, received, ?2 FROM events \
         WHERE id = ?1 AND key_until IS NULL ON CONFLICT DO UPDATE SET until = ?2 WHERE until < ?2";
    let hold_nonce = "INSERT INTO keys (run, hash, received, until) SELECT 0, nonce, received, ?2 FROM requests \
         WHERE id = ?1 AND nonce IS NOT NULL AND nonce_until IS NULL \
         ON CONFLICT DO UPDATE SET until = ?2 WHERE until < ?2";
    let held = conn.prepare_cached(hold_event)?.execute([event, i64::MAX])?
        + conn.prepare_cached(hold_nonce)?.execute([request, i64::MAX])?;
    Ok(held > 0)
}

/// The reverse of [`hold_keys`], when the event goes.
fn release_keys(conn: &Connection, event: i64, request: i64) -> rusqlite::Result<()> {
    let release = "DELETE FROM keys WHERE run = 0 AND until = ?3 AND hash IN \
         (SELECT key FROM events WHERE id = ?1 UNION ALL SELECT nonce FROM requests WHERE id = ?2)";
    conn.prepare_cached(release)?.execute([event, request, i64::MAX])?;
    Ok(())
}

/// A key whose own time is longer than its event's, and that is in no run yet, moves to run 0.
fn keep_keys(conn: &Connection, event: i64, request: i64, covered: (i64, i64), now: i64) -> rusqlite::Result<bool> {
    let mut kept = 0;
    if event > covered.0 {
        let keep = "INSERT OR REPLACE INTO keys (run, hash, received, until) \
             SELECT 0, key, received, key_until FROM events WHERE id = ? AND key_until > ?";
        kept += conn.prepare_cached(keep)?.execute([event, now])?;
    }
    if request > covered.1 {
        let keep = "INSERT OR REPLACE INTO keys (run, hash, received, until) \
             SELECT 0, nonce, received, nonce_until FROM requests WHERE id = ? AND nonce IS NOT NULL AND nonce_until > ?";
        kept += conn.prepare_cached(keep)?.execute([request, now])?;
    }
    Ok(kept > 0)
}

/// An event with its deliveries and their attempts, and its request when it was the last of it.
fn delete(conn: &Connection, event: i64, request: i64, (first, end): (i64, i64)) -> rusqlite::Result<()> {
    if first < end {
        conn.prepare_cached("DELETE FROM attempts WHERE delivery >= ? AND delivery < ?")?.execute([first, end])?;
        conn.prepare_cached("DELETE FROM deliveries WHERE id >= ? AND id < ?")?.execute([first, end])?;
    }
    conn.prepare_cached("DELETE FROM events WHERE id = ?")?.execute([event])?;
    let unused = "DELETE FROM requests WHERE id = ?1 AND NOT EXISTS \
         (SELECT 1 FROM events e WHERE e.id >= first_event AND e.id < first_event + events)";
    conn.prepare_cached(unused)?.execute([request])?;
    Ok(())
}

/// Moves pages from the file's end into free ones; the next checkpoint cuts the file.
fn pages(conn: &Connection, step: &mut Step) -> rusqlite::Result<()> {
    let free: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let vacuum = format!("PRAGMA incremental_vacuum({PAGES})");
    let mut vacuum = conn.prepare_cached(&vacuum)?;
    let mut rows = vacuum.query([])?;
    while rows.next().optional()?.flatten().is_some() {}
    if free <= PAGES {
        step.phase = Phase::Done;
    }
    Ok(())
}
