//! The configuration as written in `hookport.toml`: shapes and defaults, nothing resolved. `resolve` makes it usable.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use hookport_plugin_api::description::{Many, SettingValue};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::units::{Network, Size, Span};
use crate::provider::complaint::did_you_mean;

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
    /// X-Forwarded-For counts only from these.
    pub trusted_proxies: Vec<Network>,
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

/// A secret's place; a debug print shows no value, and neither does an error.
#[derive(Clone)]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// A file; one trailing newline is not part of it.
    File(PathBuf),
    /// Here.
    Value(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Value(_) => f.write_str("value (hidden)"),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Place;
        impl<'de> Visitor<'de> for Place {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SECRET_FORMS)
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Secret, E> {
                Err(E::custom(format_args!("a text alone is not a secret: write {SECRET_FORMS}")))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let wrong = || A::Error::custom(format_args!("a secret is exactly one of {SECRET_FORMS}"));
                let form = map.next_key::<String>()?.ok_or_else(wrong)?;
                let secret = match form.as_str() {
                    "env" => Secret::Env(map.next_value()?),
                    "file" => Secret::File(map.next_value()?),
                    "value" => Secret::Value(map.next_value()?),
                    other => {
                        let meant = did_you_mean(other, ["env", "file", "value"]);
                        let message = format_args!("unknown key \"{other}\": a secret is {SECRET_FORMS}{meant}");
                        return Err(A::Error::custom(message));
                    }
                };
                if map.next_key::<String>()?.is_some() { Err(wrong()) } else { Ok(secret) }
            }
        }
        deserializer.deserialize_any(Place)
    }
}

/// As error messages name them.
pub(super) const SECRET_FORMS: &str = r#"{ env = "NAME" }, { file = "path" } or { value = "..." }"#;

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
    pub allow_from: Vec<Network>,
    /// The URL that this provider was given, when not the server's; several are tried.
    #[serde(default)]
    pub public_url: Many<String>,
    /// Whether operations may call private addresses.
    #[serde(default)]
    pub allow_private: bool,
}

/// `[destinations.NAME]`; `load` reads its `kind` first, so that an error keeps its key.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
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
