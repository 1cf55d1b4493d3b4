//! What this host knows of what is due, and its own flights. All of it may be wrong for a moment: claims and settlements ask the
//! server, and a look sets it right.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Notify;

use super::rows;
use crate::journal::steady::Steady;

/// The due time of what is due whatever the clock shows.
pub(super) const AT_ONCE: i64 = 0;

/// One destination.
#[derive(Default)]
struct Slot {
    notify: Arc<Notify>,
    /// Claims of this host go one after the other, in the order in which they were asked for.
    turn: Arc<tokio::sync::Mutex<()>>,
    next: Option<i64>,
    /// How often somebody said that something is due earlier.
    lowered: u64,
}

/// A delivery that this host claimed.
struct Flight {
    /// The same delivery may be claimed again before a settlement is heard of.
    turn: u64,
    settling: bool,
    recalled: bool,
}

#[derive(Default)]
struct State {
    slots: HashMap<Arc<str>, Slot>,
    flights: HashMap<i64, Flight>,
    /// Those of a lease that is over; they are not this host's any more.
    lost: HashSet<i64>,
    turns: u64,
    clock: Steady,
}

#[derive(Default)]
pub(super) struct Due(Mutex<State>);

impl Due {
    /// Something is due at each of these.
    pub(super) fn add(&self, destinations: &[Arc<str>]) {
        destinations.iter().for_each(|destination| self.lower(destination, AT_ONCE));
    }

    /// Something is due then, or earlier.
    pub(super) fn lower(&self, destination: &Arc<str>, at: i64) {
        let mut state = self.state();
        let slot = state.slot(destination);
        slot.next = Some(slot.next.map_or(at, |next| next.min(at)));
        slot.lowered += 1;
        let notify = slot.notify.clone();
        drop(state);
        notify.notify_one();
    }

    /// Before the server is asked what is next: what is said meanwhile is not overwritten.
    pub(super) fn seen(&self, destination: &Arc<str>) -> u64 {
        self.state().slot(destination).lowered
    }

    /// What the server said; wakes the lane if it did not know, and that something is due, if it is.
    pub(super) fn set(&self, destination: &Arc<str>, seen: u64, next: Option<i64>, wake_before: Option<i64>) {
        let mut state = self.state();
        let slot = state.slot(destination);
        let before = slot.next;
        slot.next = if slot.lowered == seen { next } else { before.into_iter().chain(next).min() };
        let earlier = slot.next.is_some_and(|next| before.is_none_or(|before| next < before));
        let due = wake_before.is_some_and(|now| slot.next.is_some_and(|next| next <= now));
        let notify = (wake_before.is_some() && (earlier || due)).then(|| slot.notify.clone());
        drop(state);
        if let Some(notify) = notify {
            notify.notify_one();
        }
    }

    pub(super) fn next(&self, destination: &str) -> Option<Timestamp> {
        self.state().slots.get(destination)?.next.map(rows::time)
    }

    pub(super) fn notify(&self, destination: &str) -> Arc<Notify> {
        self.state().slot(&Arc::from(destination)).notify.clone()
    }

    pub(super) fn turn(&self, destination: &Arc<str>) -> Arc<tokio::sync::Mutex<()>> {
        self.state().slot(destination).turn.clone()
    }

    /// By how much the clock went back since it was asked last, if that is more than it is set right by all the time.
    pub(super) fn went_back(&self, now: i64) -> Option<i64> {
        self.state().clock.back(now, Instant::now())
    }

    /// These are this host's now.
    pub(super) fn fly(&self, deliveries: impl IntoIterator<Item = i64>) {
        let mut state = self.state();
        for delivery in deliveries {
            state.turns += 1;
            let flight = Flight { turn: state.turns, settling: false, recalled: false };
            state.lost.remove(&delivery);
            state.flights.insert(delivery, flight);
        }
    }

    /// Marks one as being settled; `None` if it is not this host's, or is settled already.
    pub(super) fn settling(&self, delivery: i64) -> Option<u64> {
        let mut state = self.state();
        state.lost.remove(&delivery);
        let flight = state.flights.get_mut(&delivery).filter(|flight| !flight.settling)?;
        flight.settling = true;
        Some(flight.turn)
    }

    /// Their outcomes could not be written: they are in flight as before, and may be settled again.
    pub(super) fn unsettled(&self, deliveries: impl IntoIterator<Item = i64>) {
        let mut state = self.state();
        for delivery in deliveries {
            if let Some(flight) = state.flights.get_mut(&delivery) {
                flight.settling = false;
            }
        }
    }

    /// Ends flights, unless they are new ones of the same deliveries.
    pub(super) fn landed(&self, flights: impl IntoIterator<Item = (i64, u64)>) {
        let mut state = self.state();
        for (delivery, turn) in flights {
            if state.flights.get(&delivery).is_some_and(|flight| flight.turn == turn) {
                state.flights.remove(&delivery);
            }
        }
    }

    /// Which of the flights were cancelled; the others were not, or somebody thought better of it.
    pub(super) fn recall(&self, recalled: &HashSet<i64>) {
        for (delivery, flight) in &mut self.state().flights {
            flight.recalled = recalled.contains(delivery);
        }
    }

    pub(super) fn is_recalled(&self, delivery: i64) -> bool {
        let state = self.state();
        state.lost.contains(&delivery) || state.flights.get(&delivery).is_some_and(|flight| flight.recalled)
    }

    /// The lease is over: somebody else may try all of these.
    pub(super) fn lose(&self) -> usize {
        let mut state = self.state();
        let lost: Vec<i64> = state.flights.drain().map(|(delivery, _)| delivery).collect();
        let count = lost.len();
        state.lost.extend(lost);
        count
    }

    pub(super) fn flights(&self) -> Vec<i64> {
        self.state().flights.keys().copied().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn slot(&mut self, destination: &Arc<str>) -> &mut Slot {
        self.slots.entry(destination.clone()).or_default()
    }
}
