//! How attempts ended. Rides in the next group; what could not be written stays in flight, and its caller settles it again.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::answer::Sender;
use super::rows::{DELIVERED, EXHAUSTED, RETRYING};
use super::seal::Vault;
use super::{Shared, due};
use crate::journal::{Attempt, JournalError, Outcome, Pending, Settled};

/// One delivery's outcome on its way to the file.
pub(super) struct Settling {
    delivery: i64,
    open: due::Open,
    attempt: Attempt,
    /// The start of the destination's answer, as the file keeps it.
    text: Value,
    outcome: Outcome,
    answer: Arc<Answer>,
}

/// The caller's answer, shared by the outcomes that it waits for.
struct Answer(std::sync::Mutex<Option<Sender<()>>>);

impl Answer {
    fn give(&self, answer: Result<(), JournalError>) {
        let sender = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(sender) = sender {
            let _ = sender.send(answer);
        }
    }
}

/// When the last outcome is written, the caller is answered.
impl Drop for Answer {
    fn drop(&mut self) {
        self.give(Ok(()));
    }
}

/// Puts released deliveries back at once and queues the rest. Outcomes of deliveries that are not in flight are dropped:
/// they were settled before.
pub(super) fn submit(shared: &Shared, settled: Vec<Settled>) -> Pending<()> {
    let (sender, pending) = Pending::new();
    let answer = Arc::new(Answer(std::sync::Mutex::new(Some(sender))));
    let mut released = Vec::new();
    let mut queued = Vec::with_capacity(settled.len());
    for Settled { delivery, attempt, outcome } in settled {
        let delivery = delivery as i64;
        let Some(open) = shared.due.settling(delivery) else { continue };
        if outcome == Outcome::Released {
            released.push(delivery);
            continue;
        }
        let text = kept(&attempt, shared.vault.as_ref());
        queued.push(Settling { delivery, open, attempt, text, outcome, answer: answer.clone() });
    }
    shared.due.put_back(released);
    if let Err(error) = shared.queue.push_settled(queued) {
        answer.give(Err(error));
    }
    pending
}

/// What a destination answers may repeat what it got.
fn kept(attempt: &Attempt, vault: Option<&Vault>) -> Value {
    match (&attempt.answer, vault) {
        (None, _) => Value::Null,
        (Some(text), None) => text.clone().into(),
        (Some(text), Some(vault)) => vault.wrap(text.as_bytes()).into(),
    }
}

impl Settling {
    /// Writes the attempt and the delivery's new state.
    pub(super) fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        let attempts = self.open.attempts + 1;
        let (state, next, reason) = match &self.outcome {
            Outcome::Delivered => (DELIVERED, None, None),
            Outcome::Retry(at) => (RETRYING, Some(at.as_microsecond()), None),
            Outcome::Exhausted(reason) => (EXHAUSTED, None, Some(reason)),
            Outcome::Released => return Ok(()),
        };
        let attempt = &self.attempt;
        conn.prepare_cached(
            "INSERT INTO attempts (delivery, number, at, took_ms, status, error, answer) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            self.delivery,
            attempts,
            attempt.at.as_microsecond(),
            i64::try_from(attempt.took_ms).unwrap_or(i64::MAX),
            attempt.status,
            attempt.error,
            self.text
        ])?;
        conn.prepare_cached("UPDATE deliveries SET state = ?, attempts = ?, next = ?, reason = ? WHERE id = ?")?
            .execute(params![state, attempts, next, reason, self.delivery])?;
        Ok(())
    }

    /// What memory does once it is committed.
    pub(super) fn landing(&self) -> (i64, Option<i64>) {
        let next = match &self.outcome {
            Outcome::Retry(at) => Some(at.as_microsecond()),
            _ => None,
        };
        (self.delivery, next)
    }

    pub(super) fn delivery(&self) -> i64 {
        self.delivery
    }

    /// It could not be written; the caller hears it, and keeps it.
    pub(super) fn fail(&self, error: &JournalError) {
        self.answer.give(Err(error.clone()));
    }
}
