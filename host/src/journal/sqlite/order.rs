//! Order per key: of a destination's deliveries with the same key one is open, and the others wait in the file.
//!
//! The first of a key is the lowest number that is open, waits or holds. A settlement that ends it makes the next one due,
//! in the same transaction. One that had ended and is tried again by hand goes first, unless a later one is in flight:
//! then that one ends its try before.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::due::{Open, Place, Withdrawal};
use super::insert::Planned;
use super::rows::{CANCELLED, EXHAUSTED, HELD, LEAVING, PENDING, RETRYING, WAITING};
use crate::journal::OrderKey;

/// Which deliveries count for a key; as the index says it.
const OF_KEY: &str = "FROM deliveries d INDEXED BY deliveries_ordered \
    WHERE d.order_key IS NOT NULL AND d.state IN (0, 1, 5, 6, 7)";

/// A delivery that counts for its key.
struct First {
    state: i64,
    place: Place,
    open: Open,
}

/// Whether a new delivery has to wait behind another one of its key.
pub(super) fn waits(conn: &Connection, destination: i64, key: &OrderKey) -> rusqlite::Result<bool> {
    let any = format!("SELECT EXISTS (SELECT 1 {OF_KEY} AND d.destination = ? AND d.order_key = ?)");
    conn.prepare_cached(&any)?.query_row(params![destination, key], |row| row.get(0))
}

/// Nobody of the key is open any more: makes the first that waits due, unless one before it holds the key. A deadline counts
/// from now where it was not tried before: it could not be.
pub(super) fn hand_over(
    conn: &Connection,
    destination: &Arc<str>,
    key: &OrderKey,
    now: i64,
    due: &mut Planned,
) -> rusqlite::Result<()> {
    let Some(mut first) = first(conn, destination, key, None)?.filter(|first| first.state == WAITING) else {
        return Ok(());
    };
    let tried = first.open.attempts > first.open.base;
    let state = if tried { RETRYING } else { PENDING };
    first.open.since = if tried { first.open.since } else { Some(now) };
    let open = "UPDATE deliveries SET state = ?, since = ? WHERE id = ?";
    conn.prepare_cached(open)?.execute(params![state, first.open.since, first.place.1])?;
    due.push((destination.clone(), first.place, first.open));
    Ok(())
}

/// The same for one that was cancelled in flight, when its flight is over.
pub(super) fn leave(
    conn: &Connection,
    (destination, key, delivery): &(Arc<str>, OrderKey, i64),
    now: i64,
    due: &mut Planned,
) -> rusqlite::Result<()> {
    let leave = "UPDATE deliveries SET state = ? WHERE id = ? AND state = ?";
    conn.prepare_cached(leave)?.execute([CANCELLED, *delivery, LEAVING])?;
    hand_over(conn, destination, key, now, due)
}

/// The open one is to be tried again later: lets an earlier one that waits pass, which was tried again by hand
/// meanwhile. False: it is the first, and stays open.
pub(super) fn let_pass(
    conn: &Connection,
    destination: &Arc<str>,
    key: &OrderKey,
    (delivery, now): (i64, i64),
    due: &mut Planned,
) -> rusqlite::Result<bool> {
    let earlier = first(conn, destination, key, Some(delivery))?;
    if !earlier.is_some_and(|earlier| earlier.state == WAITING && earlier.place.1 < delivery) {
        return Ok(false);
    }
    set_state(conn)?.execute([WAITING, delivery])?;
    hand_over(conn, destination, key, now, due)?;
    Ok(true)
}

/// Whether one that had ended, and is to be tried again, has to wait. A later one that is open waits instead, unless it is
/// in flight.
pub(super) fn waits_again(
    conn: &Connection,
    destination: &Arc<str>,
    key: &OrderKey,
    (state, delivery): (i64, i64),
    withdrawal: &mut Withdrawal<'_>,
    due: &mut Planned,
) -> rusqlite::Result<bool> {
    let Some(other) = first(conn, destination, key, Some(delivery))? else { return Ok(false) };
    if other.place.1 < delivery {
        return Ok(true);
    }
    let open = match other.state {
        // Somebody behind it is open, unless it held the key itself.
        WAITING if matches!(state, EXHAUSTED | CANCELLED) => open_one(conn, destination, key)?,
        WAITING | HELD => return Ok(false),
        LEAVING => None,
        _ => Some(other.place),
    };
    match open {
        Some(place) if withdrawal.take(destination, place) => {
            set_state(conn)?.execute([WAITING, place.1])?;
            due.retain(|(_, planned, _)| planned.1 != place.1);
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// The one of a key that is open; none where one that was cancelled is still in flight.
fn open_one(conn: &Connection, destination: &Arc<str>, key: &OrderKey) -> rusqlite::Result<Option<Place>> {
    let find = format!(
        "SELECT d.next, d.id {OF_KEY} AND d.state < 2 \
         AND d.destination = (SELECT id FROM destinations WHERE name = ?) AND d.order_key = ?"
    );
    let read = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?.unwrap_or_default(), row.get(1)?));
    conn.prepare_cached(&find)?.query_row(params![&**destination, key], read).optional()
}

/// The one of a key that is in flight is its open one, else the first is open or holds it. At the start nothing is in
/// flight; after a failed sync the file may say what was before.
pub(super) fn mend(conn: &Connection, flying: &[i64], now: i64) -> rusqlite::Result<()> {
    let flying = flying.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let left = format!(
        "UPDATE deliveries SET state = {CANCELLED} WHERE state > 2 AND state = {LEAVING} AND id NOT IN ({flying})"
    );
    let open = format!(
        "SELECT coalesce(max(d.id) FILTER (WHERE d.id IN ({flying})), min(d.id)) {OF_KEY} GROUP BY d.destination, d.order_key"
    );
    let transaction = conn.unchecked_transaction()?;
    let others = format!(
        "UPDATE deliveries SET state = {WAITING} \
         WHERE id IN (SELECT id FROM deliveries INDEXED BY deliveries_open WHERE state < 2 AND order_key IS NOT NULL) \
         AND id NOT IN ({open})"
    );
    let open = format!(
        "UPDATE deliveries SET state = (attempts > base), since = CASE WHEN attempts > base THEN since ELSE {now} END \
         WHERE +state = {WAITING} AND id IN ({open})"
    );
    let mut moved = 0;
    for change in [left, others, open] {
        moved += transaction.execute(&change, [])?;
    }
    transaction.commit()?;
    if moved > 0 {
        tracing::info!(deliveries = moved, "of each key one is due again after the last stop");
    }
    Ok(())
}

fn first(
    conn: &Connection,
    destination: &Arc<str>,
    key: &OrderKey,
    but: Option<i64>,
) -> rusqlite::Result<Option<First>> {
    let find = format!(
        "SELECT d.state, d.next, d.id, d.event, d.attempts, d.base, d.since {OF_KEY} \
         AND d.destination = (SELECT id FROM destinations WHERE name = ?) AND d.order_key = ? AND d.id <> ? \
         ORDER BY d.id LIMIT 1"
    );
    let read = |row: &Row<'_>| {
        let (event, attempts, base) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let open = Open { event, attempts, base, since: row.get(6)?, order: Some(*key), cached: None };
        Ok(First { state: row.get(0)?, place: (row.get::<_, Option<i64>>(1)?.unwrap_or_default(), row.get(2)?), open })
    };
    conn.prepare_cached(&find)?.query_row(params![&**destination, key, but.unwrap_or_default()], read).optional()
}

fn set_state(conn: &Connection) -> rusqlite::Result<CachedStatement<'_>> {
    conn.prepare_cached("UPDATE deliveries SET state = ? WHERE id = ?")
}

#[cfg(test)]
mod tests;
