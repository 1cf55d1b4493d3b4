//! After a sync that failed: nothing is acknowledged before what the system holds is on the disk again, for certain.
//!
//! The system tells of a failed sync once, and may have thrown away what it could not write: the next sync then says yes
//! to a log with a hole in it, and all behind the hole is lost with the next crash. So every connection is closed, the log
//! is written anew in its place and synced, and the journal is read again from what is there. What was acknowledged lies
//! before the hole; what was not may be gone, and memory forgets it, too.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use super::checkpoint::Checkpointer;
use super::due::Due;
use super::open::{self, OpenError};
use super::queue::{Group, Patience};
use super::rows::{CANCELLED, LEAVING};
use super::space::log_of;
use super::writer::Opened;
use super::{Shared, order, refill};
use crate::journal::JournalError;

const PIECE: usize = 1 << 20;
/// Between two attempts, at least; a slow disk gets as much longer as an attempt takes.
const PAUSE: Duration = Duration::from_millis(50);
const REST: u32 = 4;
/// How often it is attempted where nobody asks.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether a sync failed; anything else leaves what was written where it is.
pub(super) fn is_failed_sync(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
}

/// Writes a log in its place again and syncs it. One that is missing or empty is as it should be.
pub(super) fn firm(log: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (length, mut at, mut piece) = (file.metadata()?.len(), 0, vec![0; PIECE]);
    while at < length {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            break;
        }
        file.write_all_at(&piece[..read], at)?;
        at += read as u64;
    }
    if length > 0 { file.sync_all() } else { Ok(()) }
}

/// Closes a connection without copying the log back: nobody knows what of it is on the disk.
pub(super) fn shut(conn: Connection) {
    let _ = conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    drop(conn);
}

/// Tries until it works, and says no to all who come meanwhile; nothing when the journal is closed first. A group that
/// came while it worked is the next one.
pub(super) fn mend(shared: &Shared, conn: Connection) -> Option<(Opened, Group)> {
    let place = &shared.place;
    tracing::error!(
        "a sync of the journal {place} failed: nothing is acknowledged before all of it is on the disk again"
    );
    shut(conn);
    let mut group = Group::default();
    loop {
        let begun = Instant::now();
        let error = match attempt(shared) {
            Ok(opened) => {
                tracing::info!("the journal {place} is on the disk again");
                return Some((opened, group));
            }
            Err(error) => error,
        };
        let last = group.last;
        group.refuse(shared, &error);
        if last {
            return None;
        }
        let pause = PAUSE.max(begun.elapsed() * REST);
        std::thread::sleep(pause);
        group = shared.queue.take(&Patience::Until(Instant::now() + AGAIN));
    }
}

fn attempt(shared: &Shared) -> Result<Opened, JournalError> {
    let failed = |message: String| JournalError::Failed { place: shared.place.clone(), message };
    let folder = shared.file.parent().unwrap_or(Path::new("."));
    let log = log_of(&shared.file);
    shared.readers.pause();
    let firm = firm(&log);
    // The index over the log is of what was there before.
    let _ = std::fs::remove_file(index_of(&shared.file));
    let conn = open::connect(&shared.file).map_err(|error| shared.failed(&error))?;
    // Readers go on also where nothing can be written.
    let resumed = shared.readers.resume(&shared.file, shared.limits.readers, shared.vault.as_ref());
    let opened = firm
        .map_err(|error| {
            failed(format!("{error}; look at the disk and at the system's log; the journal tries again by itself"))
        })
        .and_then(|()| resumed.map_err(|error| failed(error.to_string())));
    if let Err(error) = opened {
        shut(conn);
        return Err(error);
    }
    shared.broken.store(false, std::sync::atomic::Ordering::Relaxed);
    let again = |conn: &Connection| -> Result<_, OpenError> {
        let failed = |error: rusqlite::Error| OpenError::of(&shared.file, &error);
        open::make_ready(conn, shared.vault.as_ref(), &shared.limits).map_err(failed)?;
        let loaded = open::load(conn, folder, &shared.file, &shared.limits)?;
        order::mend(conn, &shared.due.in_flight(), shared.clock.now().as_microsecond()).map_err(failed)?;
        recall(conn, &shared.due).map_err(failed)?;
        shared.due.clear();
        refill::load_open(conn, &shared.due, shared.limits.due).map_err(failed)?;
        // Last: its connection must not be open at the next attempt.
        let checkpointer = Checkpointer::start(&shared.file, &shared.limits, &shared.broken)?;
        Ok((loaded, checkpointer))
    };
    match again(&conn) {
        Ok((loaded, checkpointer)) => Ok(Opened { conn, loaded, checkpointer }),
        Err(error) => {
            shut(conn);
            Err(failed(error.to_string()))
        }
    }
}

/// A cancellation of what is in flight may have been lost with the sync: the file says whether it was.
fn recall(conn: &Connection, due: &Due) -> rusqlite::Result<()> {
    let mut find = conn.prepare("SELECT state IN (?, ?) FROM deliveries WHERE id = ?")?;
    let mut flights = Vec::new();
    for delivery in due.in_flight() {
        let cancelled = find.query_row([CANCELLED, LEAVING, delivery], |row| row.get(0)).optional()?;
        flights.extend(cancelled.map(|cancelled| (delivery, cancelled)));
    }
    due.recalled(flights);
    Ok(())
}

fn index_of(file: &Path) -> std::path::PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push("-shm");
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sqlite::{due, schema};

    #[test]
    fn a_flight_is_cancelled_if_the_file_says_so() {
        let conn = Connection::open_in_memory().unwrap();
        schema::prepare(&conn, "memory".as_ref()).unwrap();
        let due = Due::new(9, 0);
        for (delivery, state) in [(1, LEAVING), (2, 0)] {
            let insert =
                "INSERT INTO deliveries (id, event, destination, state, attempts, base) VALUES (?, 1, 1, ?, 0, 0)";
            conn.execute(insert, [delivery, state]).unwrap();
            let open = due::Open { event: 1, attempts: 0, base: 0, order: Some([7; 16]), since: None, cached: None };
            due.add(vec![("crm".into(), (1, delivery), open)]);
        }
        assert_eq!(due.take("crm", 9, 1).0.len(), 2);
        let mut lost = due.withdrawal();
        assert!(lost.take_or_recall(&"crm".into(), (1, 2)));
        lost.commit();
        recall(&conn, &due).unwrap();
        let left: Vec<_> = due.put_back([1, 2]).into_iter().map(|(_, _, delivery)| delivery).collect();
        assert_eq!((left, due.take("crm", 9, 1).0.len()), (vec![1], 1), "the other one is there again");
    }

    #[test]
    fn a_log_is_written_again_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert!(firm(&log).is_ok() && !log.exists());
        let bytes: Vec<u8> = (0..PIECE * 2 + 77).map(|n| (n * 31) as u8).collect();
        std::fs::write(&log, &bytes).unwrap();
        firm(&log).unwrap();
        assert_eq!(std::fs::read(&log).unwrap(), bytes);
        assert!(firm(folder.path()).is_err());
    }
}
