//! The configuration as written in `hookport.toml`: shapes and defaults, nothing resolved. `resolve` makes it usable.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use hookport_plugin_api::description::{Many, SettingValue};
use ipnet::IpNet;
use serde::Deserialize;

use super::units::{Size, Span};

/// A whole `hookport.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// `[sources.NAME]`.
    #[serde(default)]
    pub sources: BTreeMap<String, Source>,
    /// `[destinations.NAME]`.
    #[serde(default)]
    pub destinations: BTreeMap<String, Destination>,
    /// `[[routes]]`.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// `[[polls]]`.
    #[serde(default)]
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
    /// X-Forwarded-For counts only from these.
    pub trusted_proxies: Vec<IpNet>,
}

/// `[admin]`: API, health.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port.
    pub listen: SocketAddr,
    /// Required on any address but loopback.
    pub token: Option<Secret>,
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
}

/// The engines of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalEngine {
    /// One file, nothing to install.
    Sqlite,
}

/// `[plugins]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Beside the executable's own folder, which is always searched.
    pub dirs: Vec<PathBuf>,
}

/// A secret's place; a debug print shows no value.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file; one trailing newline is not part of it.
    File(PathBuf),
    /// Here.
    Value(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Value(_) => f.write_str("value (hidden)"),
        }
    }
}

/// `[sources.NAME]`: one instance of a provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The provider's id.
    pub provider: String,
    /// Matches exactly; the description's route unless said.
    pub path: Option<String>,
    /// The description's keys.
    #[serde(default)]
    pub secrets: BTreeMap<String, Many<Secret>>,
    /// The description's settings.
    #[serde(default)]
    pub settings: BTreeMap<String, SettingValue>,
    /// Overrides the description's freshness.
    pub tolerance: Option<Span>,
    /// Addresses or networks; empty: anybody.
    #[serde(default)]
    pub allow_from: Vec<IpNet>,
    /// The URL that this provider was given, when not the server's; several are tried.
    #[serde(default)]
    pub public_url: Many<String>,
    /// Whether operations may call private addresses.
    #[serde(default)]
    pub allow_private: bool,
}

/// `[destinations.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Destination {
    /// An HTTP endpoint.
    Http(HttpDestination),
    /// A file of JSON lines.
    File(FileDestination),
    /// Standard output.
    Stdout(StdoutDestination),
}

/// `kind = "http"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpDestination {
    /// Where.
    pub url: String,
    /// Whether private, loopback and link-local addresses are allowed.
    #[serde(default)]
    pub allow_private: bool,
    /// What is sent.
    #[serde(default)]
    pub format: Format,
    /// Standard Webhooks secrets; several give several signatures.
    #[serde(default)]
    pub signing_secret: Many<Secret>,
    /// For a whole attempt.
    #[serde(default = "Span::ten_seconds")]
    pub timeout: Span,
    /// Attempts at once.
    #[serde(default = "sixteen")]
    pub concurrency: usize,
    /// When to try again.
    #[serde(default)]
    pub retry: Retry,
}

fn sixteen() -> usize {
    16
}

/// `kind = "file"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDestination {
    /// Appended to; created if missing.
    pub path: PathBuf,
    /// What a line holds.
    #[serde(default)]
    pub format: Format,
    /// When to try again.
    #[serde(default)]
    pub retry: Retry,
}

/// `kind = "stdout"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdoutDestination {
    /// What a line holds.
    #[serde(default)]
    pub format: Format,
}

/// What a destination gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Structured JSON.
    #[default]
    CloudEvent,
    /// Only the decoded data.
    Data,
    /// The provider's bytes and headers.
    Raw,
}

/// `retry = { ... }`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Tries in all.
    pub attempts: u32,
    /// Before the second try.
    pub first: Span,
    /// Each wait is so many times the one before.
    pub factor: f64,
    /// No wait is longer.
    pub max: Span,
    /// A share of the wait, added or taken off at random.
    pub jitter: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 25, first: Span::seconds(5), factor: 2.0, max: Span::seconds(6 * 3600), jitter: 0.2 }
    }
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
