//! The rest that a lane takes when the journal could not: longer each time, forgotten when it can again.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Rest {
    until: Option<Instant>,
    times: u32,
}

impl Rest {
    /// Begins, and says how long it is.
    pub(super) fn begin(&mut self) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.times.min(16)).min(LONGEST);
        self.times += 1;
        self.until = Some(Instant::now() + wait);
        wait
    }

    pub(super) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Waits for the end of a rest that is on.
    pub(super) async fn over(&self) {
        match self.until {
            Some(end) => sleep_until(end).await,
            None => pending().await,
        }
    }

    pub(super) fn end(&mut self) {
        self.until = None;
    }

    /// The journal can again.
    pub(super) fn forget(&mut self) {
        self.times = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_grows_and_is_forgotten() {
        let mut rest = Rest::default();
        let waits: Vec<u128> = (0..9).map(|_| rest.begin().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        rest.forget();
        assert_eq!(rest.begin(), FIRST);
    }
}
