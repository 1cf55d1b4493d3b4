//! The calls of a plugin over all its builds: a reload begins new counters, and a sum must never go back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Code;
use super::counters::{Counted, Counters};

/// By plugin, since the process began.
#[derive(Debug, Default)]
pub struct Tallies(Mutex<BTreeMap<Arc<str>, Tally>>);

#[derive(Debug, Default)]
struct Tally {
    /// Of builds that are gone.
    before: Counted,
    /// Of those that somebody may still call.
    now: Vec<Arc<Counters>>,
}

impl Tallies {
    /// From now on its calls count.
    pub fn follow(&self, code: &Code) {
        let (plugin, counters) = code.counted_as();
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry(plugin.clone()).or_default();
        tally.fold();
        if !tally.now.iter().any(|known| Arc::ptr_eq(known, counters)) {
            tally.now.push(counters.clone());
        }
    }

    /// All calls of a plugin.
    pub fn counted(&self, plugin: &str) -> Counted {
        let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tally) = tallies.get_mut(plugin) else { return Counted::default() };
        tally.fold();
        tally.now.iter().fold(tally.before, |sum, counters| sum.and(counters.counted()))
    }
}

impl Tally {
    /// Nobody but us has them any more, so they are final.
    fn fold(&mut self) {
        let (gone, now): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.now).into_iter().partition(|counters| Arc::strong_count(counters) == 1);
        self.before = gone.iter().fold(self.before, |sum, counters| sum.and(counters.counted()));
        self.now = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_never_goes_back_when_builds_go() {
        let mut tally = Tally::default();
        let (old, new) = (Arc::new(Counters::default()), Arc::new(Counters::default()));
        tally.now = vec![old.clone(), new.clone()];
        for counters in [&old, &old, &new] {
            counters.begin().end(None);
        }
        let seconds = old.counted().seconds + new.counted().seconds;
        drop(old);
        tally.fold();
        assert_eq!((tally.before.calls, tally.now.len()), (2, 1));
        let sum = tally.before.and(new.counted());
        assert_eq!((sum.calls, sum.seconds), (3, seconds));
    }
}
