//! A journal in memory that shows every settlement and fails on demand. What is durable is tested with the real one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hookport::event::Event;
use hookport::journal::{
    Attempt, Backlog, Capture, CaptureFilter, Claimed, Counted, Delivery, DeliveryFilter, Erased, EventDetail,
    EventFilter, Journal, JournalError, NewCapture, NewRejected, NewRequest, Outcome, Pausable, Paused, Pending, Plan,
    Recorded, Redelivered, Rejected, RejectionFilter, Replay, Settled, Shrunk, Stats, StoredRequest,
};
use hookport::request::Incoming;
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

/// A delivery as the ledger knows it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) destination: String,
    pub(crate) event: Arc<Event>,
    pub(crate) request: Arc<Incoming>,
    pub(crate) in_flight: bool,
    /// Cancelled after it was claimed.
    pub(crate) recalled: bool,
    /// From when a deadline counts, if not its event's arrival.
    pub(crate) since: Option<Timestamp>,
    /// `None` when it has ended.
    pub(crate) due: Option<Timestamp>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) outcomes: Vec<Outcome>,
}

#[derive(Default)]
pub(crate) struct Ledger {
    rows: Mutex<Vec<Row>>,
    recorded: Mutex<Vec<String>>,
    notices: Mutex<HashMap<String, Arc<Notify>>>,
    /// So many claims and settlements fail before one succeeds.
    pub(crate) failures: AtomicUsize,
}

impl Ledger {
    pub(crate) fn add(&self, destination: &str, event: Event, request: Incoming) -> usize {
        let mut rows = self.rows.lock().unwrap();
        rows.push(Row {
            destination: destination.into(),
            due: Some(event.received),
            event: Arc::new(event),
            request: Arc::new(request),
            in_flight: false,
            recalled: false,
            since: None,
            attempts: Vec::new(),
            outcomes: Vec::new(),
        });
        self.due(destination).notify_one();
        rows.len() - 1
    }

    pub(crate) fn recall(&self, number: usize) {
        self.rows.lock().unwrap()[number].recalled = true;
    }

    pub(crate) fn row(&self, number: usize) -> Row {
        self.rows.lock().unwrap()[number].clone()
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        self.rows.lock().unwrap().clone()
    }

    /// The types of the events that were recorded.
    pub(crate) fn recorded(&self) -> Vec<String> {
        self.recorded.lock().unwrap().clone()
    }

    fn fails(&self) -> Option<JournalError> {
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        fails.ok().map(|left| match left % 2 {
            0 => JournalError::Busy,
            _ => JournalError::Failed { place: "memory".into(), message: "on demand".into() },
        })
    }
}

impl Journal for Ledger {
    fn claim(&self, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>> {
        if let Some(error) = self.fails() {
            return Pending::ready(Err(error));
        }
        let mut rows = self.rows.lock().unwrap();
        let due = |row: &Row| row.destination == destination && !row.in_flight && row.due.is_some_and(|due| due <= now);
        let claimed = rows.iter_mut().enumerate().filter(|(_, row)| due(row)).take(limit).map(|(number, row)| {
            row.in_flight = true;
            let attempt = row.attempts.len() as u32 + 1;
            let since = row.since.unwrap_or(row.event.received);
            Claimed { delivery: number as u64, attempt, since, event: row.event.clone(), request: row.request.clone() }
        });
        Pending::ready(Ok(claimed.collect()))
    }

    fn settle(&self, settled: Vec<Settled>) -> Pending<()> {
        let error = self.fails();
        let mut rows = self.rows.lock().unwrap();
        // What is given back is back at once, also where nothing can be written.
        let done = |settled: &Settled| error.is_none() || settled.outcome == Outcome::Released;
        for Settled { delivery, attempt, outcome } in settled.into_iter().filter(done) {
            let row = &mut rows[delivery as usize];
            assert!(row.in_flight, "only what was claimed is settled, and once");
            row.in_flight = false;
            row.due = match outcome {
                Outcome::Delivered | Outcome::Exhausted(_) | Outcome::Held(_) => None,
                Outcome::Retry(at) => Some(at),
                Outcome::Released => row.due.filter(|_| !row.recalled),
            };
            if outcome != Outcome::Released {
                row.attempts.push(attempt);
            }
            row.outcomes.push(outcome);
        }
        Pending::ready(error.map_or(Ok(()), Err))
    }

    fn recalled(&self, delivery: u64) -> bool {
        self.rows.lock().unwrap()[delivery as usize].recalled
    }

    fn due(&self, destination: &str) -> Arc<Notify> {
        self.notices.lock().unwrap().entry(destination.into()).or_default().clone()
    }

    fn next_due(&self, destination: &str) -> Option<Timestamp> {
        let rows = self.rows.lock().unwrap();
        rows.iter().filter(|row| row.destination == destination && !row.in_flight).filter_map(|row| row.due).min()
    }

    fn record(&self, request: NewRequest) -> Pending<Recorded> {
        if let Some(error) = self.fails() {
            return Pending::ready(Err(error));
        }
        let kinds = request.events.into_iter().map(|event| event.kind);
        self.recorded.lock().unwrap().extend(kinds);
        Pending::ready(Ok(Recorded::Accepted(Vec::new())))
    }
    fn record_by(&self, _: &dyn Plan, _: NewRequest) -> Pending<Recorded> {
        not_kept()
    }
    fn replan(&self, _: Arc<dyn Plan>) {}
    fn reject(&self, _: NewRejected) {}
    fn retry(&self, _: DeliveryFilter) -> Pending<u64> {
        not_kept()
    }
    fn erase(&self, _: EventFilter, _: bool) -> Pending<Erased> {
        not_kept()
    }
    fn cancel(&self, _: DeliveryFilter) -> Pending<u64> {
        not_kept()
    }
    fn events(&self, _: EventFilter) -> Pending<Vec<Event>> {
        not_kept()
    }
    fn event(&self, _: Uuid) -> Pending<Option<EventDetail>> {
        not_kept()
    }
    fn deliveries(&self, _: DeliveryFilter) -> Pending<Vec<Delivery>> {
        not_kept()
    }
    fn rejections(&self, _: RejectionFilter) -> Pending<Vec<Rejected>> {
        not_kept()
    }
    fn redeliver(&self, _: Replay) -> Pending<Redelivered> {
        not_kept()
    }
    fn requests(&self, _: EventFilter) -> Pending<Vec<StoredRequest>> {
        not_kept()
    }
    fn count(&self, _: Counted) -> Pending<u64> {
        not_kept()
    }
    fn released(&self, _: Vec<u64>) -> Pending<u64> {
        not_kept()
    }
    fn erase_rejections(&self, _: Vec<u64>) -> Pending<u64> {
        not_kept()
    }
    fn rejection(&self, _: u64) -> Pending<Option<(Rejected, Option<Incoming>)>> {
        not_kept()
    }
    fn stats(&self) -> Pending<Stats> {
        not_kept()
    }
    fn poll_state(&self, _: &str) -> Pending<Option<Bytes>> {
        not_kept()
    }
    fn capture(&self, _: NewCapture) -> Pending<()> {
        not_kept()
    }
    fn captures(&self) -> Pending<Vec<Capture>> {
        not_kept()
    }
    fn confirm(&self, _: CaptureFilter) -> Pending<Option<Capture>> {
        not_kept()
    }
    fn discard(&self, _: CaptureFilter) -> Pending<u64> {
        not_kept()
    }
    fn retain(&self, _: Timestamp) -> Pending<u64> {
        not_kept()
    }
    fn shrink(&self, _: u64) -> Pending<Shrunk> {
        not_kept()
    }
    fn vacuum(&self) -> Pending<u64> {
        not_kept()
    }
    fn ready(&self) -> Pending<()> {
        Pending::ready(self.fails().map_or(Ok(()), Err))
    }
    fn pause(&self, _: Pausable, _: &str) -> Pending<Timestamp> {
        not_kept()
    }
    fn resume(&self, _: Pausable, _: &str) -> Pending<bool> {
        not_kept()
    }
    fn paused(&self) -> Pending<Vec<Paused>> {
        not_kept()
    }
    fn backlog(&self) -> Pending<Vec<Backlog>> {
        not_kept()
    }
    fn close(&self) -> Pending<()> {
        Pending::ready(Ok(()))
    }
}

/// Outbound asks for none of these.
fn not_kept<T>() -> Pending<T> {
    Pending::ready(Err(JournalError::Closed))
}
