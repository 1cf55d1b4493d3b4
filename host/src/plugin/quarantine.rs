//! Leaving a plugin alone that breaks again and again: its requests are kept undecoded at once, and now and then one of them
//! tries whether it is well again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use super::policy::QuarantineTerms;

/// One plugin's.
#[derive(Debug)]
pub(super) struct Quarantine {
    terms: RwLock<QuarantineTerms>,
    /// Nothing broke lately: nobody needs to look.
    calm: AtomicBool,
    row: Mutex<Row>,
}

/// What broke without anything between.
#[derive(Debug, Default)]
struct Row {
    times: VecDeque<Instant>,
    last: String,
    until: Option<Instant>,
}

/// A change that people should hear of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is left alone from now on.
    Begun { faults: u32, last: String },
    /// It is well again.
    Ended,
}

impl Quarantine {
    pub(super) fn new(terms: QuarantineTerms) -> Self {
        Self { terms: RwLock::new(terms), calm: AtomicBool::new(true), row: Mutex::default() }
    }

    /// From now on by these.
    pub(super) fn retune(&self, terms: QuarantineTerms) {
        *self.terms.write().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    fn terms(&self) -> QuarantineTerms {
        *self.terms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may be made; the error says why not. After a pause one may, and the others wait for what comes of it.
    pub(super) fn admit(&self, now: Instant) -> Result<(), String> {
        if self.calm.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        match row.until {
            Some(until) if now < until => Err(self.words(&row)),
            Some(_) => {
                row.until = now.checked_add(self.terms().pause);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A call gave what it should, or said no in good order; or somebody wants it tried again now.
    pub(super) fn went_well(&self) -> Option<Turn> {
        if self.calm.load(Ordering::Acquire) {
            return None;
        }
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *row);
        self.calm.store(true, Ordering::Release);
        before.until.map(|_| Turn::Ended)
    }

    /// A call broke.
    pub(super) fn broke(&self, what: &str, now: Instant) -> Option<Turn> {
        let terms = self.terms();
        let most = usize::try_from(terms.faults).unwrap_or(usize::MAX);
        if most == 0 {
            return None;
        }
        let mut row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        self.calm.store(false, Ordering::Release);
        what.clone_into(&mut row.last);
        while row.times.len() >= most {
            row.times.pop_front();
        }
        row.times.push_back(now);
        let first = row.times.front().copied().unwrap_or(now);
        let full = row.times.len() == most && now.saturating_duration_since(first) <= terms.within;
        if row.until.is_some() || !full {
            return None;
        }
        row.until = now.checked_add(terms.pause);
        Some(Turn::Begun { faults: terms.faults, last: row.last.clone() })
    }

    /// Why it is left alone, if it is.
    pub(super) fn reason(&self) -> Option<String> {
        if self.calm.load(Ordering::Acquire) {
            return None;
        }
        let row = self.row.lock().unwrap_or_else(PoisonError::into_inner);
        row.until.map(|_| self.words(&row))
    }

    fn words(&self, row: &Row) -> String {
        let QuarantineTerms { faults, within, .. } = self.terms();
        let within = humantime::format_duration(within);
        format!("{faults} broken calls in a row within {within}, the last: {}", row.last)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn quarantine(faults: u32) -> Quarantine {
        let (within, pause) = (Duration::from_secs(60), Duration::from_secs(30));
        Quarantine::new(QuarantineTerms { faults, within, pause })
    }

    #[test]
    fn so_many_in_a_row_end_it_and_one_that_went_well_begins_anew() {
        let (quarantine, now) = (quarantine(3), Instant::now());
        assert_eq!((quarantine.broke("a", now), quarantine.broke("b", now)), (None, None));
        assert_eq!(quarantine.went_well(), None);
        assert_eq!((quarantine.broke("a", now), quarantine.broke("b", now)), (None, None));
        assert!(quarantine.admit(now).is_ok() && quarantine.reason().is_none());
        assert_eq!(quarantine.broke("c", now), Some(Turn::Begun { faults: 3, last: "c".into() }));
        assert!(quarantine.admit(now).unwrap_err().contains("3 broken calls in a row within 1m, the last: c"));
    }

    #[test]
    fn other_terms_hold_from_the_next_call_on() {
        let (of_three, now) = (quarantine(3), Instant::now());
        assert_eq!((of_three.broke("a", now), of_three.broke("b", now)), (None, None));
        of_three.retune(*quarantine(2).terms.read().unwrap());
        assert_eq!(of_three.broke("c", now), Some(Turn::Begun { faults: 2, last: "c".into() }));
        let none = QuarantineTerms { faults: 0, ..QuarantineTerms::default() };
        of_three.retune(none);
        assert_eq!(of_three.went_well(), Some(Turn::Ended));
        assert!((0..9).all(|_| of_three.broke("d", now).is_none()) && of_three.admit(now).is_ok());
    }

    #[test]
    fn slow_rows_are_none() {
        let (quarantine, now) = (quarantine(2), Instant::now());
        let turns = (0..9).map(|n| quarantine.broke("x", now + Duration::from_secs(61 * n)));
        assert!(turns.into_iter().all(|turn| turn.is_none()));
    }

    #[test]
    fn after_the_pause_one_tries_and_its_luck_is_everybodys() {
        let (quarantine, now) = (quarantine(1), Instant::now());
        assert!(quarantine.broke("x", now).is_some());
        let later = now + Duration::from_secs(30);
        assert!(quarantine.admit(now).is_err());
        assert!(quarantine.admit(later).is_ok() && quarantine.admit(later).is_err());
        assert_eq!(quarantine.broke("y", later), None, "it is told once");
        let later = later + Duration::from_secs(30);
        assert!(quarantine.admit(later).is_ok());
        assert_eq!(quarantine.went_well(), Some(Turn::Ended));
        assert!(quarantine.admit(later).is_ok() && quarantine.reason().is_none());
    }

    #[test]
    fn none_are_left_alone_where_nobody_wants_it() {
        let (quarantine, now) = (quarantine(0), Instant::now());
        assert!((0..99).all(|_| quarantine.broke("x", now).is_none()) && quarantine.admit(now).is_ok());
    }
}
