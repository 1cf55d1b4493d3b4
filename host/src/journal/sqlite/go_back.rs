//! The clock went back: what was planned under the time before is as far ahead as it was, also where it waits for its turn.
//! In steps, so that nobody's ack waits for many; what a step moved in the file is moved in memory once it is committed.
//!
//! What is planned meanwhile is planned under the time of now. One that is met all the same is tried earlier than planned,
//! never later.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::due::{Open, Place};
use super::refill;
use super::rows::WAITING;

/// Deliveries looked at in one step.
const PIECE: usize = 512;

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct GoBack {
    now: i64,
    by: i64,
    at: At,
    /// So many were moved.
    pub(super) moved: usize,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// Those that wait for their turn, after a number.
    Waiting(i64),
    /// The open ones of a destination, from a place on. They move to before it, so that each is met once.
    Open(i64, Place),
    Done,
}

/// What a step moved: where it was, and when it is due now.
pub(super) struct Step {
    pub(super) moved: Vec<(Arc<str>, Place, i64, Open)>,
    pub(super) rest: GoBack,
}

impl GoBack {
    pub(super) fn new(now: i64, by: i64) -> Self {
        Self { now, by, at: At::Waiting(0), moved: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.at, At::Done)
    }

    /// By so many seconds.
    pub(super) fn seconds(&self) -> i64 {
        self.by / 1_000_000
    }

    /// The next few, inside a transaction.
    pub(super) fn step(self, conn: &Connection) -> rusqlite::Result<Step> {
        let mut step = Step { moved: Vec::new(), rest: self };
        step.rest.at = match self.at {
            At::Waiting(after) => {
                step.rest.moved += self.waiting(conn, after)?;
                match last_waiting(conn, after)? {
                    Some(last) => At::Waiting(last),
                    None => At::Open(0, self.first()),
                }
            }
            At::Open(destination, from) => self.open(conn, destination, from, &mut step.moved)?,
            At::Done => At::Done,
        };
        step.rest.moved += step.moved.len();
        Ok(step)
    }

    fn first(&self) -> Place {
        (self.now.saturating_add(1), 0)
    }

    fn earlier(&self, next: i64) -> i64 {
        self.now.max(next.saturating_sub(self.by))
    }

    fn waiting(&self, conn: &Connection, after: i64) -> rusqlite::Result<usize> {
        let last = last_waiting(conn, after)?.unwrap_or(i64::MAX);
        let earlier = format!(
            "UPDATE deliveries INDEXED BY deliveries_failed SET next = max(?1, next - ?2) \
             WHERE state > 2 AND state = {WAITING} AND id > ?3 AND id <= ?4 AND next > ?1"
        );
        conn.prepare_cached(&earlier)?.execute([self.now, self.by, after, last])
    }

    fn open(
        &self,
        conn: &Connection,
        destination: i64,
        from: Place,
        moved: &mut Vec<(Arc<str>, Place, i64, Open)>,
    ) -> rusqlite::Result<At> {
        let next = "SELECT id, name FROM destinations WHERE id >= ? ORDER BY id LIMIT 1";
        let named = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Arc<str>>(1)?));
        let Some((number, name)) = conn.prepare_cached(next)?.query_row([destination], named).optional()? else {
            return Ok(At::Done);
        };
        // The place is another destination's where that one is gone.
        let from = if number == destination { from } else { self.first() };
        let found = refill::open_from(conn, &name, from, PIECE)?;
        let rest = match found.last() {
            Some((last, _)) if found.len() == PIECE => At::Open(number, (last.0, last.1 + 1)),
            _ => At::Open(number + 1, self.first()),
        };
        let mut update = conn.prepare_cached("UPDATE deliveries SET next = ? WHERE id = ?")?;
        for (place, open) in found {
            let earlier = self.earlier(place.0);
            update.execute(params![earlier, place.1])?;
            moved.push((name.clone(), place, earlier, open));
        }
        Ok(rest)
    }
}

/// The last of the next piece; none at the end.
fn last_waiting(conn: &Connection, after: i64) -> rusqlite::Result<Option<i64>> {
    let last = format!(
        "SELECT id FROM deliveries INDEXED BY deliveries_failed WHERE state > 2 AND state = {WAITING} AND id > ? \
         ORDER BY id LIMIT 1 OFFSET ?"
    );
    conn.prepare_cached(&last)?.query_row(params![after, PIECE as i64 - 1], |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::schema;

    #[test]
    fn every_one_goes_back_once_and_few_at_a_time() {
        let conn = Connection::open_in_memory().unwrap();
        schema::prepare(&conn, "memory".as_ref()).unwrap();
        conn.execute_batch(
            "INSERT INTO destinations VALUES (2, 'crm'), (5, 'log');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
             INSERT INTO deliveries (id, event, destination, state, attempts, base, next)
             SELECT i, 1, iif(i % 2, 2, 5), iif(i % 5, 1, 5), 1, 0, 1000 + i / 3 FROM n;
             INSERT INTO deliveries (id, event, destination, state, attempts, base, next) VALUES
                 (4000, 1, 2, 0, 0, 0, 0), (4001, 1, 2, 1, 1, 0, 900), (4002, 1, 2, 3, 1, 0, NULL);",
        )
        .unwrap();
        let (mut go_back, mut steps) = (GoBack::new(1_200, 300), 0);
        while !go_back.is_done() {
            let before = conn.total_changes();
            let step = go_back.step(&conn).unwrap();
            assert!(conn.total_changes() - before <= PIECE as u64);
            (go_back, steps) = (step.rest, steps + 1);
        }
        let wrong = "SELECT count(*) FROM deliveries WHERE id <= 3000 AND next <> \
             iif(1000 + id / 3 > 1200, max(1200, 1000 + id / 3 - 300), 1000 + id / 3)";
        assert_eq!(conn.query_row(wrong, [], |row| row.get(0)), Ok(0));
        let others = "SELECT group_concat(coalesce(next, '-')) FROM deliveries WHERE id >= 4000";
        assert_eq!(conn.query_row(others, [], |row| row.get::<_, String>(0)).unwrap(), "0,900,-");
        assert!(steps >= 6 && go_back.moved == 2_398, "{steps} steps, {} moved", go_back.moved);
    }
}
