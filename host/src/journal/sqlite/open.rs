//! Opening: folder, lock, file, what is due, threads. Everything that may be wrong is said here, with how to mend it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use rusqlite::{Connection, OpenFlags};

use super::checkpoint::Checkpointer;
use super::dedup::Keys;
use super::due::Due;
use super::limits::Limits;
use super::mark::{self, Mark};
use super::mend;
use super::queue::Queue;
use super::readers::Readers;
use super::reject::Shelf;
use super::seal;
use super::space::log_of;
use super::writer::{self, Loaded, Opened};
use super::{Options, Shared, Sqlite, answer, folder, order, refill, schema, wipe};
use crate::journal::seal::Vault;

/// Why the journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or written.
    #[error(
        "the journal's folder {folder} cannot be used: {error}; it must be writable by the user that runs hookport (journal.path)"
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Others may enter the folder, and it is not ours to close.
    #[error(
        "the journal's folder {folder} is open to others (mode {mode:04o}) and is shared or belongs to somebody else; \
         give the journal a folder of its own (journal.path), mode 0700"
    )]
    Shared {
        /// The folder.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another process has it.
    #[error(
        "the journal in {folder} is in use by {holder} ({lock}); stop that one, or give this one another journal.path"
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The lock file.
        lock: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// Written by a newer hookport.
    #[error(
        "{file} was written by a newer hookport (layout {found}, this one knows {known}); run that version again, or \
         choose another journal.path"
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Not a journal.
    #[error("{file} is a database of another program; move it away, or choose another journal.path")]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// Encrypted, and no key is configured.
    #[error("{file} is encrypted and journal.key is not set: set it to the key that it was written with")]
    Sealed {
        /// The file.
        file: PathBuf,
    },
    /// Encrypted by another key.
    #[error(
        "{file} is encrypted by a key that journal.key does not name; while a key is replaced, journal.key is a list: \
         the new one first, then the old one"
    )]
    Key {
        /// The file.
        file: PathBuf,
    },
    /// Some of it is encrypted by an older key.
    #[error(
        "{file} still holds content under an older key: keep that one as the last of journal.key until retention has \
         deleted what it encrypted"
    )]
    OldKey {
        /// The file.
        file: PathBuf,
    },
    /// Acknowledged events are gone.
    #[error(
        "the journal {file} lacks the events {first} to {last}, which were acknowledged: its log journal.db-wal is missing \
         or damaged, or the file is an older copy. Put the right files back. If there are none, remove {mark} to go on \
         without those events: providers have to be asked for them"
    )]
    Shortened {
        /// The file.
        file: PathBuf,
        /// The first event that is not there, by its number.
        first: i64,
        /// The last one that was acknowledged.
        last: i64,
        /// What knows it.
        mark: PathBuf,
    },
    /// A table or an index is gone.
    #[error(
        "the journal {file} has no {what}: it is damaged. Keep a copy; `hookport journal check` says what can be read, \
         and a backup can be put in its place"
    )]
    Incomplete {
        /// The file.
        file: PathBuf,
        /// What it should have.
        what: String,
    },
    /// Nothing is there.
    #[error(
        "there is no journal at {file}; name its folder or file (--path), or the configuration that does (--config)"
    )]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// Written by an older hookport, and not opened by this one yet.
    #[error("{file} has the layout {found} of an older hookport, this one knows {known}: start the gateway on it once")]
    Older {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// What is made of it cannot be written.
    #[error("{file} cannot be written: {error}")]
    Output {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// SQLite's error.
    #[error("the journal {file} cannot be opened: {message}")]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong and how to mend it.
        message: String,
    },
    /// No thread could be started.
    #[error("the journal cannot start a thread: {0}; look at the limits of the process")]
    Thread(std::io::Error),
}

/// Somebody else may hold the file for so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

impl OpenError {
    pub(super) fn of(file: &Path, error: &rusqlite::Error) -> Self {
        Self::File { file: file.into(), message: answer::words(error) }
    }
}

/// Opens the journal in a folder, and makes both where they are missing.
pub fn open(options: Options) -> Result<Arc<Sqlite>, OpenError> {
    let Options { path, clock, plan, limits, vault, observer } = options;
    folder::prepare(&path)?;
    let lock = folder::lock(&path)?;
    let file = path.join("journal.db");
    let failed = |error: rusqlite::Error| OpenError::of(&file, &error);
    folder::private(&file).map_err(|error| OpenError::Folder { folder: path.clone(), error })?;
    // The process before may have died of a sync that failed.
    let log = log_of(&file);
    mend::firm(&log).map_err(|error| OpenError::Output { file: log, error })?;
    let conn = connect(&file).map_err(failed)?;
    schema::prepare(&conn, &file)?;
    seal::admit(&conn, vault.as_ref(), &file, clock.now().as_microsecond())?;
    make_ready(&conn, vault.as_ref(), &limits).map_err(failed)?;
    folder::sync(&path).map_err(|error| OpenError::Folder { folder: path.clone(), error })?;

    let loaded = load(&conn, &path, &file, &limits)?;
    let due = Due::new(limits.due, limits.cache_bytes);
    order::mend(&conn, &[], clock.now().as_microsecond()).map_err(failed)?;
    refill::load_open(&conn, &due, limits.due).map_err(failed)?;
    let broken = Arc::<AtomicBool>::default();
    let checkpointer = Checkpointer::start(&file, &limits, &broken)?;
    let shared = Arc::new(Shared {
        place: file.display().to_string(),
        readers: Readers::start(&file, limits.readers, vault.as_ref())?,
        queue: Queue::new(&limits),
        due,
        rejections: AtomicU64::new(loaded.shelf.count()),
        dropped: AtomicU64::new(0),
        listener: OnceLock::new(),
        broken,
        file,
        clock,
        plan: ArcSwap::from_pointee(plan),
        limits,
        vault,
        observer,
    });
    let writer = {
        let shared = shared.clone();
        let builder = thread::Builder::new().name("journal-writer".into());
        builder
            .spawn(move || writer::run(&shared, Opened { conn, loaded, checkpointer }, lock))
            .map_err(OpenError::Thread)?
    };
    Ok(Arc::new(Sqlite { shared, writer: Mutex::new(Some(writer)) }))
}

/// What a writer's connection needs beside the file.
pub(super) fn make_ready(conn: &Connection, vault: Option<&Vault>, limits: &Limits) -> rusqlite::Result<()> {
    seal::register(conn, vault)?;
    wipe::within_pages(conn)?;
    conn.pragma_update(None, "synchronous", limits.synced.pragma())?;
    // WAL mode survives in the file, but a copy made by other tools may have lost it.
    conn.pragma_update(None, "journal_mode", "WAL")
}

/// What the writer holds in memory, if the file has all that was acknowledged.
pub(super) fn load(conn: &Connection, folder: &Path, file: &Path, limits: &Limits) -> Result<Loaded, OpenError> {
    let read = || -> rusqlite::Result<_> {
        let forgotten = schema::meta(conn, "forgotten")?;
        let keys = Keys::load(conn, forgotten, limits.filter_bytes)?;
        Ok((schema::ids(conn)?, keys, Shelf::load(conn, limits)?))
    };
    let (ids, keys, shelf) = read().map_err(|error| OpenError::of(file, &error))?;
    if let Some((first, last)) = mark::read(folder).unwrap_or_default().beyond(&ids) {
        return Err(OpenError::Shortened { file: file.into(), first, last, mark: mark::path(folder) });
    }
    let mark = Mark::open(folder).map_err(|error| OpenError::Folder { folder: folder.into(), error })?;
    Ok(Loaded { ids, keys, shelf, mark })
}

pub(super) fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "cache_size", -8192)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    // The writer and the checkpointer decide when; an automatic checkpoint would make one group wait for all.
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // Reads the first page: a file that is no database is seen here.
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(conn)
}
