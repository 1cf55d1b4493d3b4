//! What is due, per destination, in memory. The file has every open delivery too; beyond a bound only the file has it.
//!
//! `ready` holds every open delivery before `horizon` that is not in flight; those at or after it wait in the file until a
//! refill. Only the writer adds and moves the horizon, in the order of its commits, so that nothing falls between.

mod flights;
mod withdrawal;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Notify;

use self::flights::Flight;
pub(super) use self::flights::Taken;
pub(super) use self::withdrawal::Withdrawal;
use super::rows;
use crate::event::Event;
use crate::journal::OrderKey;
use crate::journal::steady::Steady;
use crate::request::Incoming;

/// Due time and delivery: oldest due first, then in the order of arrival.
pub(super) type Place = (i64, i64);

/// The due time of what is due whatever the clock shows: it may have been ahead when the delivery was recorded.
pub(super) const AT_ONCE: i64 = 0;
/// No retry waits longer, so one that is due later was planned under a clock that was ahead, and is due.
const LONGEST: i64 = 25 * 3_600 * 1_000_000;

/// An open delivery.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) event: i64,
    pub(super) attempts: u32,
    pub(super) base: u32,
    /// Where it is the first of a key: the others wait in the file.
    pub(super) order: Option<OrderKey>,
    /// When somebody asked for it again; else its event's arrival counts.
    pub(super) since: Option<i64>,
    pub(super) cached: Option<Arc<Cached>>,
}

/// An event that was just recorded, kept for its first attempts; what it weighs is given back when it is dropped.
pub(super) struct Cached {
    pub(super) event: Arc<Event>,
    pub(super) request: Arc<Incoming>,
    bytes: usize,
    weight: Arc<AtomicUsize>,
}

impl Drop for Cached {
    fn drop(&mut self) {
        self.weight.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Slot {
    notify: Arc<Notify>,
    ready: BTreeMap<Place, Open>,
    /// `None`: everything is in `ready`.
    horizon: Option<Place>,
    refilling: bool,
    resumed: i64,
}

#[derive(Default)]
struct State {
    slots: HashMap<Arc<str>, Slot>,
    in_flight: HashMap<i64, Flight>,
    clock: Steady,
}

pub(super) struct Due {
    state: Mutex<State>,
    limit: usize,
    weight: Arc<AtomicUsize>,
    cache_bytes: usize,
}

impl Due {
    pub(super) fn new(limit: usize, cache_bytes: usize) -> Self {
        Self { state: Mutex::default(), limit: limit.max(4), weight: Arc::default(), cache_bytes }
    }

    /// Keeps an event in memory if there is room.
    pub(super) fn cache(&self, event: Event, request: &Arc<Incoming>, bytes: usize) -> Option<Arc<Cached>> {
        if self.weight.fetch_add(bytes, Ordering::Relaxed) + bytes > self.cache_bytes {
            self.weight.fetch_sub(bytes, Ordering::Relaxed);
            return None;
        }
        let (event, request) = (Arc::new(event), request.clone());
        Some(Arc::new(Cached { event, request, bytes, weight: self.weight.clone() }))
    }

    /// Adds committed deliveries and wakes their destinations.
    pub(super) fn add(&self, deliveries: Vec<(Arc<str>, Place, Open)>) {
        let mut state = self.state();
        let mut woken: Vec<Arc<Notify>> = Vec::new();
        for (destination, place, open) in deliveries {
            let slot = state.slot(&destination);
            slot.insert(place, open, self.limit);
            if !woken.iter().any(|notify| Arc::ptr_eq(notify, &slot.notify)) {
                woken.push(slot.notify.clone());
            }
        }
        drop(state);
        woken.iter().for_each(|notify| notify.notify_one());
    }

    /// Moves open deliveries to the front: destination, where it was, and what it is.
    pub(super) fn hurry(&self, deliveries: Vec<(Arc<str>, Place, Open)>) {
        let to_the_front = |(destination, place, open)| (destination, place, AT_ONCE, open);
        self.moved(deliveries.into_iter().map(to_the_front).collect());
    }

    /// Open deliveries are due earlier: destination, where it was, when it is due now, and what it is.
    pub(super) fn moved(&self, deliveries: Vec<(Arc<str>, Place, i64, Open)>) {
        let mut moved = Vec::with_capacity(deliveries.len());
        {
            let mut state = self.state();
            for (destination, place, next, open) in deliveries {
                let earlier = (next, place.1);
                match state.in_flight.get_mut(&place.1) {
                    // Its attempt decides; one that is put back untried comes to its new place.
                    Some(flight) => flight.place = earlier,
                    None => {
                        let waited = state.slot(&destination).ready.remove(&place);
                        moved.push((destination, earlier, waited.unwrap_or(open)));
                    }
                }
            }
        }
        self.add(moved);
    }

    /// What these say has changed: it is read again.
    pub(super) fn changed(&self, deliveries: Vec<(Arc<str>, Place)>) {
        let mut state = self.state();
        for (destination, place) in deliveries {
            if let Some(open) = state.slot(&destination).ready.get_mut(&place) {
                open.cached = None;
            }
        }
    }

    /// By how much the clock went back since it was asked last, if that is more than it is set right by all the time.
    pub(super) fn went_back(&self, now: i64) -> Option<i64> {
        self.state().clock.back(now, Instant::now())
    }

    /// Forgets all but what is in flight; it is read from the file again, by the next claim at the latest.
    pub(super) fn clear(&self) {
        for slot in self.state().slots.values_mut() {
            slot.ready.clear();
            (slot.horizon, slot.refilling) = (Some((i64::MIN, 0)), false);
        }
    }

    /// When the destination's last pause ended: its deliveries could not be tried before.
    pub(super) fn resumed(&self, destination: &Arc<str>, at: i64) {
        self.state().slot(destination).resumed = at;
    }

    /// From where the file must be read.
    pub(super) fn horizon(&self, destination: &str) -> Option<Place> {
        self.state().slots.get(destination)?.horizon
    }

    /// Adds what was read from the horizon on; `complete` when the file has no more.
    pub(super) fn refill(&self, destination: &Arc<str>, rows: Vec<(Place, Open)>, complete: bool) {
        let mut state = self.state();
        let State { slots, in_flight, .. } = &mut *state;
        let slot = slots.entry(destination.clone()).or_default();
        slot.refilling = false;
        slot.horizon = match rows.last() {
            Some((last, _)) if !complete => Some((last.0, last.1 + 1)),
            _ => None,
        };
        // The horizon may have come nearer than something that was in flight already.
        slot.ready.extend(rows.into_iter().filter(|(place, _)| !in_flight.contains_key(&place.1)));
        slot.notify.notify_one();
    }

    /// A refill could not be read; the next claim asks again.
    pub(super) fn refill_failed(&self, destination: &str) {
        if let Some(slot) = self.state().slots.get_mut(destination) {
            slot.refilling = false;
        }
    }

    pub(super) fn notify(&self, destination: &str) -> Arc<Notify> {
        let mut state = self.state();
        if let Some(slot) = state.slots.get(destination) {
            return slot.notify.clone();
        }
        state.slot(&Arc::from(destination)).notify.clone()
    }

    pub(super) fn next(&self, destination: &str) -> Option<Timestamp> {
        let state = self.state();
        let slot = state.slots.get(destination)?;
        let place = slot.ready.first_key_value().map(|(place, _)| *place).or(slot.horizon)?;
        Some(rows::time(place.0))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_due((next, _): Place, now: i64) -> bool {
    next <= now || next > now.saturating_add(LONGEST)
}

impl State {
    fn slot(&mut self, destination: &Arc<str>) -> &mut Slot {
        self.slots.entry(destination.clone()).or_default()
    }
}

impl Slot {
    fn first(&self, now: i64) -> Option<Place> {
        self.ready.first_key_value().map(|(place, _)| *place).filter(|place| is_due(*place, now))
    }

    fn first_retry(&self, now: i64) -> Option<Place> {
        self.ready.range((AT_ONCE + 1, 0)..).next().map(|(place, _)| *place).filter(|place| is_due(*place, now))
    }

    fn insert(&mut self, place: Place, open: Open, limit: usize) {
        if self.horizon.is_some_and(|horizon| place >= horizon) {
            return;
        }
        self.ready.insert(place, open);
        if self.ready.len() > limit
            && let Some((place, _)) = self.ready.pop_last()
        {
            self.horizon = Some(place);
        }
    }
}

#[cfg(test)]
mod tests;
