//! The embedded engine: one SQLite file, one writer thread that commits groups, readers beside it.
//!
//! How it does what the trait asks is in `engine`. `record` is prepared on the caller's thread, decided and inserted by the writer, and answered after the group's sync.
//! What is due lives in memory and is reloaded from the file; which event goes where is the [`Plan`]'s.

mod answer;
mod cancel;
mod capture;
mod checkpoint;
mod chore;
mod claim;
mod columns;
mod copies;
mod dedup;
mod delete;
mod due;
mod engine;
mod erase;
mod family;
mod filter;
mod folder;
mod go_back;
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
mod stored;
mod sum;
mod walk;
mod wipe;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;

pub use self::limits::{Limits, Synced};
pub use self::open::{OpenError, open};
pub use self::outside::{Checked, Count, Problem, Progress, backup, check, pack, stats};
#[cfg(feature = "postgres")]
pub(super) use self::outside::{Reader, meta, reader};
pub use super::seal::Vault;
use super::{JournalError, Listener, Observer, Pending, Plan, Unobserved};
use crate::clock::Clock;

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
    /// Hears of commits.
    pub observer: Arc<dyn Observer>,
}

impl Options {
    /// With the default limits.
    pub fn new(path: impl Into<PathBuf>, clock: Clock, plan: Arc<dyn Plan>) -> Self {
        let (path, limits, observer) = (path.into(), Limits::default(), Arc::new(Unobserved));
        Self { path, clock, plan, limits, vault: None, observer }
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
    observer: Arc<dyn Observer>,
    queue: queue::Queue,
    due: due::Due,
    readers: readers::Readers,
    /// Rejections kept, and those that were not.
    rejections: AtomicU64,
    dropped: AtomicU64,
    /// Who hears of deliveries that are given up here.
    listener: OnceLock<Listener>,
    /// A sync failed: what is in memory may not be in the file.
    broken: Arc<AtomicBool>,
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
            let _ = self.queue.push_chore(chore::Chore::Leave(gone));
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
