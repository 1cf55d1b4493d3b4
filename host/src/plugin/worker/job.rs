//! What is asked of a supervisor, and a call while it is under way.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::lane::Place;
use crate::plugin::{Fault, FaultKind};

/// What is asked of a supervisor.
pub(super) enum Order {
    /// A call, as a message.
    Call(Job),
    /// That a worker be there; says what keeps it from it.
    Start(oneshot::Sender<Result<(), String>>),
    /// That no call comes any more.
    Quiesce,
}

/// A call under way.
pub(super) struct Job {
    pub(super) call: u64,
    pub(super) frame: Bytes,
    /// Gone when it was answered before its time.
    pub(super) answer: Option<oneshot::Sender<Result<Bytes, Fault>>>,
    pub(super) arrived: Instant,
    /// It ended a worker before.
    pub(super) ended_one: bool,
    /// Its share of what a lane holds, for as long as it is held.
    pub(super) _place: Place,
}

impl Job {
    /// Answers it, if nobody did.
    pub(super) fn settle(&mut self, outcome: Result<Bytes, Fault>) {
        // Whoever went away needs no answer.
        let _ = self.answer.take().map(|answer| answer.send(outcome));
    }

    /// Whether it waits until then, which is no longer than this; if not, it is answered.
    pub(super) fn can_wait(&mut self, patience: Duration, until: Instant, why: &str) -> bool {
        let can_wait = until <= self.arrived + patience;
        if !can_wait {
            let words = format!("its worker was lost and is not started again yet: {why}");
            self.settle(Err(Fault::new(FaultKind::Lost, words)));
        }
        can_wait
    }

    /// Whether anybody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }
}
