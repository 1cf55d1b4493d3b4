//! What an engine tells of its work while it works, for whoever counts. It is told by the thread or task that works, so it
//! must neither wait nor take a lock.

use std::time::Duration;

/// Hears of commits; handed to an engine when it is opened.
pub trait Observer: Send + Sync + 'static {
    /// A group of requests is durable: their acks follow.
    fn committed(&self, group: Committed);

    /// A group of requests could not be kept; those who wait for them are told to come again.
    fn failed(&self);
}

/// One transaction of the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// How many requests it kept; at least one.
    pub requests: usize,
    /// From its first statement until it was durable; how long the requests had waited for it is not in it.
    pub took: Duration,
}

/// Nobody counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn committed(&self, _group: Committed) {}

    fn failed(&self) {}
}
