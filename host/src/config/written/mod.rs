//! The configuration as written in `hookport.toml`: shapes and defaults, nothing resolved. `resolve` makes it usable.

mod broker;
mod destination;
mod headers;
mod plugins;
mod secret;
mod source;
mod traces;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use hookport_plugin_api::description::Many;
use serde::Deserialize;

pub use self::broker::{NatsDestination, PostgresDestination, RabbitMqDestination, RedisDestination, Sending};
pub use self::destination::{
    Breaker, ClientCert, Destination, FileDestination, Format, HttpDestination, OnExhausted, Retry, StdoutDestination,
};
pub use self::headers::HeaderText;
pub use self::plugins::{PluginTerms, Quarantine, Trust, UnsignedCode};
pub(super) use self::secret::SECRET_FORMS;
pub use self::secret::Secret;
pub use self::source::Source;
pub use self::traces::{TraceProtocol, Traces};
use super::units::{Network, Size, Span};
use crate::plugin::policy::Isolation;

/// A whole `hookport.toml`.
#[derive(Debug, Clone)]
pub struct Written {
    /// `[server]`.
    pub server: Server,
    /// `[admin]`.
    pub admin: Admin,
    /// `[log]`.
    pub log: Log,
    /// `[journal]`.
    pub journal: Journal,
    /// `[plugins]`.
    pub plugins: Plugins,
    /// `[reload]`.
    pub reload: Reload,
    /// `[traces]`.
    pub traces: Traces,
    /// `[sources.NAME]`.
    pub sources: BTreeMap<String, Source>,
    /// `[destinations.NAME]`.
    pub destinations: BTreeMap<String, Destination>,
    /// `[[routes]]`.
    pub routes: Vec<Route>,
    /// `[[polls]]`.
    pub polls: Vec<Poll>,
}

/// `[server]`: where providers call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// As providers see it.
    pub public_url: Option<String>,
    /// A longer body is answered 413.
    pub max_body: Size,
    /// For the head, and again for the whole request.
    pub request_timeout: Span,
    /// Connections at once; more wait.
    pub max_connections: usize,
    /// Connections of one address at once; more are closed.
    pub max_connections_per_address: Option<usize>,
    /// X-Forwarded-For counts only from these, and so does a PROXY header.
    pub trusted_proxies: Vec<Network>,
    /// Every connection begins with a PROXY header.
    pub proxy_protocol: bool,
    /// Who the gateway is to those who connect; absent: nothing is encrypted.
    pub tls: Option<Tls>,
}

/// `[server] tls`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain, as PEM.
    pub cert: PathBuf,
    /// The private key, as PEM.
    pub key: PathBuf,
}

/// `[admin]`: API, health, metrics.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port.
    pub listen: SocketAddr,
    /// Required on any address but loopback.
    pub token: Option<Secret>,
    /// Opens the metrics and nothing else.
    pub metrics_token: Option<Secret>,
}

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A level or tracing's directives.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// `[journal]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The engine.
    pub engine: JournalEngine,
    /// A folder; created if missing.
    pub path: PathBuf,
    /// How long events are kept.
    pub retention: Span,
    /// The oldest finished events go where the journal is larger.
    pub max_size: Option<Size>,
    /// Encrypts content; the first of several seals, all open.
    #[serde(default)]
    pub key: Many<Secret>,
    /// Of the server.
    pub url: Option<Secret>,
    /// The schema that the tables are in.
    pub schema: Option<String>,
    /// Connections of this host at most.
    pub connections: Option<usize>,
    /// How long a host that is gone keeps its deliveries.
    pub lease: Option<Span>,
    /// Authorities that sign the server's certificate.
    pub ca: Option<PathBuf>,
}

/// The engines of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalEngine {
    /// One file, nothing to install.
    Sqlite,
    /// A schema of a PostgreSQL database, shared by any number of hosts.
    Postgres,
}

/// `[plugins]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Beside the executable's own folder, which is always searched.
    pub dirs: Vec<PathBuf>,
    /// Where native code runs.
    pub isolation: Isolation,
    /// A call in a worker that takes longer ends the worker.
    pub deadline: Span,
    /// Address space of a worker.
    pub memory: Size,
    /// Workers of one plugin.
    pub workers: usize,
    /// When a plugin is left alone.
    pub quarantine: Quarantine,
    /// What holds for one plugin instead, by the provider's id.
    #[serde(default, rename = "override")]
    pub overrides: BTreeMap<String, PluginTerms>,
    /// Whether they are looked at by themselves, and not only when somebody says so.
    pub watch: bool,
    /// Who vouches for them.
    pub trust: Trust,
}

/// `[reload]`: when the configuration is read again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reload {
    /// Whether its files are watched.
    pub watch: bool,
    /// After a change of a file so long nothing may change any more.
    pub settle: Span,
}

/// One of `[[routes]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// For people.
    pub name: Option<String>,
    /// Names of sources; absent: all.
    pub sources: Option<Vec<String>>,
    /// Globs over the type; absent: all.
    pub types: Option<Vec<String>>,
    /// A CEL expression over `event`.
    pub when: Option<String>,
    /// Names of destinations.
    pub to: Vec<String>,
}

/// One of `[[polls]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// The source's name.
    pub source: String,
    /// The operation's id.
    pub operation: String,
    /// How often.
    pub every: Span,
    /// The input, here.
    pub input: Option<toml::Value>,
    /// The input, in a JSON file that is read at every poll.
    pub input_file: Option<PathBuf>,
    /// The item's field that names it.
    pub key: String,
}
