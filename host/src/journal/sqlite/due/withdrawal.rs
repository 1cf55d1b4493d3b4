//! Taking deliveries out of memory because their rows change otherwise than by an attempt.
//!
//! First out of memory, so that nobody claims them, then out of the file; where the file fails they are put back.

use std::sync::Arc;

use super::{Due, Open, Place, State};

/// What one transaction takes out and changes; undone unless it is committed.
pub(in crate::journal::sqlite) struct Withdrawal<'d> {
    due: &'d Due,
    out: Vec<(Arc<str>, Place, Open)>,
    /// Flights, and whether they were recalled before.
    flights: Vec<(i64, bool)>,
    /// Flights that were recalled now: what they are where they are given back before this is undone.
    recalled: Vec<(Arc<str>, Place, Open)>,
}

impl Due {
    pub(in crate::journal::sqlite) fn withdrawal(&self) -> Withdrawal<'_> {
        Withdrawal { due: self, out: Vec::new(), flights: Vec::new(), recalled: Vec::new() }
    }
}

impl Withdrawal<'_> {
    /// Nobody claims it from now on; false if somebody has.
    pub(in crate::journal::sqlite) fn take(&mut self, destination: &Arc<str>, place: Place) -> bool {
        let mut state = self.due.state();
        if state.in_flight.contains_key(&place.1) {
            return false;
        }
        self.out.extend(state.take_out(destination, place));
        true
    }

    /// The same; one that somebody has claimed is not put back when it is given back untried. True where it is in flight.
    pub(in crate::journal::sqlite) fn take_or_recall(&mut self, destination: &Arc<str>, place: Place) -> bool {
        let mut state = self.due.state();
        // Under one lock: between two it might be put back.
        let Some(flight) = state.in_flight.get_mut(&place.1) else {
            self.out.extend(state.take_out(destination, place));
            return false;
        };
        let before = std::mem::replace(&mut flight.recalled, true);
        if !before {
            self.recalled.push((flight.destination.clone(), flight.place, flight.open.clone()));
        }
        self.flights.push((place.1, before));
        true
    }

    /// One that is in flight is put back again when it is given back; false if it is in no flight.
    pub(in crate::journal::sqlite) fn resume(&mut self, delivery: i64) -> bool {
        let mut state = self.due.state();
        let Some(flight) = state.in_flight.get_mut(&delivery) else { return false };
        self.flights.push((delivery, std::mem::replace(&mut flight.recalled, false)));
        true
    }

    pub(in crate::journal::sqlite) fn commit(mut self) {
        self.out.clear();
        self.flights.clear();
        self.recalled.clear();
    }
}

impl State {
    /// Beyond the horizon it is in the file only.
    fn take_out(&mut self, destination: &Arc<str>, place: Place) -> Option<(Arc<str>, Place, Open)> {
        let open = self.slots.get_mut(destination)?.ready.remove(&place)?;
        Some((destination.clone(), place, open))
    }
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        let mut state = self.due.state();
        let given_back = self.recalled.drain(..).filter(|(_, place, _)| !state.in_flight.contains_key(&place.1));
        self.out.extend(given_back);
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
