//! Due again by hand: what had ended, and what waits for its time. In steps, so that nobody's ack waits for many.

use std::sync::Arc;

use rusqlite::{Connection, Row, params, params_from_iter};

use super::answer::Sender;
use super::due::{AT_ONCE, Open, Place, Withdrawal};
use super::filter::Where;
use super::insert::Planned;
use super::rows::{CANCELLED, ERASED, EXHAUSTED, HELD, LEAVING, PENDING, RETRYING, WAITING};
use super::walk::{Piece, Walk};
use super::{order, query};
use crate::journal::{DeliveryFilter, DeliveryState, Plan};

/// A retry by hand, in steps.
pub(super) struct Retry {
    filter: DeliveryFilter,
    pub(super) answer: Sender<u64>,
    walk: Walk,
    /// When the first step was done.
    begun: Option<i64>,
    pub(super) done: u64,
}

/// What one step made due.
pub(super) struct Step {
    pub(super) rows: Planned,
    /// Those that were to wait, where they were.
    pub(super) hurried: Planned,
    count: u64,
    rest: Walk,
    begun: i64,
}

/// One that had ended: its state, and what it is when it is due again.
type Found = (i64, (Arc<str>, Place, Open));

impl Retry {
    pub(super) fn new(filter: DeliveryFilter, answer: Sender<u64>) -> Self {
        let walk = match filter.state {
            Some(DeliveryState::Retrying) => Walk::over(&filter, &[], true),
            // By number whatever their state: of a key the earlier one goes first.
            _ => Walk::over(&filter, &[ended(filter.state)], false),
        };
        Self { filter, answer, walk, begun: None, done: 0 }
    }

    /// Makes the next few due again, inside a transaction. The cursor moves only with [`Retry::committed`].
    pub(super) fn step(
        &self,
        conn: &Connection,
        plan: &dyn Plan,
        withdrawal: &mut Withdrawal<'_>,
        now: i64,
    ) -> rusqlite::Result<Step> {
        let (mut rows, mut hurried) = (Planned::new(), Planned::new());
        let Some(Piece { condition, rest }) = self.walk.piece(conn)? else {
            return Ok(Step { rows, hurried, count: 0, rest: Walk::done(), begun: now });
        };
        let begun = self.begun.unwrap_or(now);
        let count = if self.filter.state == Some(DeliveryState::Retrying) {
            hurried = self.hurry(conn, condition, (begun, now))?;
            hurried.len()
        } else {
            let found = self.find(conn, condition, plan, now)?;
            let count = found.len();
            for (state, delivery) in found {
                again(conn, state, delivery, withdrawal, &mut rows)?;
            }
            count
        };
        Ok(Step { rows, hurried, count: count as u64, rest, begun })
    }

    /// Nothing is left to send of what was erased; for who gets requests, of what was erased with another event of its own.
    fn find(&self, conn: &Connection, piece: String, plan: &dyn Plan, now: i64) -> rusqlite::Result<Vec<Found>> {
        let mut wanted = query::which(&self.filter);
        wanted.always(piece);
        wanted.always(among(ended(self.filter.state)));
        wanted.always(format!("e.state <> {ERASED}"));
        let (text, values) = wanted.limited(self.room());
        let from = query::DELIVERIES;
        let sql = format!(
            "SELECT d.id, d.event, d.attempts, n.name, d.state, d.order_key, \
             (SELECT r.erased FROM requests r WHERE r.id = e.request) FROM {from} {text} ORDER BY d.id LIMIT ?"
        );
        let found = |row: &Row<'_>| {
            let (attempts, destination, order) = (row.get(2)?, row.get::<_, Arc<str>>(3)?, row.get(5)?);
            let blank = row.get::<_, Option<bool>>(6)? == Some(true) && plan.once_per_request(&destination);
            let open = Open { event: row.get(1)?, attempts, base: attempts, since: Some(now), order, cached: None };
            Ok((!blank).then_some((row.get::<_, i64>(4)?, (destination, (AT_ONCE, row.get(0)?), open))))
        };
        let mut select = conn.prepare(&sql)?;
        select.query_map(params_from_iter(values), found)?.filter_map(Result::transpose).collect()
    }

    /// Those that are retrying need not wait for their time; how often they were tried stays. One that was tried since this
    /// began waits again: it was hurried before.
    fn hurry(&self, conn: &Connection, piece: String, (begun, now): (i64, i64)) -> rusqlite::Result<Planned> {
        let mut wanted = query::which(&self.filter);
        wanted.always(piece);
        wanted.always(format!("d.state = {RETRYING} AND d.next > {AT_ONCE}"));
        wanted.always(format!(
            "NOT EXISTS (SELECT 1 FROM attempts t WHERE t.delivery = d.id AND t.number = d.attempts AND t.at BETWEEN {begun} AND {now})"
        ));
        let (text, values) = wanted.limited(self.room());
        let from = query::DELIVERIES;
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
        Ok(hurried)
    }

    /// How many more may be changed; a step looks at few.
    fn room(&self) -> usize {
        match self.filter.limit {
            0 => usize::MAX,
            limit => limit.saturating_sub(usize::try_from(self.done).unwrap_or(usize::MAX)),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.walk.is_done() || self.room() == 0
    }

    pub(super) fn committed(&mut self, step: &Step) {
        self.done += step.count;
        self.walk = step.rest.clone();
        self.begun = Some(step.begun);
    }
}

/// What a retry finds; a delivery of a request that was erased may be among it, which its destination alone tells.
pub(super) fn retriable(filter: &DeliveryFilter, in_flight: &[i64]) -> Where {
    let mut wanted = query::which(filter);
    wanted.always(match filter.state {
        Some(state @ DeliveryState::Retrying) => query::in_state(state, in_flight),
        state => format!("d.state > 2 AND {}", among(ended(state))),
    });
    wanted.always(format!("e.state <> {ERASED}"));
    wanted
}

fn among(states: &[i64]) -> String {
    let states: Vec<String> = states.iter().map(i64::to_string).collect();
    format!("d.state IN ({})", states.join(","))
}

/// The states in which a delivery has ended, as far as they are asked for.
fn ended(asked: Option<DeliveryState>) -> &'static [i64] {
    match asked {
        None => &[EXHAUSTED, CANCELLED, HELD, LEAVING],
        Some(DeliveryState::Exhausted) => &[EXHAUSTED, HELD],
        Some(DeliveryState::Cancelled) => &[CANCELLED, LEAVING],
        Some(_) => &[],
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::journal::Pending;
    use crate::journal::sqlite::due::Due;
    use crate::journal::sqlite::schema;

    struct Nowhere;

    impl Plan for Nowhere {
        fn plan(&self, _: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
            Vec::new()
        }
    }

    /// A journal with so many events.
    fn filled(events: u32) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        schema::prepare(&conn, "memory".as_ref()).unwrap();
        conn.execute_batch(&format!(
            "INSERT INTO origins VALUES (1, 'esim', 'p', '1'); INSERT INTO destinations VALUES (1, 'crm');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events})
             INSERT INTO events SELECT i, x'00', i, 1, i, 0, x'00', NULL, i, 1, 'p.a', NULL, NULL, NULL, NULL, 0, NULL, 0, 0,
                 NULL, NULL, NULL FROM n;"
        ))
        .unwrap();
        conn
    }

    #[test]
    fn one_of_very_many_is_found_in_small_steps() {
        let conn = filled(5000);
        conn.execute_batch(
            "UPDATE events SET kind = 'rare' WHERE id = 4900;
             INSERT INTO deliveries (event, destination, state, attempts, base) SELECT id, 1, 3, 4, 0 FROM events;",
        )
        .unwrap();
        let (answer, _pending) = Pending::new();
        let due = Due::new(9, 0);
        let mut retry = Retry::new(DeliveryFilter { kind: Some("rare".into()), ..DeliveryFilter::default() }, answer);
        let mut found = Vec::new();
        while !retry.is_done() {
            let mut withdrawal = due.withdrawal();
            let step = retry.step(&conn, &Nowhere, &mut withdrawal, 7).unwrap();
            withdrawal.commit();
            retry.committed(&step);
            found.push(step.count);
        }
        assert!(found.len() >= 9 && found[0] == 0, "{found:?}");
        assert_eq!((found.iter().sum::<u64>(), retry.done), (1, 1));
    }

    #[test]
    fn what_fails_again_meanwhile_is_not_hurried_again() {
        let conn = filled(1300);
        conn.execute_batch(
            "INSERT INTO deliveries (id, event, destination, state, attempts, base, next)
                 SELECT id, id, 1, 1, 1, 0, 1000 + id FROM events;
             INSERT INTO attempts (delivery, number, at, took_ms) SELECT id, 1, 5, 0 FROM deliveries;
             UPDATE deliveries SET next = 9000000 WHERE id = 1300;",
        )
        .unwrap();
        let fail = "UPDATE deliveries SET next = 5000000 + id, attempts = attempts + 1 WHERE next = 0;
             INSERT OR IGNORE INTO attempts (delivery, number, at, took_ms) SELECT id, attempts, 70, 0 FROM deliveries;";
        let (answer, _pending) = Pending::new();
        let due = Due::new(9, 0);
        let retrying = DeliveryFilter { state: Some(DeliveryState::Retrying), ..DeliveryFilter::default() };
        let mut retry = Retry::new(retrying, answer);
        for step in 0.. {
            assert!(step < 20, "it does not end");
            let done = retry.step(&conn, &Nowhere, &mut due.withdrawal(), 70).unwrap();
            retry.committed(&done);
            if retry.is_done() {
                break;
            }
            conn.execute_batch(fail).unwrap();
        }
        assert_eq!(retry.done, 1_300, "each once");
    }
}
