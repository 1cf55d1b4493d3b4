//! Taking deliveries out of memory because their rows change otherwise than by an attempt.
//!
//! First out of memory, so that nobody claims them, then out of the file; where the file fails they are put back.

use std::sync::Arc;

use super::{Due, Open, Place};

/// What one transaction takes out and changes; undone unless it is committed.
pub(in crate::journal::sqlite) struct Withdrawal<'d> {
    due: &'d Due,
    out: Vec<(Arc<str>, Place, Open)>,
    /// Flights, and whether they were recalled before.
    flights: Vec<(i64, bool)>,
}

impl Due {
    pub(in crate::journal::sqlite) fn withdrawal(&self) -> Withdrawal<'_> {
        Withdrawal { due: self, out: Vec::new(), flights: Vec::new() }
    }
}

impl Withdrawal<'_> {
    /// Nobody claims it from now on; false if somebody has.
    pub(in crate::journal::sqlite) fn take(&mut self, destination: &Arc<str>, place: Place) -> bool {
        let mut state = self.due.state();
        if state.in_flight.contains_key(&place.1) {
            return false;
        }
        // Beyond the horizon it is in the file only.
        let slot = state.slots.get_mut(destination);
        if let Some(open) = slot.and_then(|slot| slot.ready.remove(&place)) {
            self.out.push((destination.clone(), place, open));
        }
        true
    }

    /// One that is in flight is not put back when it is given back untried; false if it is in none.
    pub(in crate::journal::sqlite) fn recall(&mut self, delivery: i64) -> bool {
        self.mark(delivery, true)
    }

    /// The reverse; false if it is in no flight.
    pub(in crate::journal::sqlite) fn resume(&mut self, delivery: i64) -> bool {
        self.mark(delivery, false)
    }

    fn mark(&mut self, delivery: i64, recalled: bool) -> bool {
        let mut state = self.due.state();
        let Some(flight) = state.in_flight.get_mut(&delivery) else { return false };
        self.flights.push((delivery, std::mem::replace(&mut flight.recalled, recalled)));
        true
    }

    pub(in crate::journal::sqlite) fn commit(mut self) {
        self.out.clear();
        self.flights.clear();
    }
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        let mut state = self.due.state();
        for (destination, place, open) in self.out.drain(..) {
            let slot = state.slot(&destination);
            slot.ready.insert(place, open);
            slot.notify.notify_one();
        }
        for (delivery, recalled) in self.flights.drain(..).rev() {
            if let Some(flight) = state.in_flight.get_mut(&delivery) {
                flight.recalled = recalled;
            }
        }
    }
}
