//! Copying the write-ahead log back, without making acks wait.
//!
//! A second connection copies while the writer goes on. It never catches up with a busy writer, and the log only starts
//! again from its beginning when all of it is copied: so the writer itself copies the last few pages between two groups.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::limits::Limits;
use super::mend;
use super::open::OpenError;

/// The writer copies the rest itself when it is no more than this.
const REST: i64 = 256;
/// The log starts again at this multiple of `checkpoint_pages` at the earliest, and at that one whatever it costs.
const RESTART: i64 = 4;
const FORCED: i64 = 64;
/// Readers may hold the log open; it is not tried at every group.
/// An emptied log is worth so long a wait for readers.
const SHORT: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    pages: i64,
    tried: Option<Instant>,
    /// Held while somebody copies; SQLite would answer a second one with "busy" and not with a wait.
    turn: Arc<Mutex<()>>,
}

impl Checkpointer {
    pub(super) fn start(file: &Path, limits: &Limits, broken: &Arc<AtomicBool>) -> Result<Self, OpenError> {
        let failed = |error| OpenError::of(file, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(file, flags).map_err(failed)?;
        conn.pragma_update(None, "synchronous", limits.synced.pragma()).map_err(failed)?;
        // The writer closes last, and decides whether the log is copied back then.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
        let (wake, woken) = sync_channel(1);
        let builder = thread::Builder::new().name("journal-checkpoint".into());
        let turn = Arc::<Mutex<()>>::default();
        let (turns, broken) = (turn.clone(), broken.clone());
        let thread = builder.spawn(move || copy(&conn, &woken, &turns, &broken)).map_err(OpenError::Thread)?;
        let pages = limits.checkpoint_pages.max(16);
        Ok(Self { wake: Some(wake), thread: Some(thread), pages, tried: None, turn })
    }

    /// Looks at the log after a commit, and has copied what is due.
    pub(super) fn tend(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let (log, copied) = run(conn, "NOOP")?;
        let rest = log - copied;
        if rest >= self.pages {
            self.wake();
        }
        let worth = log >= self.pages * RESTART && (1..=REST).contains(&rest);
        let pressing = log >= self.pages * FORCED && rest > 0;
        if (worth || pressing) && self.tried.is_none_or(|tried| tried.elapsed() >= PAUSE) {
            self.tried = Some(Instant::now());
            // A log that is this long is worth a wait: a disk that cannot follow must slow the senders down.
            let turn = if pressing { Some(hold(&self.turn)) } else { self.turn.try_lock().ok() };
            if turn.is_some() {
                run(conn, "PASSIVE")?;
            }
        }
        Ok(())
    }

    /// Asks for a copy now, so that a file that became shorter is cut.
    pub(super) fn wake(&self) {
        if let Some(wake) = &self.wake {
            let _ = wake.try_send(());
        }
    }

    /// Copies all of it back and empties the log, so that nothing older stays in it; false while readers hold it.
    pub(super) fn restart(&self, conn: &Connection) -> rusqlite::Result<bool> {
        let _turn = hold(&self.turn);
        conn.busy_timeout(SHORT)?;
        let emptied = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        conn.busy_timeout(super::open::PATIENCE)?;
        Ok(emptied? == 0)
    }

    pub(super) fn stop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn hold(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copy(conn: &Connection, woken: &Receiver<()>, turns: &Mutex<()>, broken: &AtomicBool) {
    while woken.recv().is_ok() {
        let _turn = hold(turns);
        if let Err(error) = run(conn, "PASSIVE") {
            if mend::is_failed_sync(&error) {
                broken.store(true, Ordering::Relaxed);
            }
            // The log keeps everything; the next round tries again.
            tracing::warn!(%error, "the journal's log could not be copied back");
        }
    }
}

/// Frames in the log, and how many of them are copied. A checkpoint that is under way elsewhere is no error.
fn run(conn: &Connection, mode: &str) -> rusqlite::Result<(i64, i64)> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    conn.prepare_cached(&sql)?.query_row([], |row| Ok((row.get::<_, i64>(1)?.max(0), row.get::<_, i64>(2)?.max(0))))
}
