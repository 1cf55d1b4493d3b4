//! Due again: by hand for what had ended, and from the file for what memory had no room for.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::answer::Sender;
use super::due::{AT_ONCE, Due, Open, Place, Withdrawal};
use super::insert::Planned;
use super::rows::{ERASED, PENDING, RETRYING, WAITING};
use super::{order, query};
use crate::journal::{DeliveryFilter, DeliveryState};

/// Deliveries changed in one step.
const STEP: usize = 512;
/// Rows read in one refill.
const REFILL: usize = 4_096;

/// A retry by hand, in steps.
pub(super) struct Retry {
    filter: DeliveryFilter,
    pub(super) answer: Sender<u64>,
    /// State and number of the last one: the order of the index over those that failed.
    after: (i64, i64),
    pub(super) done: u64,
}

impl Retry {
    pub(super) fn new(filter: DeliveryFilter, answer: Sender<u64>) -> Self {
        Self { filter, answer, after: (0, 0), done: 0 }
    }

    /// Makes the next few due again, inside a transaction. The cursor moves only with [`Retry::committed`].
    pub(super) fn step(&self, conn: &Connection, withdrawal: &mut Withdrawal<'_>, now: i64) -> rusqlite::Result<Step> {
        if self.filter.state == Some(DeliveryState::Retrying) {
            return self.hurry(conn);
        }
        let mut wanted = query::which(&self.filter);
        match self.filter.state {
            None => wanted.always("d.state > 2 AND d.state <> 5"),
            Some(DeliveryState::Exhausted) => wanted.always("d.state > 2 AND d.state IN (3, 6)"),
            Some(DeliveryState::Cancelled) => wanted.always("d.state > 2 AND d.state IN (4, 7)"),
            Some(_) => return Ok(Step::default()),
        }
        // Nothing is left to send of what was erased.
        wanted.always(format!("e.state <> {ERASED}"));
        let (state, id) = self.after;
        wanted.always(format!("(d.state, d.id) > ({state}, {id})"));
        let Some(room) = self.room() else { return Ok(Step::default()) };
        let (text, values) = wanted.limited(room);
        let from = self.from("deliveries_failed");
        let sql = format!(
            "SELECT d.id, d.event, d.attempts, n.name, d.state, d.order_key FROM {from} {text} ORDER BY d.state, d.id LIMIT ?"
        );
        let found = |row: &Row<'_>| {
            let (attempts, order) = (row.get(2)?, row.get(5)?);
            let open = Open { event: row.get(1)?, attempts, base: attempts, since: Some(now), order, cached: None };
            Ok((row.get::<_, i64>(4)?, (row.get::<_, Arc<str>>(3)?, (AT_ONCE, row.get(0)?), open)))
        };
        let found: Vec<_> =
            conn.prepare(&sql)?.query_map(params_from_iter(values), found)?.collect::<Result<_, _>>()?;
        let after = found.last().map_or(self.after, |(state, (_, place, _))| (*state, place.1));
        let (count, mut rows) = (found.len(), Planned::new());
        for (state, delivery) in found {
            again(conn, state, delivery, withdrawal, &mut rows)?;
        }
        Ok(Step { more: count == room, count: count as u64, rows, after, ..Step::default() })
    }

    /// Those that are retrying need not wait for their time; how often they were tried stays.
    fn hurry(&self, conn: &Connection) -> rusqlite::Result<Step> {
        let Some(room) = self.room() else { return Ok(Step::default()) };
        let mut wanted = query::which(&self.filter);
        wanted
            .always(format!("d.state < 2 AND d.state = {RETRYING} AND d.id > {} AND d.next > {AT_ONCE}", self.after.1));
        let (text, values) = wanted.limited(room);
        let from = self.from("deliveries_open");
        let sql = format!(
            "SELECT d.next, d.id, n.name, d.event, d.attempts, d.base, d.since, d.order_key FROM {from} {text} ORDER BY d.id LIMIT ?"
        );
        let found = |row: &Row<'_>| {
            let (event, attempts, base) = (row.get(3)?, row.get(4)?, row.get(5)?);
            let open = Open { event, attempts, base, since: row.get(6)?, order: row.get(7)?, cached: None };
            Ok((row.get::<_, Arc<str>>(2)?, (row.get(0)?, row.get(1)?), open))
        };
        let hurried: Planned =
            conn.prepare(&sql)?.query_map(params_from_iter(values), found)?.collect::<Result<_, _>>()?;
        for (_, place, _) in &hurried {
            conn.prepare_cached("UPDATE deliveries SET next = ? WHERE id = ?")?.execute([AT_ONCE, place.1])?;
        }
        let after = hurried.last().map_or(self.after, |(_, place, _)| (0, place.1));
        let count = hurried.len();
        Ok(Step { more: count == room, count: count as u64, hurried, after, ..Step::default() })
    }

    /// Those of a state are few among all; one, or those of one event, are found by their numbers.
    fn from(&self, index: &str) -> String {
        let one = self.filter.id.is_some() || self.filter.event.is_some() || !self.filter.ids.is_empty();
        let index = if one { "deliveries d".to_owned() } else { format!("deliveries d INDEXED BY {index}") };
        query::DELIVERIES.replacen("deliveries d", &index, 1)
    }

    /// How many may be changed in this step; none where the limit is reached.
    fn room(&self) -> Option<usize> {
        let room = match self.filter.limit {
            0 => STEP,
            limit => STEP.min(limit.saturating_sub(usize::try_from(self.done).unwrap_or(usize::MAX))),
        };
        (room > 0).then_some(room)
    }

    pub(super) fn committed(&mut self, step: &Step) {
        self.done += step.count;
        self.after = step.after;
    }
}

/// Makes one due again, or lets it wait behind another one of its key.
fn again(
    conn: &Connection,
    state: i64,
    delivery: (Arc<str>, Place, Open),
    withdrawal: &mut Withdrawal<'_>,
    due: &mut Planned,
) -> rusqlite::Result<()> {
    let (destination, (next, id), open) = &delivery;
    // Cancelled in flight: that try is the first.
    let flies = withdrawal.resume(*id);
    let waits = match &open.order {
        Some(key) if !flies => order::waits_again(conn, destination, key, (state, *id), withdrawal, due)?,
        _ => false,
    };
    let state = if waits { WAITING } else { PENDING };
    let again = "UPDATE deliveries SET state = ?, next = ?, base = attempts, since = ?, reason = NULL WHERE id = ?";
    conn.prepare_cached(again)?.execute(params![state, next, open.since, id])?;
    if !waits && !flies {
        due.push(delivery);
    }
    Ok(())
}

/// What one step made due.
#[derive(Default)]
pub(super) struct Step {
    pub(super) rows: Planned,
    /// Those that were to wait, where they were.
    pub(super) hurried: Planned,
    pub(super) more: bool,
    count: u64,
    after: (i64, i64),
}

/// The clock went back: what was planned under the time before is as far ahead as it was.
pub(super) fn go_back(conn: &Connection, now: i64, by: i64) -> rusqlite::Result<usize> {
    let earlier = "UPDATE deliveries SET next = max(?1, next - ?2) WHERE state = 1 AND next > ?1";
    conn.prepare_cached(earlier)?.execute([now, by])
}

/// At the start: the oldest due of every destination.
pub(super) fn load_open(conn: &Connection, due: &Due, limit: usize) -> rusqlite::Result<()> {
    let mut names = conn.prepare("SELECT name FROM destinations")?;
    let names: Vec<Arc<str>> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names {
        let rows = open_from(conn, &name, (i64::MIN, 0), limit.min(REFILL))?;
        let complete = rows.len() < limit.min(REFILL);
        due.refill(&name, rows, complete);
    }
    Ok(())
}

/// Reads on where memory ended.
pub(super) fn refill(conn: &Connection, due: &Due, destination: &Arc<str>, limit: usize) -> rusqlite::Result<()> {
    let Some(horizon) = due.horizon(destination) else {
        due.refill(destination, Vec::new(), true);
        return Ok(());
    };
    let room = limit.min(REFILL);
    let rows = open_from(conn, destination, horizon, room)?;
    let complete = rows.len() < room;
    due.refill(destination, rows, complete);
    Ok(())
}

fn open_from(conn: &Connection, name: &str, from: Place, limit: usize) -> rusqlite::Result<Vec<(Place, Open)>> {
    let mut select = conn.prepare_cached(
        "SELECT next, id, event, attempts, base, since, order_key FROM deliveries INDEXED BY deliveries_open \
         WHERE state < 2 AND destination = (SELECT id FROM destinations WHERE name = ?) AND (next, id) >= (?, ?) \
         ORDER BY next, id LIMIT ?",
    )?;
    let values = [Value::from(name.to_owned()), from.0.into(), from.1.into(), (limit as i64).into()];
    let rows = select.query_map(params_from_iter(values), |row| {
        let (attempts, base, since, order) = (row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?);
        let open = Open { event: row.get(2)?, attempts, base, since, order, cached: None };
        Ok(((row.get(0)?, row.get(1)?), open))
    })?;
    rows.collect()
}
