//! The engine for many hosts: one schema of a PostgreSQL database, and any number of gateways that share it.
//!
//! Nothing is decided in memory that another host could contradict: dedup, order and whose flight a delivery is are the
//! server's. Memory has what is asked for often and may be wrong for a moment: what is due next, which numbers names have,
//! which flights are this host's own. How the trait is done is in `engine`; what goes wrong is said in `fault` and `open`.

mod capture;
mod change;
mod chores;
mod claim;
mod connect;
pub mod copy;
mod count;
mod deliveries;
mod due;
mod engine;
mod erase;
mod events;
mod family;
mod fault;
mod filter;
mod host;
mod ids;
mod ingest;
mod layout;
mod names;
mod numbers;
mod open;
mod partitions;
mod pause;
mod polls;
mod queue;
mod record;
mod reject;
mod rejecting;
mod replay;
mod retain;
mod rows;
mod settle;
mod space;
mod text;
mod vault;
mod wake;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::sync::watch;

use self::connect::Server;
use self::fault::Fault;
pub use self::open::{OpenError, open};
use super::{Answer, JournalError, Listener, Observer, Pending, Plan, Unobserved, Vault};
use crate::clock::Clock;

/// What a journal in PostgreSQL is opened with.
#[derive(Clone)]
pub struct Options {
    /// `postgres://user:password@host:port/database`, also with several hosts.
    pub url: SecretString,
    /// The schema that the tables are in; made if missing.
    pub schema: String,
    /// Connections of this host at most.
    pub connections: usize,
    /// For so long a host's flights are its own after it last said that it lives.
    pub lease: Duration,
    /// Whom TLS trusts; absent: the authorities of browsers.
    pub tls: Option<ClientConfig>,
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

/// Bounds of memory and of what is kept.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests that may wait for a connection; one more is answered `Busy`.
    pub queue: usize,
    /// Their bytes.
    pub queue_bytes: usize,
    /// Rejections kept, of all hosts.
    pub rejections: u64,
    /// Their bytes.
    pub rejection_bytes: u64,
    /// Bytes of one rejection's body.
    pub rejection_body: usize,
    /// Rejections taken per second.
    pub rejection_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            queue: 16_384,
            queue_bytes: 64 << 20,
            rejections: 10_000,
            rejection_bytes: 64 << 20,
            rejection_body: 64 << 10,
            rejection_rate: 1_000,
        }
    }
}

impl Options {
    /// With the default limits.
    pub fn new(url: impl Into<SecretString>, schema: impl Into<String>, clock: Clock, plan: Arc<dyn Plan>) -> Self {
        Self {
            url: url.into(),
            schema: schema.into(),
            connections: 12,
            lease: Duration::from_secs(15),
            tls: None,
            clock,
            plan,
            limits: Limits::default(),
            vault: None,
            observer: Arc::new(Unobserved),
        }
    }
}

/// An open journal. Dropping it finishes what is queued.
pub struct Postgres {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the engine's tasks and its callers share.
struct Shared {
    /// Server, database and schema, for messages.
    place: String,
    server: Server,
    /// The engine's own, so that it works whatever its callers' runtimes do.
    runtime: tokio::runtime::Handle,
    clock: Clock,
    plan: ArcSwap<Arc<dyn Plan>>,
    limits: Limits,
    vault: Option<Vault>,
    observer: Arc<dyn Observer>,
    queue: queue::Queue,
    names: names::Names,
    due: due::Due,
    host: host::Host,
    wake: wake::Wake,
    rejecting: rejecting::Rejecting,
    /// Groups of requests that are written at the same time.
    groups: usize,
    /// Room for those who only look.
    reading: tokio::sync::Semaphore,
    /// Rejections that could not be kept.
    dropped: AtomicU64,
    /// Who hears of deliveries that are given up here.
    listener: OnceLock<Listener>,
    /// What is under way and has to end before the journal is closed.
    busy: watch::Sender<usize>,
    closing: watch::Sender<bool>,
    /// Who waits for the end; none any more when it is there.
    closers: Mutex<Option<Vec<Answer<()>>>>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.shared.closing.send_replace(true);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

/// Something is under way for as long as this is there.
struct Busy<'s>(&'s watch::Sender<usize>);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|busy| *busy -= 1);
    }
}

impl Shared {
    /// The engine's error in words.
    fn failed(&self, fault: &Fault) -> JournalError {
        if fault.is_connection() {
            self.server.renew();
        }
        JournalError::Failed { place: self.place.clone(), message: fault.words() }
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    fn now(&self) -> i64 {
        self.clock.now().as_microsecond()
    }

    /// Does something on the engine's own thread, before the journal is closed.
    fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let shared = self.clone();
        // Counted here: the task may begin when the journal is closing already.
        self.busy.send_modify(|busy| *busy += 1);
        self.runtime.spawn(async move {
            let _busy = Busy(&shared.busy);
            work.await;
        });
    }

    /// The same, and answers with what comes of it.
    fn ask<T, F>(self: &Arc<Self>, what: impl FnOnce(Arc<Self>) -> F) -> Pending<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        if self.is_closing() {
            return Pending::ready(Err(JournalError::Closed));
        }
        let (answer, pending) = Pending::new();
        let (shared, work) = (self.clone(), what(self.clone()));
        self.spawn(async move {
            let answered = work.await.map_err(|fault| shared.failed(&fault));
            let _ = answer.send(answered);
        });
        pending
    }
}
