//! The configuration resolved: URLs parsed, secrets loaded, names known to exist. Nothing here can be misspelt any more.

mod broker;
mod destination;
mod retry;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{SecretBox, SecretString};

pub use self::broker::{Broker, BrokerServer, To};
pub use self::destination::{Breaker, Destination, Http, Order};
pub use self::retry::{LONGEST_WAIT, Retry, Waits};
use super::origin::Origin;
use super::print::Print;
pub use super::written::{Format, LogFormat, Reload, Route};
use crate::net::certificate::Certificate;
use crate::provider::complaint::Complaint;
pub use crate::provider::source::SourceParts;
use crate::provider::view::PublicUrl;
use crate::traces::Terms;

/// A whole configuration that can be run.
#[derive(Debug)]
pub struct Config {
    pub(super) origin: Origin,
    pub(super) print: Print,
    /// Where providers call.
    pub server: Server,
    /// API and health.
    pub admin: Admin,
    /// What is logged.
    pub log: Log,
    /// Where events are kept.
    pub journal: Journal,
    /// How the configuration is read again.
    pub reload: Reload,
    /// Where spans go, and which; absent: nowhere.
    pub traces: Option<Terms>,
    /// By name.
    pub sources: BTreeMap<String, Source>,
    /// By name.
    pub destinations: BTreeMap<String, Destination>,
    /// In the file's order; their names exist and their rules compile.
    pub routes: Vec<Route>,
    /// In the file's order.
    pub polls: Vec<Poll>,
    /// What is allowed and yet worth a look.
    pub warnings: Vec<Complaint>,
}

impl Config {
    /// A complaint about a key, `sources.crm.path` say, with its place in the file.
    pub fn complaint(&self, key: &str, message: impl Into<String>) -> Complaint {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        self.origin.complaint(&path, message)
    }
}

/// `[server]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// As providers see it.
    pub public_url: Option<PublicUrl>,
    /// A longer body is answered 413.
    pub max_body: usize,
    /// For the head, and again for the whole request.
    pub request_timeout: Duration,
    /// Connections at once; more wait.
    pub max_connections: usize,
    /// Connections of one address at once; more are closed.
    pub max_connections_per_address: Option<usize>,
    /// X-Forwarded-For counts only from these, and so does a PROXY header.
    pub trusted_proxies: Vec<IpNet>,
    /// Every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// Who the gateway is to those who connect; absent: nothing is encrypted.
    pub tls: Option<Arc<Certificate>>,
}

/// `[admin]`.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Address and port.
    pub listen: SocketAddr,
    /// There on any address but loopback.
    pub token: Option<SecretString>,
    /// Opens the metrics and nothing else.
    pub metrics_token: Option<SecretString>,
}

/// `[log]`.
#[derive(Debug, Clone)]
pub struct Log {
    /// Directives that tracing understands.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// A key of 256 bits.
pub type Key = SecretBox<[u8; 32]>;

/// `[journal]`.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Where events are kept.
    pub engine: JournalEngine,
    /// A folder; created if missing.
    pub path: PathBuf,
    /// How long events are kept.
    pub retention: Duration,
    /// The oldest finished events go where the journal is larger.
    pub max_size: Option<u64>,
    /// Encrypt content: the first seals, all open.
    pub keys: Arc<[Key]>,
}

/// The engine of the journal, with what is only its own.
#[derive(Debug, Clone)]
pub enum JournalEngine {
    /// Embedded: a file in the journal's folder.
    Sqlite,
    /// A PostgreSQL server.
    Postgres(PostgresJournal),
}

/// Where the journal in PostgreSQL is.
#[derive(Debug, Clone)]
pub struct PostgresJournal {
    /// Of the server, with what is secret in it.
    pub url: SecretString,
    /// The schema that the tables are in; made if missing.
    pub schema: String,
    /// Connections of this host at most.
    pub connections: usize,
    /// For so long a host's deliveries in flight are its own after it last said that it lives.
    pub lease: Duration,
    /// Authorities that sign the server's certificate; absent: those of browsers.
    pub ca: Option<PathBuf>,
}

/// One instance of a provider.
#[derive(Debug)]
pub struct Source {
    /// The provider's id; a provider of that id is there.
    pub provider: String,
    /// Its keys and choices.
    pub parts: SourceParts,
}

/// One of `[[polls]]`; its source and operation exist.
#[derive(Debug, Clone)]
pub struct Poll {
    /// The source's name.
    pub source: String,
    /// The operation's id.
    pub operation: String,
    /// How often.
    pub every: Duration,
    /// Its input.
    pub input: Input,
    /// The item's field that names it.
    pub key: String,
}

/// What an operation is run with.
#[derive(Debug, Clone)]
pub enum Input {
    /// This document.
    Here(serde_json::Value),
    /// A JSON file that is read at every poll.
    File(PathBuf),
}
