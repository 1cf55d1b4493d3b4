//! New deliveries of stored events, and new contents of theirs. Planned on the caller's thread, decided by the writer.

mod content;

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use self::content::{Stored, add, replace, stored};
use super::answer::Sender;
use super::due::Place;
use super::family::Family;
use super::insert::{Ingest, Planned};
use super::{Shared, query};
use crate::event::EventState;
use crate::journal::again::{Change, Item};
use crate::journal::seal::Vault;
use crate::journal::{OrderKey, Plan, Redelivered, Replay};

/// Some events on their way to new deliveries.
pub(super) struct Redeliver {
    run: i64,
    events: Vec<Item>,
    /// Whether the routes chose where they go.
    planned: bool,
    pub(super) dry: bool,
    pub(super) answer: Sender<Redelivered>,
    /// Requests that a destination has got of this replay, for those that get them once; copies count as what they are of.
    went: HashSet<(i64, Arc<str>)>,
}

/// What a step made, for memory once it is committed.
#[derive(Default)]
pub(super) struct Step {
    pub(super) done: Redelivered,
    pub(super) planned: Planned,
    pub(super) changed: Vec<(Arc<str>, Place)>,
}

impl Redeliver {
    pub(super) fn new(replay: Replay, plan: &dyn Plan, vault: Option<&Vault>, answer: Sender<Redelivered>) -> Self {
        let Replay { run, events, to, dry } = replay;
        let events = events.into_iter().map(|event| Item::new(event, &to, plan, vault)).collect();
        Self { run: run.as_microsecond(), events, planned: to.is_empty(), dry, answer, went: HashSet::new() }
    }

    /// All of it, inside a transaction.
    pub(super) fn step(&mut self, ingest: &mut Ingest<'_>, shared: &Shared, now: Timestamp) -> rusqlite::Result<Step> {
        let mut step = Step::default();
        ingest.keys.mind_the_clock(now.as_microsecond());
        for Item { mut event, change } in std::mem::take(&mut self.events) {
            let Some(stored) = stored(ingest.conn, &event)? else { continue };
            // It may have been erased since it was read: what is gone is not written again.
            if stored.erased || (stored.blank && change != Change::None) {
                step.done.erased += 1;
                continue;
            }
            event.sum = stored.sum.filter(|_| event.seal.is_none()).map(|request| event.sum(request));
            let number = match change {
                Change::None => {
                    if self.planned && event.event.state == EventState::Routed {
                        let routed = "UPDATE events SET state = 0 WHERE id = ? AND state = 1";
                        ingest.conn.prepare_cached(routed)?.execute([stored.number])?;
                    }
                    stored.number
                }
                Change::Replaced => {
                    replace(ingest, &event, &stored)?;
                    step.changed.extend(open(ingest.conn, stored.number)?);
                    stored.number
                }
                Change::Added => match add(ingest, &event, &stored, now)? {
                    Some(number) => {
                        step.done.added += 1;
                        number
                    }
                    None => continue,
                },
            };
            if event.event.state == EventState::Undecoded {
                step.done.undecoded += 1;
                continue;
            }
            step.done.unrouted += u64::from(event.to.is_empty());
            let before = step.done.deliveries;
            for to in event.to {
                self.deliver(ingest, (shared, now), (number, change, &stored), to, &mut step)?;
            }
            step.done.events += u64::from(step.done.deliveries > before);
        }
        Ok(step)
    }

    /// A delivery, unless this replay made it, or one that is open does as well.
    fn deliver(
        &mut self,
        ingest: &mut Ingest<'_>,
        (shared, now): (&Shared, Timestamp),
        (number, change, stored): (i64, Change, &Stored),
        (destination, order): (Arc<str>, Option<OrderKey>),
        step: &mut Step,
    ) -> rusqlite::Result<()> {
        let name = ingest.destination(&destination)?;
        let once = shared.plan.load().once_per_request(&destination);
        if once && stored.blank {
            step.done.erased += 1;
            return Ok(());
        }
        if once && (self.went.contains(&(stored.root, destination.clone())) || self.has_gone(ingest, stored, name)?) {
            return Ok(());
        }
        let found = earlier(ingest.conn, number, name, self.run)?;
        if found.iter().any(|earlier| earlier.of_this_run) {
            return Ok(());
        }
        // One that is in flight may carry what was stored before.
        let stands = |open: i64| change != Change::Replaced || !shared.due.is_in_flight(open);
        if found.iter().any(|earlier| earlier.open && stands(earlier.delivery)) {
            step.done.open += 1;
            return Ok(());
        }
        if once {
            self.went.insert((stored.root, destination.clone()));
        }
        // A long replay's last events have as long as its first ones.
        let since = Some(now.as_microsecond());
        ingest.deliver(number, (destination, order), (since, Some(self.run)), None, &mut step.planned)?;
        step.done.deliveries += 1;
        Ok(())
    }

    /// Whether this replay has sent the request to the destination with another event of it or of a copy.
    fn has_gone(&self, ingest: &Ingest<'_>, stored: &Stored, destination: i64) -> rusqlite::Result<bool> {
        Family::of(ingest.conn, stored.request)?.has_got(ingest.conn, self.run, destination)
    }
}

/// A delivery that an event has to a destination.
struct Earlier {
    delivery: i64,
    open: bool,
    of_this_run: bool,
}

fn earlier(conn: &Connection, event: i64, destination: i64, run: i64) -> rusqlite::Result<Vec<Earlier>> {
    let sql = format!(
        "SELECT d.id, d.state IN (0, 1, 5), d.replay IS ?3 FROM deliveries d WHERE d.id IN ({}) AND d.destination = ?2",
        query::of_event("?1")
    );
    let read = |row: &Row<'_>| Ok(Earlier { delivery: row.get(0)?, open: row.get(1)?, of_this_run: row.get(2)? });
    conn.prepare_cached(&sql)?.query_map([event, destination, run], read)?.collect()
}

/// The open deliveries of an event, where memory has them.
fn open(conn: &Connection, event: i64) -> rusqlite::Result<Vec<(Arc<str>, Place)>> {
    let sql = format!(
        "SELECT n.name, d.next, d.id FROM deliveries d JOIN destinations n ON n.id = d.destination \
         WHERE d.id IN ({}) AND d.state < 2",
        query::of_event("?1")
    );
    let read = |row: &Row<'_>| Ok((row.get::<_, Arc<str>>(0)?, (row.get(1)?, row.get(2)?)));
    conn.prepare_cached(&sql)?.query_map([event], read)?.collect()
}
