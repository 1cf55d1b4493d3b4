//! Giving up by hand: what has not ended, and what holds its key. In steps, so that nobody's ack waits for many.
//!
//! One that is in flight is cancelled in the file at once; its flight is its last, and releases its key when it is over.

use std::sync::Arc;

use rusqlite::{Connection, Row, params_from_iter};

use super::answer::Sender;
use super::due::{Due, Place, Withdrawal};
use super::insert::Planned;
use super::rows::{CANCELLED, HELD, LEAVING, WAITING};
use super::walk::{Piece, Walk};
use super::{order, query};
use crate::journal::{DeliveryFilter, DeliveryState, OrderKey};

/// A cancellation, in steps.
pub(super) struct Cancel {
    filter: DeliveryFilter,
    pub(super) answer: Sender<u64>,
    walk: Walk,
    pub(super) done: u64,
}

/// What one step changed.
pub(super) struct Step {
    pub(super) due: Planned,
    count: u64,
    rest: Walk,
}

/// One that is to go.
struct Found {
    destination: Arc<str>,
    state: i64,
    place: Place,
    order: Option<OrderKey>,
}

impl Cancel {
    pub(super) fn new(filter: DeliveryFilter, answer: Sender<u64>) -> Self {
        // What waits goes before what is open, so that nothing that is to go is handed the key.
        let walk = Walk::over(&filter, &[&[WAITING], &[HELD]], true);
        Self { filter, answer, walk, done: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.walk.is_done() || self.room() == 0
    }

    /// How many more may be cancelled; a step looks at few.
    fn room(&self) -> usize {
        match self.filter.limit {
            0 => usize::MAX,
            limit => limit.saturating_sub(usize::try_from(self.done).unwrap_or(usize::MAX)),
        }
    }

    /// Cancels the next few, inside a transaction.
    pub(super) fn step(
        &self,
        conn: &Connection,
        due: &Due,
        out: &mut Withdrawal<'_>,
        now: i64,
    ) -> rusqlite::Result<Step> {
        let mut step = Step { due: Planned::new(), count: 0, rest: Walk::done() };
        let Some(Piece { condition, rest }) = self.walk.piece(conn)? else { return Ok(step) };
        let found = self.find(conn, condition, due)?;
        (step.count, step.rest) = (found.len() as u64, rest);
        let cancel = "UPDATE deliveries SET state = ?, next = NULL, reason = 'cancelled by an operator' WHERE id = ?";
        let mut released = Vec::new();
        for found in found {
            let flies = found.state < 2 && out.take_or_recall(&found.destination, found.place);
            let state = if flies && found.order.is_some() { LEAVING } else { CANCELLED };
            conn.prepare_cached(cancel)?.execute([state, found.place.1])?;
            if let Some(key) = found.order.filter(|_| !flies && found.state != WAITING) {
                released.push((found.destination, key));
            }
        }
        for (destination, key) in released {
            order::hand_over(conn, &destination, &key, now, &mut step.due)?;
        }
        Ok(step)
    }

    pub(super) fn committed(&mut self, step: &Step) {
        self.done += step.count;
        self.walk = step.rest.clone();
    }

    fn find(&self, conn: &Connection, piece: String, due: &Due) -> rusqlite::Result<Vec<Found>> {
        let mut wanted = query::which(&self.filter);
        wanted.always(piece);
        wanted.always("d.state IN (0, 1, 5, 6)");
        match self.filter.state {
            None => {}
            // Of those that have ended only one that holds its key has something to give up.
            Some(DeliveryState::Exhausted) => wanted.always("d.state = 6"),
            Some(state) => wanted.always(query::in_state(state, &due.in_flight())),
        }
        let (text, values) = wanted.limited(self.room());
        let from = query::DELIVERIES;
        let sql = format!("SELECT n.name, d.state, d.next, d.id, d.order_key FROM {from} {text} ORDER BY d.id LIMIT ?");
        let read = |row: &Row<'_>| {
            let place = (row.get::<_, Option<i64>>(2)?.unwrap_or_default(), row.get(3)?);
            Ok(Found { destination: row.get(0)?, state: row.get(1)?, place, order: row.get(4)? })
        };
        conn.prepare(&sql)?.query_map(params_from_iter(values), read)?.collect()
    }
}
