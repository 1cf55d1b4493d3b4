//! What is in flight: taken by a claim, until its outcome is committed or it is put back.

use std::sync::Arc;

use super::{Due, Open, Place, State};
use crate::journal::OrderKey;

/// With so few in memory the file is asked for more, where it has more.
const LOW: usize = 1_024;

/// A delivery that was claimed.
pub(super) struct Flight {
    pub(super) destination: Arc<str>,
    pub(super) place: Place,
    pub(super) open: Open,
    pub(super) settling: bool,
    /// Cancelled meanwhile: it is not put back.
    pub(super) recalled: bool,
}

/// What a claim took.
pub(in crate::journal::sqlite) struct Taken {
    pub(in crate::journal::sqlite) delivery: i64,
    pub(in crate::journal::sqlite) open: Open,
    /// When its destination's last pause ended.
    pub(in crate::journal::sqlite) resumed: i64,
}

impl Due {
    /// Takes what is due into flight; true if the file has more and should be asked.
    pub(in crate::journal::sqlite) fn take(&self, destination: &str, limit: usize, now: i64) -> (Vec<Taken>, bool) {
        let mut state = self.state();
        let State { slots, in_flight, .. } = &mut *state;
        let Some((name, slot)) = slots.get_key_value(destination).map(|(name, _)| name.clone()).and_then(|name| {
            let slot = slots.get_mut(&name)?;
            Some((name, slot))
        }) else {
            return (Vec::new(), false);
        };
        let mut taken = Vec::new();
        while taken.len() < limit {
            // In turns: new deliveries lie before all retries, and must not hold them up for ever.
            let retry = (taken.len() % 2 == 1).then(|| slot.first_retry(now)).flatten();
            let Some(place) = retry.or_else(|| slot.first(now)) else { break };
            let Some(open) = slot.ready.remove(&place) else { break };
            let mut settled_copy = open.clone();
            settled_copy.cached = None;
            let flight =
                Flight { destination: name.clone(), place, open: settled_copy, settling: false, recalled: false };
            in_flight.insert(place.1, flight);
            taken.push(Taken { delivery: place.1, open, resumed: slot.resumed });
        }
        let low = slot.horizon.is_some() && slot.ready.len() <= LOW.min(self.limit / 4) && !slot.refilling;
        slot.refilling |= low;
        (taken, low)
    }

    /// Marks a delivery as being settled; `None` if it is not in flight, or is settled already.
    pub(in crate::journal::sqlite) fn settling(&self, delivery: i64) -> Option<(Arc<str>, Open)> {
        let mut state = self.state();
        let flight = state.in_flight.get_mut(&delivery).filter(|flight| !flight.settling)?;
        flight.settling = true;
        Some((flight.destination.clone(), flight.open.clone()))
    }

    /// Their outcomes could not be written: they are in flight as before, and may be settled again.
    pub(in crate::journal::sqlite) fn unsettled(&self, deliveries: impl IntoIterator<Item = i64>) {
        let mut state = self.state();
        for delivery in deliveries {
            if let Some(flight) = state.in_flight.get_mut(&delivery) {
                flight.settling = false;
            }
        }
    }

    /// Puts untried deliveries back where they were. Says which were the first of a key and were cancelled in flight.
    #[must_use]
    pub(in crate::journal::sqlite) fn put_back(
        &self,
        deliveries: impl IntoIterator<Item = i64>,
    ) -> Vec<(Arc<str>, OrderKey, i64)> {
        let mut state = self.state();
        let mut left = Vec::new();
        for delivery in deliveries {
            let Some(flight) = state.in_flight.remove(&delivery) else { continue };
            if flight.recalled {
                left.extend(flight.open.order.map(|key| (flight.destination, key, delivery)));
                continue;
            }
            let slot = state.slot(&flight.destination);
            // Its place is before the horizon whatever the bound says: the file's refill starts at the horizon.
            slot.ready.insert(flight.place, flight.open);
            slot.notify.notify_one();
        }
        left
    }

    /// Ends flights whose outcome is committed; those with a time are due again then.
    pub(in crate::journal::sqlite) fn landed(&self, outcomes: Vec<(i64, Option<i64>)>) {
        let mut state = self.state();
        for (delivery, next) in outcomes {
            let Some(mut flight) = state.in_flight.remove(&delivery) else { continue };
            let Some(next) = next else { continue };
            flight.open.attempts += 1;
            let slot = state.slot(&flight.destination);
            slot.insert((next, delivery), flight.open, self.limit);
            slot.notify.notify_one();
        }
    }

    /// Says again which of those in flight were cancelled.
    pub(in crate::journal::sqlite) fn recalled(&self, flights: impl IntoIterator<Item = (i64, bool)>) {
        let mut state = self.state();
        for (delivery, recalled) in flights {
            if let Some(flight) = state.in_flight.get_mut(&delivery) {
                flight.recalled = recalled;
            }
        }
    }

    pub(in crate::journal::sqlite) fn is_in_flight(&self, delivery: i64) -> bool {
        self.state().in_flight.contains_key(&delivery)
    }

    pub(in crate::journal::sqlite) fn is_recalled(&self, delivery: i64) -> bool {
        self.state().in_flight.get(&delivery).is_some_and(|flight| flight.recalled)
    }

    /// The deliveries in flight, for those who look at the file.
    pub(in crate::journal::sqlite) fn in_flight(&self) -> Vec<i64> {
        self.state().in_flight.keys().copied().collect()
    }
}
