//! Counters by the words of a closed list, so that no request can make a new one.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

/// A closed list of words.
pub trait Label: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// As it is written on the page.
    fn word(self) -> &'static str;

    /// Its place in the list.
    fn place(self) -> usize;
}

/// One counter for each word.
#[derive(Debug)]
pub struct Counts<L> {
    counters: Box<[AtomicU64]>,
    label: PhantomData<fn(L)>,
}

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        Self { counters: L::ALL.iter().map(|_| AtomicU64::new(0)).collect(), label: PhantomData }
    }
}

impl<L: Label> Counts<L> {
    /// One more.
    pub fn count(&self, label: L) {
        if let Some(counter) = self.counters.get(label.place()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every word with its number.
    pub fn counted(&self) -> impl Iterator<Item = (&'static str, u64)> {
        L::ALL.iter().zip(&self.counters).map(|(label, counter)| (label.word(), counter.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
pub(super) fn is_in_order<L: Label>() -> bool {
    L::ALL.iter().enumerate().all(|(place, label)| label.place() == place)
}
