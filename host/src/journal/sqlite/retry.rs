//! Due again: by hand for what had ended, and from the file for what memory had no room for.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::answer::Sender;
use super::due::{AT_ONCE, Due, Open, Place};
use super::insert::Planned;
use super::query;
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
    pub(super) fn step(&self, conn: &Connection, now: i64) -> rusqlite::Result<Step> {
        let mut wanted = query::which(&self.filter);
        match self.filter.state {
            None => wanted.always("d.state > 2"),
            Some(state @ (DeliveryState::Exhausted | DeliveryState::Cancelled)) => {
                wanted.always(format!("d.state > 2 AND d.state = {}", query::code(state)));
            }
            Some(_) => return Ok(Step::default()),
        }
        let (state, id) = self.after;
        wanted.always(format!("(d.state, d.id) > ({state}, {id})"));
        let room = match self.filter.limit {
            0 => STEP,
            limit => STEP.min(limit.saturating_sub(self.done as usize)),
        };
        if room == 0 {
            return Ok(Step::default());
        }
        let (text, values) = wanted.limited(room);
        // Those that failed are few among all; one, or those of one event, are found by their numbers.
        let one = self.filter.id.is_some() || self.filter.event.is_some();
        let index = if one { "deliveries d" } else { "deliveries d INDEXED BY deliveries_failed" };
        let from = query::DELIVERIES.replacen("deliveries d", index, 1);
        let sql = format!(
            "SELECT d.id, d.event, d.attempts, n.name, d.state FROM {from} {text} ORDER BY d.state, d.id LIMIT ?"
        );
        let found = |row: &Row<'_>| {
            let attempts = row.get(2)?;
            let open = Open { event: row.get(1)?, attempts, base: attempts, since: Some(now), cached: None };
            Ok((row.get::<_, i64>(4)?, (row.get::<_, Arc<str>>(3)?, (AT_ONCE, row.get(0)?), open)))
        };
        let found: Vec<_> =
            conn.prepare(&sql)?.query_map(params_from_iter(values), found)?.collect::<Result<_, _>>()?;
        let after = found.last().map_or(self.after, |(state, (_, place, _))| (*state, place.1));
        let rows: Planned = found.into_iter().map(|(_, planned)| planned).collect();
        let again = "UPDATE deliveries SET state = 0, next = ?, base = attempts, since = ?, reason = NULL WHERE id = ?";
        for (_, place, _) in &rows {
            conn.prepare_cached(again)?.execute(params![place.0, now, place.1])?;
        }
        Ok(Step { more: rows.len() == room, rows, after })
    }

    pub(super) fn committed(&mut self, step: &Step) {
        self.done += step.rows.len() as u64;
        self.after = step.after;
    }
}

/// What one step made due.
#[derive(Default)]
pub(super) struct Step {
    pub(super) rows: Planned,
    pub(super) more: bool,
    after: (i64, i64),
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
        "SELECT next, id, event, attempts, base, since FROM deliveries INDEXED BY deliveries_open \
         WHERE state < 2 AND destination = (SELECT id FROM destinations WHERE name = ?) AND (next, id) >= (?, ?) \
         ORDER BY next, id LIMIT ?",
    )?;
    let values = [Value::from(name.to_owned()), from.0.into(), from.1.into(), (limit as i64).into()];
    let rows = select.query_map(params_from_iter(values), |row| {
        let (attempts, base, since) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let open = Open { event: row.get(2)?, attempts, base, since, cached: None };
        Ok(((row.get(0)?, row.get(1)?), open))
    })?;
    rows.collect()
}
