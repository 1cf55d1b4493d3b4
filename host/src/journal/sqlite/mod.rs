//! The embedded engine: one SQLite file, one writer thread that commits groups, readers beside it.
//!
//! `record` is prepared on the caller's thread, decided and inserted by the writer, and answered after the group's sync.
//! What is due lives in memory and is reloaded from the file; which event goes where is the [`Plan`]'s.

mod answer;
mod cancel;
mod capture;
mod checkpoint;
mod claim;
mod dedup;
mod delete;
mod due;
mod erase;
mod family;
mod filter;
mod folder;
mod group;
mod ids;
mod insert;
mod limits;
mod mark;
mod mend;
mod open;
mod order;
mod outside;
mod pause;
mod prepare;
mod query;
mod queue;
mod readers;
mod refill;
mod reject;
mod replay;
mod retain;
mod retry;
mod rows;
mod runs;
mod schema;
mod seal;
mod settle;
mod space;
mod splice;
mod stored;
mod sum;
mod walk;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use self::capture::Capturing;
pub use self::limits::{Limits, Synced};
pub use self::open::{OpenError, open};
pub use self::outside::{Checked, Count, Problem, Progress, backup, check, pack, stats};
use self::pause::Pausing;
use self::retain::Aim;
pub use self::seal::Vault;
use super::{
    Backlog, Capture, CaptureFilter, Claimed, Counted, Delivery, DeliveryFilter, Erased, EventDetail, EventFilter,
    Journal, JournalError, NewCapture, NewRejected, NewRequest, Pausable, Paused, Pending, Plan, Recorded, Redelivered,
    Rejected, RejectionFilter, Replay, Settled, Shrunk, Stats, StoredRequest,
};
use crate::clock::Clock;
use crate::event::Event;
use crate::request::Incoming;

/// What an embedded journal is opened with.
#[derive(Clone)]
pub struct Options {
    /// The folder; made if missing.
    pub path: PathBuf,
    /// The time of day.
    pub clock: Clock,
    /// Chooses destinations; sees events before they have an id.
    pub plan: Arc<dyn Plan>,
    /// Bounds of memory and of what is kept.
    pub limits: Limits,
    /// Seals content; without one it is kept in plain text.
    pub vault: Option<Vault>,
}

impl Options {
    /// With the default limits.
    pub fn new(path: impl Into<PathBuf>, clock: Clock, plan: Arc<dyn Plan>) -> Self {
        Self { path: path.into(), clock, plan, limits: Limits::default(), vault: None }
    }
}

/// An open journal. Dropping it finishes what is queued.
pub struct Sqlite {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer, the readers and the callers share.
struct Shared {
    /// The database file, for messages.
    place: String,
    file: PathBuf,
    clock: Clock,
    plan: ArcSwap<Arc<dyn Plan>>,
    limits: Limits,
    vault: Option<Vault>,
    queue: queue::Queue,
    due: due::Due,
    readers: readers::Readers,
    /// Rejections kept, and those that were not.
    rejections: AtomicU64,
    dropped: AtomicU64,
    /// A sync failed: what is in memory may not be in the file.
    broken: Arc<AtomicBool>,
}

impl Journal for Sqlite {
    fn record(&self, request: NewRequest) -> Pending<Recorded> {
        self.record_by(&***self.shared.plan.load(), request)
    }

    fn replan(&self, plan: Arc<dyn Plan>) {
        self.shared.plan.store(Arc::new(plan));
    }

    fn record_by(&self, plan: &dyn Plan, request: NewRequest) -> Pending<Recorded> {
        let (answer, pending) = Pending::new();
        let prepared = prepare::prepare(request, plan, self.shared.vault.as_ref());
        match self.shared.queue.push_record(queue::Record { prepared, answer }) {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(error)),
        }
    }

    fn reject(&self, rejected: NewRejected) {
        let kept = reject::Kept::new(rejected, self.shared.limits.rejection_body, self.shared.vault.as_ref());
        if !self.shared.queue.push_rejection(kept) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn claim(&self, destination: &str, limit: usize, now: Timestamp) -> Pending<Vec<Claimed>> {
        claim::claim(&self.shared, destination, limit, now)
    }

    fn settle(&self, settled: Vec<Settled>) -> Pending<()> {
        settle::submit(&self.shared, settled)
    }

    fn due(&self, destination: &str) -> Arc<Notify> {
        self.shared.due.notify(destination)
    }

    fn next_due(&self, destination: &str) -> Option<Timestamp> {
        self.shared.due.next(destination)
    }

    fn retry(&self, filter: DeliveryFilter) -> Pending<u64> {
        self.chore(|answer| queue::Chore::Retry(retry::Retry::new(filter, answer)))
    }

    fn cancel(&self, filter: DeliveryFilter) -> Pending<u64> {
        self.chore(|answer| queue::Chore::Cancel(cancel::Cancel::new(filter, answer)))
    }

    fn redeliver(&self, replay: Replay) -> Pending<Redelivered> {
        let shared = &self.shared;
        self.chore(|answer| {
            queue::Chore::Redeliver(replay::Redeliver::new(
                replay,
                &***shared.plan.load(),
                shared.vault.as_ref(),
                answer,
            ))
        })
    }

    fn requests(&self, filter: EventFilter) -> Pending<Vec<StoredRequest>> {
        self.shared.read(move |conn| stored::requests(conn, &filter))
    }

    fn events(&self, filter: EventFilter) -> Pending<Vec<Event>> {
        self.shared.read(move |conn| query::events(conn, &filter))
    }

    fn event(&self, id: Uuid) -> Pending<Option<EventDetail>> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| query::event(conn, id, &shared.due))
    }

    fn deliveries(&self, filter: DeliveryFilter) -> Pending<Vec<Delivery>> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| query::deliveries(conn, &filter, &shared.due))
    }

    fn rejections(&self, filter: RejectionFilter) -> Pending<Vec<Rejected>> {
        self.shared.read(move |conn| reject::list(conn, &filter))
    }

    fn count(&self, of: Counted) -> Pending<u64> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| query::count(conn, &of, &shared.due))
    }

    fn released(&self, rejections: Vec<u64>) -> Pending<u64> {
        self.chore(|answer| queue::Chore::Released(rejections, answer))
    }

    fn rejection(&self, id: u64) -> Pending<Option<(Rejected, Option<Incoming>)>> {
        self.shared.read(move |conn| reject::show(conn, id))
    }

    fn stats(&self) -> Pending<Stats> {
        let shared = self.shared.clone();
        self.shared.read(move |conn| {
            let rejections = shared.rejections.load(Ordering::Relaxed);
            let rejections_dropped = shared.dropped.load(Ordering::Relaxed);
            Ok(Stats { rejections, rejections_dropped, ..query::stats(conn, &shared.file)? })
        })
    }

    fn poll_state(&self, poll: &str) -> Pending<Option<Bytes>> {
        let poll = poll.to_owned();
        self.shared.read(move |conn| query::poll_state(conn, &poll))
    }

    fn capture(&self, new: NewCapture) -> Pending<()> {
        self.chore(|answer| queue::Chore::Capturing(Capturing::Keep(new, answer)))
    }

    fn captures(&self) -> Pending<Vec<Capture>> {
        self.shared.read(capture::list)
    }

    fn confirm(&self, which: CaptureFilter) -> Pending<Option<Capture>> {
        self.chore(|answer| queue::Chore::Capturing(Capturing::Confirm(which, answer)))
    }

    fn discard(&self, which: CaptureFilter) -> Pending<u64> {
        self.chore(|answer| queue::Chore::Capturing(Capturing::Discard(which, answer)))
    }

    fn erase(&self, filter: EventFilter, dry: bool) -> Pending<Erased> {
        self.chore(|answer| queue::Chore::Erase(erase::Erase::new(filter, dry, answer)))
    }

    fn retain(&self, before: Timestamp) -> Pending<u64> {
        self.chore(|answer| queue::Chore::Retain(retain::Retain::new(Aim::Age(before.as_microsecond(), answer))))
    }

    fn shrink(&self, max: u64) -> Pending<Shrunk> {
        self.chore(|answer| queue::Chore::Retain(retain::Retain::new(Aim::Size(max, answer))))
    }

    fn vacuum(&self) -> Pending<u64> {
        self.chore(|answer| queue::Chore::Retain(retain::Retain::new(Aim::Space(answer))))
    }

    fn ready(&self) -> Pending<()> {
        self.chore(queue::Chore::Ready)
    }

    fn pause(&self, kind: Pausable, name: &str) -> Pending<Timestamp> {
        let name = name.to_owned();
        self.chore(|answer| queue::Chore::Pausing(Pausing::Pause(kind, name, answer)))
    }

    fn resume(&self, kind: Pausable, name: &str) -> Pending<bool> {
        let name = name.to_owned();
        self.chore(|answer| queue::Chore::Pausing(Pausing::Resume(kind, name, answer)))
    }

    fn paused(&self) -> Pending<Vec<Paused>> {
        self.shared.read(pause::list)
    }

    fn backlog(&self) -> Pending<Vec<Backlog>> {
        self.shared.read(pause::backlog)
    }

    fn close(&self) -> Pending<()> {
        let (answer, pending) = Pending::new();
        self.shared.queue.close(Some(answer));
        pending
    }
}

impl Sqlite {
    fn chore<T>(&self, chore: impl FnOnce(answer::Sender<T>) -> queue::Chore) -> Pending<T> {
        let (answer, pending) = Pending::new();
        match self.shared.queue.push_chore(chore(answer)) {
            Ok(()) => pending,
            Err(error) => Pending::ready(Err(error)),
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.shared.queue.close(None);
        // Joined, so that the lock is free when the owner opens the folder again.
        if let Some(writer) = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = writer.join();
        }
    }
}

impl Shared {
    /// The engine's error in words; a sync that failed is noted.
    fn failed(&self, error: &rusqlite::Error) -> JournalError {
        if mend::is_failed_sync(error) {
            self.broken.store(true, Ordering::Relaxed);
        }
        answer::failed(&self.place, error)
    }

    /// Gives back what was claimed and not tried.
    fn put_back(&self, deliveries: impl IntoIterator<Item = i64>) {
        for gone in self.due.put_back(deliveries) {
            // A closed journal finds the first of every key when it is opened.
            let _ = self.queue.push_chore(queue::Chore::Leave(gone));
        }
    }

    fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Pending<T> {
        let place = self.place.clone();
        let (answer, pending) = Pending::new();
        self.readers.submit(answer, move |conn| query(conn).map_err(|error| answer::failed(&place, &error)));
        pending
    }
}
