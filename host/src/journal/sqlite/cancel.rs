//! Giving up by hand: what has not ended, and what holds its key. In steps, so that nobody's ack waits for many.
//!
//! One that is in flight is cancelled in the file at once; its flight is its last, and releases its key when it is over.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::answer::Sender;
use super::due::{Due, Place, Withdrawal};
use super::insert::Planned;
use super::rows::{CANCELLED, LEAVING, WAITING};
use super::{order, query};
use crate::journal::{DeliveryFilter, DeliveryState, OrderKey};

/// Deliveries changed in one step, and looked at: a filter may want few of them.
const STEP: usize = 512;
const WINDOW: i64 = 4_096;

/// A cancellation, in steps.
pub(super) struct Cancel {
    filter: DeliveryFilter,
    pub(super) answer: Sender<u64>,
    cursor: Cursor,
    pub(super) done: u64,
}

/// Where the next step begins. What waits goes before what is open, so that nothing that is to go is handed the key.
#[derive(Clone, Copy)]
enum Cursor {
    /// State and number, in the index of those that are not open.
    Shut(i64, i64),
    /// Destination, time and number, in the index of those that are.
    Open(i64, i64, i64),
    /// A filter that names few.
    One,
    Done,
}

/// What one step changed.
pub(super) struct Step {
    pub(super) due: Planned,
    count: u64,
    cursor: Cursor,
}

/// One that is to go.
struct Found {
    destination: Arc<str>,
    number: i64,
    state: i64,
    place: Place,
    order: Option<OrderKey>,
}

impl Cancel {
    pub(super) fn new(filter: DeliveryFilter, answer: Sender<u64>) -> Self {
        let one = filter.id.is_some() || filter.event.is_some();
        let cursor = if one { Cursor::One } else { Cursor::Shut(5, 0) };
        Self { filter, answer, cursor, done: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.cursor, Cursor::Done) || self.room() == 0
    }

    fn room(&self) -> usize {
        match self.filter.limit {
            0 => STEP,
            limit => STEP.min(limit.saturating_sub(usize::try_from(self.done).unwrap_or(usize::MAX))),
        }
    }

    /// Cancels the next few, inside a transaction.
    pub(super) fn step(&self, conn: &Connection, due: &Due, out: &mut Withdrawal<'_>) -> rusqlite::Result<Step> {
        let end = self.cursor.window(conn)?;
        let found = self.find(conn, end, due)?;
        let full = found.last().filter(|_| found.len() == self.room());
        let cursor = match (self.cursor, full, end) {
            (Cursor::Shut(..), Some(last), _) => Cursor::Shut(last.state, last.place.1),
            (Cursor::Open(..), Some(last), _) => Cursor::Open(last.number, last.place.0, last.place.1),
            (_, None, Some(end)) => end,
            (Cursor::Shut(..), None, None) => Cursor::Open(0, 0, 0),
            _ => Cursor::Done,
        };
        let mut step = Step { due: Planned::new(), count: found.len() as u64, cursor };
        let cancel = "UPDATE deliveries SET state = ?, next = NULL, reason = 'cancelled by an operator' WHERE id = ?";
        let mut released = Vec::new();
        for found in found {
            let flies = found.state < 2 && !out.take(&found.destination, found.place) && out.recall(found.place.1);
            let state = if flies && found.order.is_some() { LEAVING } else { CANCELLED };
            conn.prepare_cached(cancel)?.execute([state, found.place.1])?;
            if let Some(key) = found.order.filter(|_| !flies && found.state != WAITING) {
                released.push((found.destination, key));
            }
        }
        for (destination, key) in released {
            order::hand_over(conn, &destination, &key, &mut step.due)?;
        }
        Ok(step)
    }

    pub(super) fn committed(&mut self, step: &Step) {
        self.done += step.count;
        self.cursor = step.cursor;
    }

    fn find(&self, conn: &Connection, end: Option<Cursor>, due: &Due) -> rusqlite::Result<Vec<Found>> {
        let mut wanted = query::which(&self.filter);
        match self.filter.state {
            None => {}
            // Of those that have ended only one that holds its key has something to give up.
            Some(DeliveryState::Exhausted) => wanted.always("d.state = 6"),
            Some(state) => wanted.always(query::in_state(state, &due.in_flight())),
        }
        let (index, from_here, order) = self.cursor.part();
        wanted.always(from_here);
        if let Some(end) = end {
            wanted.always(end.until_here());
        }
        let from = query::DELIVERIES.replacen("deliveries d", index, 1);
        let (text, values) = wanted.limited(self.room());
        let sql = format!(
            "SELECT n.name, d.destination, d.state, d.next, d.id, d.order_key FROM {from} {text} ORDER BY {order} LIMIT ?"
        );
        let read = |row: &Row<'_>| {
            let place = (row.get::<_, Option<i64>>(3)?.unwrap_or_default(), row.get(4)?);
            Ok(Found { destination: row.get(0)?, number: row.get(1)?, state: row.get(2)?, place, order: row.get(5)? })
        };
        conn.prepare(&sql)?.query_map(params_from_iter(values), read)?.collect()
    }
}

impl Cursor {
    /// What this part of the way looks at: the table with its index, the rows behind the cursor, and their order.
    fn part(self) -> (&'static str, String, &'static str) {
        match self {
            Self::Shut(state, id) => {
                let behind = format!("d.state > 2 AND d.state IN (5, 6) AND (d.state, d.id) > ({state}, {id})");
                ("deliveries d INDEXED BY deliveries_failed", behind, "d.state, d.id")
            }
            Self::Open(destination, next, id) => {
                let behind = format!("d.state < 2 AND (d.destination, d.next, d.id) > ({destination}, {next}, {id})");
                ("deliveries d INDEXED BY deliveries_open", behind, "d.destination, d.next, d.id")
            }
            Self::One | Self::Done => ("deliveries d", "d.state IN (0, 1, 5, 6)".into(), "d.id"),
        }
    }

    /// The last row that one step looks at; none where there are fewer.
    fn window(self, conn: &Connection) -> rusqlite::Result<Option<Self>> {
        let (index, behind, order) = self.part();
        let sql =
            |columns| format!("SELECT {columns} FROM {index} WHERE {behind} ORDER BY {order} LIMIT 1 OFFSET {WINDOW}");
        match self {
            Self::Shut(..) => {
                let read = |row: &Row<'_>| Ok(Self::Shut(row.get(0)?, row.get(1)?));
                conn.query_row(&sql("d.state, d.id"), [], read).optional()
            }
            Self::Open(..) => {
                let read = |row: &Row<'_>| Ok(Self::Open(row.get(0)?, row.get(1)?, row.get(2)?));
                conn.query_row(&sql("d.destination, d.next, d.id"), [], read).optional()
            }
            Self::One | Self::Done => Ok(None),
        }
    }

    fn until_here(self) -> String {
        match self {
            Self::Shut(state, id) => format!("(d.state, d.id) <= ({state}, {id})"),
            Self::Open(destination, next, id) => {
                format!("(d.destination, d.next, d.id) <= ({destination}, {next}, {id})")
            }
            Self::One | Self::Done => "1".into(),
        }
    }
}
