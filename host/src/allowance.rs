//! How much a source takes at once and in a time: who sends more is told to come again, and costs little.

use std::sync::Arc;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a source takes; everything, unless something was said.
#[derive(Debug, Default)]
pub struct Allowance {
    rate: Option<DefaultDirectRateLimiter>,
    at_once: Option<Arc<Semaphore>>,
}

impl Allowance {
    /// So many in a time, and so many at once.
    pub fn new(rate: Option<Quota>, at_once: Option<usize>) -> Self {
        let places = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { rate: rate.map(RateLimiter::direct), at_once: at_once.map(places) }
    }

    /// A request's turn, to be held until it is answered; or what it is too much for.
    pub fn take(&self) -> Result<Option<OwnedSemaphorePermit>, &'static str> {
        let turn = self.at_once.as_ref().map(|places| places.clone().try_acquire_owned()).transpose();
        let turn = turn.map_err(|_| "the source has max_in_flight requests under way")?;
        match &self.rate {
            Some(rate) if rate.check().is_err() => Err("the source's rate is exceeded"),
            _ => Ok(turn),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn what_is_too_much_waits_for_a_turn() {
        let allowance = Allowance::new(None, Some(2));
        let turns = (allowance.take(), allowance.take());
        assert!(turns.0.is_ok() && turns.1.is_ok() && allowance.take().is_err());
        drop(turns);
        assert!(allowance.take().is_ok());
    }

    #[test]
    fn a_burst_passes_and_then_the_pace_counts() {
        let allowance = Allowance::new(Some(Quota::per_hour(NonZeroU32::MIN.saturating_add(2))), None);
        assert_eq!((0..10).filter(|_| allowance.take().is_ok()).count(), 3);
    }
}
