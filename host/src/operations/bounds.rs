//! What one call may do: a plugin that always wants more ends with an error that says so.

use std::time::Duration;

use hookport_plugin_api::description::Operation;

use super::CallError;
use super::send::{LONGEST_PAUSE, Reply};
use crate::provider::outgoing::Plan;

/// A plugin may want more so often.
const ROUNDS: usize = 200;
/// Requests of one call, repeats not counted.
const REQUESTS: usize = 2_000;
/// Bytes of the answers of one call.
const BYTES: usize = 64 << 20;
/// Tries where the description does not say how many.
pub(super) const TRIES: u32 = 3;

/// What one call may still do.
pub(super) struct Bounds {
    rounds: usize,
    requests: usize,
    bytes: usize,
    pauses: u32,
}

impl Bounds {
    pub(super) fn new(operation: &Operation) -> Self {
        let pauses = operation.attempts.unwrap_or(TRIES).saturating_sub(1);
        Self { rounds: ROUNDS, requests: REQUESTS, bytes: BYTES, pauses }
    }

    pub(super) fn begin_round(&mut self, plans: &[Plan]) -> Result<(), CallError> {
        let end = |what: String| Err(CallError::Endless(what));
        match (self.rounds.checked_sub(1), self.requests.checked_sub(plans.len())) {
            (None, _) => end(format!("its plugin wanted more after {ROUNDS} rounds of requests")),
            (_, None) => end(format!("its plugin wanted more than {REQUESTS} requests")),
            (Some(rounds), Some(requests)) => {
                (self.rounds, self.requests) = (rounds, requests);
                Ok(())
            }
        }
    }

    pub(super) fn count(&mut self, reply: Option<&Reply>) -> Result<(), CallError> {
        let left = self.bytes.checked_sub(reply.map_or(0, Reply::len));
        self.bytes = left.ok_or_else(|| CallError::Endless(format!("its answers exceed {} MiB", BYTES >> 20)))?;
        Ok(())
    }

    pub(super) fn pause(&mut self, seconds: u32) -> Result<Duration, CallError> {
        let pause = Duration::from_secs(seconds.into());
        self.pauses = self.pauses.checked_sub(1).filter(|_| pause <= LONGEST_PAUSE).ok_or(CallError::Later(seconds))?;
        Ok(pause)
    }
}
