//! Opening: server, layout, keys, partitions, the host's own place. Everything that may be wrong is said here, with how to
//! mend it.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::connect::{self, Server};
use super::fault::Fault;
use super::{Options, Postgres, Shared, chores, due, host, layout, names, partitions, queue, rejecting, vault, wake};

/// More groups at a time wait for each other in the server.
const GROUPS: usize = 4;
/// Fewer connections and somebody would wait for ever.
const LEAST: usize = 3;

/// Why the journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error(
        "journal.url is not a URL of PostgreSQL: {message}; it is like postgres://user:password@host:5432/database"
    )]
    Url {
        /// What is wrong with it, without the URL.
        message: String,
    },
    /// It cannot be reached, or refuses.
    #[error("the journal at {place} cannot be opened: {message}")]
    Server {
        /// Server, database and schema.
        place: String,
        /// Its words.
        message: String,
    },
    /// Too old.
    #[error("the server is PostgreSQL {found}; the journal needs 15 or newer")]
    Old {
        /// Its version.
        found: String,
    },
    /// It may lose what it said was kept.
    #[error(
        "the server has {setting} = off and may lose events that were acknowledged: set it to on (postgresql.conf, or ALTER \
         SYSTEM, ALTER DATABASE and ALTER ROLE, wherever it was set)"
    )]
    Volatile {
        /// Which setting.
        setting: &'static str,
    },
    /// It only reads.
    #[error(
        "the server is a standby, which only reads: name the primary in journal.url, or all of them with \
         ?target_session_attrs=read-write"
    )]
    Standby,
    /// Made by a newer hookport.
    #[error(
        "the schema {schema} was made by a newer hookport (layout {found}, this one knows {known}) and cannot be used by this \
         one: run that version, or choose another journal.schema"
    )]
    Newer {
        /// The schema.
        schema: String,
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// Not a journal.
    #[error(
        "the schema {schema} has tables of another program: choose another journal.schema, which is made if missing"
    )]
    Foreign {
        /// The schema.
        schema: String,
    },
    /// Half a copy.
    #[error(
        "the schema {schema} is half a copy of another journal: finish it with the same `hookport journal copy`, or choose \
         another journal.schema"
    )]
    Copying {
        /// The schema.
        schema: String,
    },
    /// Encrypted, and no key is configured.
    #[error("the journal is encrypted and journal.key is not set: set it to the key that it was written with")]
    Sealed,
    /// Encrypted by another key.
    #[error(
        "the journal is encrypted by a key that journal.key does not name; while a key is replaced, journal.key is a list: \
         the new one first, then the old one"
    )]
    Key,
    /// Some of it is encrypted by an older key.
    #[error(
        "the journal still holds content under an older key: keep that one as the last of journal.key until retention has \
         deleted what it encrypted"
    )]
    OldKey,
    /// The thread could not be started.
    #[error("the journal's thread could not be started: {0}")]
    Thread(std::io::Error),
}

impl OpenError {
    pub(super) fn url(error: tokio_postgres::Error) -> Self {
        Self::Url { message: Fault::from(error).words() }
    }

    pub(super) fn server(fault: &Fault) -> Self {
        Self::Server { place: String::new(), message: fault.words() }
    }

    /// With the place, where only the words were known.
    fn at(self, at: &str) -> Self {
        match self {
            Self::Server { message, .. } => Self::Server { place: at.to_owned(), message },
            other => other,
        }
    }
}

/// Opens the journal in a schema, and makes what is missing. Waits for the server; callable from anywhere.
pub fn open(options: Options) -> Result<Arc<Postgres>, OpenError> {
    let (tell, told) = mpsc::channel();
    let run = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(options, tell)),
        Err(error) => {
            let _ = tell.send(Err(OpenError::Thread(error)));
        }
    };
    let thread = std::thread::Builder::new().name("journal".into()).spawn(run).map_err(OpenError::Thread)?;
    // The thread tells, or is gone.
    let gone = || OpenError::Thread(std::io::Error::other("it ended before the journal was open"));
    let shared = told.recv().unwrap_or_else(|_| Err(gone()))?;
    Ok(Arc::new(Postgres { shared, thread: Mutex::new(Some(thread)) }))
}

/// The whole life of the engine, on its own thread.
async fn run(options: Options, tell: mpsc::Sender<Result<Arc<Shared>, OpenError>>) {
    let shared = match begin(options).await {
        Ok(shared) => shared,
        Err(error) => {
            let _ = tell.send(Err(error));
            return;
        }
    };
    if tell.send(Ok(shared.clone())).is_ok() {
        chores::run(&shared).await;
    }
    shared.server.close();
}

async fn begin(options: Options) -> Result<Arc<Shared>, OpenError> {
    let Options { url, schema, connections, lease, tls, clock, plan, limits, vault, observer } = options;
    let connections = connections.max(LEAST);
    let server = Server::new(&url, &schema, connections, tls)?;
    let place = server.place();
    if server.is_in_the_clear() {
        tracing::warn!(
            "the journal at {place} is reached without TLS where the server allows it: add ?sslmode=require to journal.url"
        );
    }
    prepare(&server, &clock, vault.as_ref()).await.map_err(|error| error.at(&place))?;
    let shared = Arc::new(Shared {
        server,
        runtime: tokio::runtime::Handle::current(),
        plan: ArcSwap::from_pointee(plan),
        queue: queue::Queue::new(&limits),
        names: names::Names::default(),
        due: due::Due::default(),
        host: host::Host::new(lease),
        wake: wake::Wake::default(),
        rejecting: rejecting::Rejecting::new(limits.rejection_rate),
        dropped: AtomicU64::new(0),
        listener: OnceLock::new(),
        busy: watch::Sender::new(0),
        closing: watch::Sender::new(false),
        closers: Mutex::new(Some(Vec::new())),
        groups: (connections / 4).clamp(1, GROUPS),
        reading: tokio::sync::Semaphore::new((connections / 3).max(1)),
        place,
        clock,
        limits,
        vault,
        observer,
    });
    host::enter(&shared).await.map_err(|fault| OpenError::server(&fault).at(&shared.place))?;
    Ok(shared)
}

async fn prepare(
    server: &Server,
    clock: &crate::clock::Clock,
    vault: Option<&crate::journal::Vault>,
) -> Result<(), OpenError> {
    let failed = |fault: Fault| OpenError::server(&fault);
    let mut client = server.client().await.map_err(failed)?;
    connect::judge(&client).await?;
    layout::prepare(&mut client, server.schema()).await?;
    vault::admit(&mut client, vault, clock.now().as_microsecond()).await?;
    partitions::ahead(&mut client, clock.now()).await.map_err(failed)?;
    Ok(())
}
