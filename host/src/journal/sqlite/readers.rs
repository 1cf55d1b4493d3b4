//! Readers: a few threads with connections that cannot write, beside the writer. Their queue is bounded too.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::answer::Sender;
use super::open::OpenError;
use super::seal;
use crate::journal::JournalError;
use crate::journal::seal::Vault;

const WAITING: usize = 256;

/// What a reader does; `None` ends it.
type Job = Option<Box<dyn FnOnce(&Connection) + Send>>;

/// The readers' queue; the threads end when it is closed, and for a while when they are asked to.
pub(super) struct Readers {
    sender: Mutex<Option<SyncSender<Job>>>,
    jobs: Arc<Mutex<Receiver<Job>>>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(file: &Path, threads: usize, vault: Option<&Vault>) -> Result<Self, OpenError> {
        let (sender, jobs) = sync_channel::<Job>(WAITING);
        let jobs = Arc::new(Mutex::new(jobs));
        let readers = Self { sender: Mutex::new(Some(sender)), jobs, threads: Mutex::default() };
        readers.resume(file, threads, vault)?;
        Ok(readers)
    }

    /// Closes the connections when what is under way is answered; what comes meanwhile waits.
    pub(super) fn pause(&self) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        // A copy: whoever submits meanwhile must not wait for room.
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sender) = sender {
            threads.iter().for_each(|_| drop(sender.send(None)));
        }
        threads.drain(..).for_each(|thread| drop(thread.join()));
    }

    /// Opens connections again.
    pub(super) fn resume(&self, file: &Path, threads: usize, vault: Option<&Vault>) -> Result<(), OpenError> {
        let mut handles = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..threads.max(1) {
            let conn = connect(file, vault).map_err(|error| OpenError::of(file, &error))?;
            let jobs = self.jobs.clone();
            let builder = thread::Builder::new().name("journal-reader".into());
            let spawned = builder.spawn(move || serve(&conn, &jobs));
            handles.push(spawned.map_err(OpenError::Thread)?);
        }
        Ok(())
    }

    /// Answers with what a reader finds.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        answer: Sender<T>,
        query: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) {
        self.submit_or(answer, query, || {});
    }

    /// The same; `lost` runs where nobody got the answer.
    pub(super) fn submit_or<T: Send + 'static>(
        &self,
        answer: Sender<T>,
        query: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
        lost: impl FnOnce() + Clone + Send + 'static,
    ) {
        let answer = Arc::new(Mutex::new(Some(answer)));
        let give = |answer: &Mutex<Option<Sender<T>>>, result| {
            let sender = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
            sender.is_some_and(|sender| sender.send(result).is_ok())
        };
        let job: Job = {
            let (answer, lost) = (answer.clone(), lost.clone());
            Some(Box::new(move |conn: &Connection| {
                if !give(&answer, query(conn)) {
                    lost();
                }
            }))
        };
        let error = match &*self.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            None => JournalError::Closed,
            Some(sender) => match sender.try_send(job) {
                Ok(()) => return,
                Err(TrySendError::Full(_)) => JournalError::Busy,
                Err(TrySendError::Disconnected(_)) => JournalError::Closed,
            },
        };
        lost();
        give(&answer, Err(error));
    }

    /// Answers what waits and closes the connections.
    pub(super) fn stop(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        for handle in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = handle.join();
        }
        // What came while nobody was there.
        while self.jobs.lock().unwrap_or_else(PoisonError::into_inner).try_recv().is_ok() {}
    }
}

fn serve(conn: &Connection, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Some(job)) = job else { return };
        job(conn);
    }
}

fn connect(file: &Path, vault: Option<&Vault>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(std::time::Duration::from_secs(5))?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -2048)?;
    // The writer closes last, and decides whether the log is copied back then.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    seal::register(&conn, vault)?;
    Ok(conn)
}
