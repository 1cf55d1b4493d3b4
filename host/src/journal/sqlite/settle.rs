//! How attempts ended. Rides in the next group; what could not be written stays in flight, and its caller settles it again.

use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::answer::Sender;
use super::chore::Chore;
use super::insert::Planned;
use super::rows::{DELIVERED, EXHAUSTED, HELD, RETRYING};
use super::{Shared, due, order};
use crate::journal::seal::Vault;
use crate::journal::{Attempt, JournalError, Outcome, Pending, Settled};

/// One delivery's outcome on its way to the file.
pub(super) struct Settling {
    delivery: i64,
    destination: Arc<str>,
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
        let Some((destination, open)) = shared.due.settling(delivery) else { continue };
        if outcome == Outcome::Released {
            released.push(delivery);
            continue;
        }
        let settling = (delivery, destination, open);
        queued.push(Settling::new(shared, settling, attempt, outcome, answer.clone()));
    }
    shared.put_back(released);
    if let Err(error) = shared.queue.push_settled(queued) {
        answer.give(Err(error));
    }
    pending
}

/// Ends deliveries that have nothing to send. Nobody waits for it: the writer tries until it is written.
pub(super) fn give_up(shared: &Shared, lost: Vec<Settled>) {
    let nobody = Arc::new(Answer(std::sync::Mutex::new(None)));
    let ended = lost.into_iter().filter_map(|Settled { delivery, attempt, outcome }| {
        let delivery = delivery as i64;
        let (destination, open) = shared.due.settling(delivery)?;
        Some(Settling::new(shared, (delivery, destination, open), attempt, outcome, nobody.clone()))
    });
    let ended: Vec<_> = ended.collect();
    if !ended.is_empty() {
        // A closed journal finds them again when it is opened.
        let _ = shared.queue.push_chore(Chore::GiveUp(ended));
    }
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
    fn new(
        shared: &Shared,
        (delivery, destination, open): (i64, Arc<str>, due::Open),
        attempt: Attempt,
        outcome: Outcome,
        answer: Arc<Answer>,
    ) -> Self {
        let text = kept(&attempt, shared.vault.as_ref());
        Self { delivery, destination, open, attempt, text, outcome, answer }
    }

    /// Writes the attempt and the delivery's new state; what follows for others of its key joins `due`. Says when memory
    /// is to try it again, once this is committed.
    pub(super) fn write(&self, conn: &Connection, now: i64, due: &mut Planned) -> rusqlite::Result<Option<i64>> {
        let held = |reason: &str| {
            format!("{reason}; it holds its key: what is behind it waits until it is retried or cancelled")
        };
        let (state, mut next, reason) = match (&self.outcome, self.open.order) {
            (Outcome::Delivered, _) => (DELIVERED, None, None),
            (Outcome::Retry(at), _) => (RETRYING, Some(at.as_microsecond()), None),
            (Outcome::Held(reason), Some(_)) => (HELD, None, Some(held(reason))),
            (Outcome::Exhausted(reason) | Outcome::Held(reason), _) => (EXHAUSTED, None, Some(reason.clone())),
            (Outcome::Released, _) => return Ok(None),
        };
        let attempts = self.open.attempts + 1;
        // What was cancelled meanwhile stays so, unless the destination has it.
        let open = "UPDATE deliveries SET state = ?1, attempts = ?2, next = ?3, reason = ?4 \
             WHERE id = ?5 AND (state < 2 OR ?1 = 2)";
        let is_open = conn.prepare_cached(open)?.execute(params![state, attempts, next, reason, self.delivery])? > 0;
        if !is_open {
            next = None;
        }
        let tried = "UPDATE deliveries SET state = 4, attempts = ? WHERE id = ? AND state IN (4, 7)";
        // Retention may have taken what was cancelled, and after a failed sync the file may say what was before.
        if is_open || conn.prepare_cached(tried)?.execute(params![attempts, self.delivery])? > 0 {
            self.write_attempt(conn, attempts)?;
        }
        let Some(key) = &self.open.order else { return Ok(next) };
        if next.is_none() {
            order::hand_over(conn, &self.destination, key, now, due)?;
        } else if order::let_pass(conn, &self.destination, key, (self.delivery, now), due)? {
            next = None;
        }
        Ok(next)
    }

    fn write_attempt(&self, conn: &Connection, number: u32) -> rusqlite::Result<()> {
        let attempt = &self.attempt;
        conn.prepare_cached(
            "INSERT INTO attempts (delivery, number, at, took_ms, status, error, answer) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            self.delivery,
            number,
            attempt.at.as_microsecond(),
            i64::try_from(attempt.took_ms).unwrap_or(i64::MAX),
            attempt.status,
            attempt.error,
            self.text
        ])?;
        Ok(())
    }

    pub(super) fn delivery(&self) -> i64 {
        self.delivery
    }

    /// It could not be written; the caller hears it, and keeps it.
    pub(super) fn fail(&self, error: &JournalError) {
        self.answer.give(Err(error.clone()));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::journal::sqlite::{rows, schema};

    /// The state of a delivery that was in this one when its try failed.
    fn after_a_failed_try(state: i64) -> i64 {
        let conn = Connection::open_in_memory().unwrap();
        schema::prepare(&conn, "memory".as_ref()).unwrap();
        let insert = "INSERT INTO deliveries (id, event, destination, state, attempts, base) VALUES (1, 1, 1, ?, 0, 0)";
        conn.execute(insert, [state]).unwrap();
        let open = due::Open { event: 1, attempts: 0, base: 0, order: None, since: None, cached: None };
        let (at, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(60).unwrap());
        let attempt = Attempt { at, took_ms: 1, status: None, error: None, answer: None };
        let answer = Arc::new(Answer(std::sync::Mutex::new(None)));
        let (destination, outcome) = ("crm".into(), Outcome::Retry(later));
        let settling = Settling { delivery: 1, destination, open, attempt, text: Value::Null, outcome, answer };
        settling.write(&conn, 0, &mut Planned::new()).unwrap();
        conn.query_row("SELECT state FROM deliveries", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn only_what_was_cancelled_ends_as_cancelled() {
        assert_eq!([rows::CANCELLED, rows::LEAVING].map(after_a_failed_try), [rows::CANCELLED; 2]);
        assert_eq!([rows::PENDING, RETRYING].map(after_a_failed_try), [RETRYING; 2]);
        for other in [rows::WAITING, EXHAUSTED, HELD, DELIVERED] {
            assert_eq!(after_a_failed_try(other), other);
        }
    }
}
