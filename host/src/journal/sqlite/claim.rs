//! Claiming: due deliveries from memory, with their events from memory too, or read again from the file.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::due::Taken;
use super::{Shared, queue, rows};
use crate::event::Event;
use crate::journal::{Claimed, Pending};
use crate::request::Incoming;

/// Takes deliveries into flight. Those whose caller is gone before the answer are put back.
pub(super) fn claim(shared: &Arc<Shared>, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>> {
    let (taken, refill) = shared.due.take(destination, limit, now.as_microsecond());
    if refill && shared.queue.push_chore(queue::Chore::Refill(destination.into())).is_err() {
        shared.due.refill_failed(destination);
    }
    let unread = {
        let shared = shared.clone();
        move |claimed: Vec<Claimed>| shared.due.put_back(claimed.iter().map(|claimed| claimed.delivery as i64))
    };
    if taken.iter().all(|taken| taken.open.cached.is_some()) {
        let claimed = taken.iter().filter_map(from_memory).collect();
        return Pending::ready(Ok(claimed)).if_unread(unread);
    }
    let (answer, pending) = Pending::new();
    let ids: Vec<i64> = taken.iter().map(|taken| taken.delivery).collect();
    let from_file = {
        let (shared, ids) = (shared.clone(), ids.clone());
        move |conn: &Connection| {
            let claimed = read(conn, &taken);
            if claimed.is_err() {
                shared.due.put_back(ids);
            }
            claimed.map_err(|error| shared.failed(&error))
        }
    };
    let put_back = {
        let shared = shared.clone();
        move || shared.due.put_back(ids)
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
    Claimed { delivery: taken.delivery as u64, attempt, event: event.clone(), request: request.clone() }
}

fn read(conn: &Connection, taken: &[Taken]) -> rusqlite::Result<Vec<Claimed>> {
    let sql = format!("SELECT {} FROM {} WHERE e.id = ?", rows::EVENT, rows::EVENT_FROM);
    let mut select = conn.prepare_cached(&sql)?;
    let both = |row: &Row<'_>| Ok((Arc::new(rows::event(row)?), Arc::new(rows::request(row)?)));
    let mut seen: HashMap<i64, (Arc<Event>, Arc<Incoming>)> = HashMap::new();
    let mut all = Vec::with_capacity(taken.len());
    for taken in taken {
        if let Some(claimed) = from_memory(taken) {
            all.push(claimed);
            continue;
        }
        let known = seen.get(&taken.open.event).cloned();
        let found = match known {
            Some(known) => Some(known),
            None => select.query_row([taken.open.event], both).optional()?,
        };
        let Some((event, request)) = found else {
            tracing::error!(delivery = taken.delivery, "an open delivery has no event in the journal; it stays open");
            continue;
        };
        all.push(claimed(taken, &event, &request));
        seen.insert(taken.open.event, (event, request));
    }
    Ok(all)
}
