//! What is kept, looked at with what the gateway is now.

use jiff::Timestamp;

use crate::admin;
use crate::clock::Clock;
use crate::config::Config;

/// The gateway as a replay needs it.
pub(super) struct Again {
    clock: Clock,
    destinations: Vec<String>,
}

impl Again {
    pub(super) fn new(config: &Config, clock: &Clock) -> Self {
        Self { clock: clock.clone(), destinations: config.destinations.keys().cloned().collect() }
    }
}

impl admin::Again for Again {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn destinations(&self) -> Vec<String> {
        self.destinations.clone()
    }
}
