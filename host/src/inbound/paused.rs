//! The sources that an operator has paused: their senders are asked to come again.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::reason::{Reason, Rejection};

/// Shared by who answers and who pauses; also a source that is not configured may be in it.
#[derive(Debug, Default)]
pub struct PausedSources(ArcSwap<HashSet<Arc<str>>>);

impl PausedSources {
    /// From now on this source takes nothing.
    pub fn pause(&self, source: &str) {
        self.0.rcu(|names| {
            let mut names = HashSet::clone(names);
            names.insert(source.into());
            names
        });
    }

    /// It takes requests again.
    pub fn resume(&self, source: &str) {
        self.0.rcu(|names| {
            let mut names = HashSet::clone(names);
            names.remove(source);
            names
        });
    }

    /// Whether it takes nothing.
    pub fn is_paused(&self, source: &str) -> bool {
        self.0.load().contains(source)
    }

    /// Refuses what comes for a source that is paused.
    pub(super) fn pass(&self, source: &str) -> Result<(), Rejection> {
        match self.is_paused(source) {
            true => Err(Rejection::new(Reason::Unavailable, "the source is paused by an operator")),
            false => Ok(()),
        }
    }
}
