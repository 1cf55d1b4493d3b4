//! Claiming: due deliveries from memory, with their events from memory too, or read again from the file.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use uuid::Uuid;

use super::due::Taken;
use super::go_back::GoBack;
use super::{Shared, chore, rows, settle, sum};
use crate::event::Event;
use crate::journal::{Attempt, Claimed, Lost, Outcome, Pending, Settled, Why};
use crate::request::Incoming;

/// Takes deliveries into flight. Those whose caller is gone before the answer are put back.
pub(super) fn claim(shared: &Arc<Shared>, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>> {
    if let Some(by) = shared.due.went_back(now.as_microsecond()) {
        // Where it cannot be done now, what lies far ahead is due in time all the same.
        let _ = shared.queue.push_chore(chore::Chore::GoBack(GoBack::new(now.as_microsecond(), by)));
    }
    let (taken, refill) = shared.due.take(destination, limit, now.as_microsecond());
    if refill && shared.queue.push_chore(chore::Chore::Refill(destination.into())).is_err() {
        shared.due.refill_failed(destination);
    }
    let unread = {
        let shared = shared.clone();
        move |claimed: Vec<Claimed>| shared.put_back(claimed.iter().map(|claimed| claimed.delivery as i64))
    };
    if taken.iter().all(|taken| taken.open.cached.is_some()) {
        let claimed = taken.iter().filter_map(|taken| from_memory(taken, now)).collect();
        return Pending::ready(Ok(claimed)).if_unread(unread);
    }
    let (answer, pending) = Pending::new();
    let ids: Vec<i64> = taken.iter().map(|taken| taken.delivery).collect();
    let from_file = {
        let (shared, ids, destination) = (shared.clone(), ids.clone(), destination.to_owned());
        move |conn: &Connection| match read(conn, &taken, now, shared.plan.load().once_per_request(&destination)) {
            Ok((claimed, lost)) => {
                let lost = lost.into_iter().map(|(taken, why, reason)| (told(conn, taken, &destination, why), reason));
                give_up(&shared, &destination, lost.collect(), now);
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

fn from_memory(taken: &Taken, now: Timestamp) -> Option<Claimed> {
    let cached = taken.open.cached.as_ref()?;
    Some(claimed(taken, now, &cached.event, &cached.request))
}

fn claimed(taken: &Taken, now: Timestamp, event: &Arc<Event>, request: &Arc<Incoming>) -> Claimed {
    let attempt = taken.open.attempts - taken.open.base + 1;
    let asked = taken.open.since.map_or(event.received, rows::time);
    // While its destination was paused it could not be tried. The clock may have been ahead then.
    let resumed = rows::time(taken.resumed);
    let since = if resumed <= now { asked.max(resumed) } else { asked };
    Claimed { delivery: taken.delivery as u64, attempt, since, event: event.clone(), request: request.clone() }
}

/// Why there is nothing to send.
const BLANK: &str = "the bytes of its request were erased with another event of it: there is nothing that a raw \
    destination could get";

/// What is claimed, and the deliveries whose event cannot be read any more, with the reason.
type Read<'t> = (Vec<Claimed>, Vec<(&'t Taken, Why, String)>);

/// For a destination that gets requests (`raw`) one whose bytes are gone is lost, too.
fn read<'t>(conn: &Connection, taken: &'t [Taken], now: Timestamp, raw: bool) -> rusqlite::Result<Read<'t>> {
    let sql = format!("SELECT {}, r.erased FROM {} WHERE e.id = ?", rows::EVENT, rows::EVENT_FROM);
    let mut select = conn.prepare_cached(&sql)?;
    let found = |row: &Row<'_>| {
        let blank = raw && row.get::<_, bool>("erased")?;
        Ok((!blank).then_some((Arc::new(rows::event(row)?), Arc::new(rows::request(row)?))))
    };
    let mut seen: HashMap<i64, (Arc<Event>, Arc<Incoming>)> = HashMap::new();
    let (mut all, mut lost) = (Vec::with_capacity(taken.len()), Vec::new());
    for taken in taken {
        if let Some(claimed) = from_memory(taken, now) {
            all.push(claimed);
            continue;
        }
        let known = seen.get(&taken.open.event).cloned();
        let found = match known {
            Some(known) => Some(known),
            None => match select.query_row([taken.open.event], found).optional() {
                Ok(Some(Some(found))) => Some(found),
                Ok(Some(None)) => {
                    lost.push((taken, Why::Erased, BLANK.to_owned()));
                    None
                }
                Ok(None) => {
                    let gone = "its event is not in the journal: the file is damaged";
                    lost.push((taken, Why::Damaged, gone.to_owned()));
                    None
                }
                // One damaged row must not hold up the destination's others.
                Err(error) if sum::is_damage(&error) => {
                    lost.push((taken, Why::Damaged, sum::words(&error).unwrap_or_default()));
                    None
                }
                Err(error) => return Err(error),
            },
        };
        let Some((event, request)) = found else { continue };
        all.push(claimed(taken, now, &event, &request));
        seen.insert(taken.open.event, (event, request));
    }
    Ok((all, lost))
}

/// What can be said of one that is lost.
fn told(conn: &Connection, taken: &Taken, destination: &str, why: Why) -> Lost {
    let known = "SELECT e.uuid, e.kind, o.source FROM events e JOIN origins o ON o.id = e.origin WHERE e.id = ?";
    let read = |row: &Row<'_>| Ok((Uuid::from_bytes(row.get(0)?), row.get(1)?, row.get::<_, Arc<str>>(2)?));
    // It may be damaged just there.
    let known = conn.prepare_cached(known).and_then(|mut known| known.query_row([taken.open.event], read));
    let (event, kind, source) = known.unwrap_or_else(|_| (Uuid::nil(), String::new(), "".into()));
    let attempts = taken.open.attempts - taken.open.base + 1;
    Lost { delivery: taken.delivery as u64, event, kind, source, destination: destination.into(), attempts, why }
}

/// Deliveries without a readable event end as exhausted, and hold their key where their destination says so: they are listed,
/// and can be tried again after a restore.
fn give_up(shared: &Shared, destination: &str, lost: Vec<(Lost, String)>, now: Timestamp) {
    let holds = shared.plan.load().holds(destination);
    let settled = lost.into_iter().map(|(lost, reason)| {
        let delivery = lost.delivery;
        if let Some(listener) = shared.listener.get() {
            listener(lost);
        }
        tracing::error!(delivery, reason, "a delivery is given up: there is nothing to send in {}", shared.place);
        let attempt = Attempt { at: now, took_ms: 0, status: None, error: Some(reason.clone()), answer: None };
        let outcome = if holds { Outcome::Held(reason) } else { Outcome::Exhausted(reason) };
        Settled { delivery, attempt, outcome }
    });
    settle::give_up(shared, settled.collect());
}
