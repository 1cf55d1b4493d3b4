//! Claiming: due deliveries from memory, with their events from memory too, or read again from the file.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::due::Taken;
use super::{Shared, queue, rows, settle, sum};
use crate::event::Event;
use crate::journal::{Attempt, Claimed, Outcome, Pending, Settled};
use crate::request::Incoming;

/// Takes deliveries into flight. Those whose caller is gone before the answer are put back.
pub(super) fn claim(shared: &Arc<Shared>, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>> {
    if let Some(by) = shared.due.went_back(now.as_microsecond()) {
        // Where it cannot be done now, what lies far ahead is due in time all the same.
        let _ = shared.queue.push_chore(queue::Chore::GoBack { now: now.as_microsecond(), by });
    }
    let (taken, refill) = shared.due.take(destination, limit, now.as_microsecond());
    if refill && shared.queue.push_chore(queue::Chore::Refill(destination.into())).is_err() {
        shared.due.refill_failed(destination);
    }
    let unread = {
        let shared = shared.clone();
        move |claimed: Vec<Claimed>| shared.put_back(claimed.iter().map(|claimed| claimed.delivery as i64))
    };
    if taken.iter().all(|taken| taken.open.cached.is_some()) {
        let claimed = taken.iter().filter_map(from_memory).collect();
        return Pending::ready(Ok(claimed)).if_unread(unread);
    }
    let (answer, pending) = Pending::new();
    let ids: Vec<i64> = taken.iter().map(|taken| taken.delivery).collect();
    let from_file = {
        let (shared, ids) = (shared.clone(), ids.clone());
        move |conn: &Connection| match read(conn, &taken) {
            Ok((claimed, lost)) => {
                give_up(&shared, lost, now);
                Ok(claimed)
            }
            Err(error) => {
                shared.put_back(ids);
                Err(shared.failed(&error))
            }
        }
    };
    let put_back = {
        let shared = shared.clone();
        move || shared.put_back(ids)
    };
    shared.readers.submit_or(answer, from_file, put_back);
    pending.if_unread(unread)
}

fn from_memory(taken: &Taken) -> Option<Claimed> {
    let cached = taken.open.cached.as_ref()?;
    Some(claimed(taken, &cached.event, &cached.request))
}

fn claimed(taken: &Taken, event: &Arc<Event>, request: &Arc<Incoming>) -> Claimed {
    let attempt = taken.open.attempts - taken.open.base + 1;
    let since = taken.open.since.map_or(event.received, rows::time);
    Claimed { delivery: taken.delivery as u64, attempt, since, event: event.clone(), request: request.clone() }
}

/// What is claimed, and the deliveries whose event cannot be read any more, with the reason.
type Read = (Vec<Claimed>, Vec<(i64, String)>);

fn read(conn: &Connection, taken: &[Taken]) -> rusqlite::Result<Read> {
    let sql = format!("SELECT {} FROM {} WHERE e.id = ?", rows::EVENT, rows::EVENT_FROM);
    let mut select = conn.prepare_cached(&sql)?;
    let both = |row: &Row<'_>| Ok((Arc::new(rows::event(row)?), Arc::new(rows::request(row)?)));
    let mut seen: HashMap<i64, (Arc<Event>, Arc<Incoming>)> = HashMap::new();
    let (mut all, mut lost) = (Vec::with_capacity(taken.len()), Vec::new());
    for taken in taken {
        if let Some(claimed) = from_memory(taken) {
            all.push(claimed);
            continue;
        }
        let known = seen.get(&taken.open.event).cloned();
        let found = match known {
            Some(known) => Some(known),
            None => match select.query_row([taken.open.event], both).optional() {
                Ok(Some(found)) => Some(found),
                Ok(None) => {
                    lost.push((taken.delivery, "its event is not in the journal: the file is damaged".to_owned()));
                    None
                }
                // One damaged row must not hold up the destination's others.
                Err(error) if sum::is_damage(&error) => {
                    lost.push((taken.delivery, sum::words(&error).unwrap_or_default()));
                    None
                }
                Err(error) => return Err(error),
            },
        };
        let Some((event, request)) = found else { continue };
        all.push(claimed(taken, &event, &request));
        seen.insert(taken.open.event, (event, request));
    }
    Ok((all, lost))
}

/// Deliveries without a readable event end as exhausted: they are listed, and can be tried again after a restore.
fn give_up(shared: &Shared, lost: Vec<(i64, String)>, now: Timestamp) {
    let settled = lost.into_iter().map(|(delivery, reason)| {
        tracing::error!(delivery, reason, "a delivery is given up: its event cannot be read from {}", shared.place);
        let attempt = Attempt { at: now, took_ms: 0, status: None, error: Some(reason.clone()), answer: None };
        Settled { delivery: delivery as u64, attempt, outcome: Outcome::Exhausted(reason) }
    });
    // Nobody waits for it; what cannot be written stays in flight, and is found again after a restart.
    drop(settle::submit(shared, settled.collect()));
}
