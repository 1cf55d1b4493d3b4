//! What is asked of a supervisor, and a call while it is under way.

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::plugin::Fault;

/// What is asked of a supervisor.
pub(super) enum Order {
    /// A call, as a message.
    Call(Job),
    /// That a worker be there; says what keeps it from it.
    Start(oneshot::Sender<Result<(), String>>),
    /// That no call comes any more.
    Quiesce(Vec<u8>),
}

/// A call under way.
pub(super) struct Job {
    pub(super) call: u64,
    pub(super) frame: Vec<u8>,
    /// Gone when it was answered before its time.
    pub(super) answer: Option<oneshot::Sender<Result<Vec<u8>, Fault>>>,
    pub(super) arrived: Instant,
    /// How it ended a worker before.
    pub(super) ended: Option<String>,
}

impl Job {
    /// Answers it.
    pub(super) fn settle(mut self, outcome: Result<Vec<u8>, Fault>) {
        // Whoever went away needs no answer.
        let _ = self.answer.take().map(|answer| answer.send(outcome));
    }

    /// Whether anybody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }
}
