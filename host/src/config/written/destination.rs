//! `[destinations.NAME]`, as written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hookport_plugin_api::description::Many;
use serde::Deserialize;

use super::broker::{NatsDestination, PostgresDestination, RabbitMqDestination, RedisDestination, Sending};
use super::{HeaderText, Secret};
use crate::config::units::{Rate, Span};

/// `[destinations.NAME]`; `load` reads its `kind` first, so that an error keeps its key.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Destination {
    /// An HTTP endpoint.
    Http(Box<HttpDestination>),
    /// A file of JSON lines.
    File(FileDestination),
    /// Standard output.
    Stdout(StdoutDestination),
    /// A stream of NATS JetStream.
    Nats(Box<NatsDestination>),
    /// A table in PostgreSQL.
    Postgres(Box<PostgresDestination>),
    /// A stream in Redis.
    Redis(Box<RedisDestination>),
    /// An exchange of RabbitMQ.
    RabbitMq(Box<RabbitMqDestination>),
}

impl Destination {
    /// Every `kind` there is.
    pub const KINDS: [&'static str; 7] = ["http", "file", "stdout", "nats", "postgres", "redis", "rabbitmq"];

    /// Its `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::File(_) => "file",
            Self::Stdout(_) => "stdout",
            Self::Nats(_) => "nats",
            Self::Postgres(_) => "postgres",
            Self::Redis(_) => "redis",
            Self::RabbitMq(_) => "rabbitmq",
        }
    }

    /// What all brokers and databases say alike.
    pub fn sending(&self) -> Option<Sending> {
        match self {
            Self::Http(_) | Self::File(_) | Self::Stdout(_) => None,
            Self::Nats(nats) => Some(nats.sending()),
            Self::Postgres(postgres) => Some(postgres.sending()),
            Self::Redis(redis) => Some(redis.sending()),
            Self::RabbitMq(rabbitmq) => Some(rabbitmq.sending()),
        }
    }

    /// What its deliveries are in order by, and what becomes of the key of one that is exhausted.
    pub fn order(&self) -> (Option<String>, OnExhausted) {
        match self {
            Self::Http(http) => (http.order_by.clone(), http.on_exhausted),
            Self::File(file) => (file.order_by.clone(), file.on_exhausted),
            Self::Stdout(stdout) => (stdout.order_by.clone(), stdout.on_exhausted),
            Self::Nats(nats) => (nats.order_by.clone(), nats.on_exhausted),
            Self::Postgres(postgres) => (postgres.order_by.clone(), postgres.on_exhausted),
            Self::Redis(redis) => (redis.order_by.clone(), redis.on_exhausted),
            Self::RabbitMq(rabbitmq) => (rabbitmq.order_by.clone(), rabbitmq.on_exhausted),
        }
    }
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
    /// A jq filter over what would be sent.
    pub transform: Option<String>,
    /// Standard Webhooks secrets; several give several signatures.
    #[serde(default)]
    pub signing_secret: Many<Secret>,
    /// PEM, authorities that are trusted instead of those of browsers.
    pub ca: Option<PathBuf>,
    /// How the gateway shows itself.
    pub client_cert: Option<ClientCert>,
    /// Sent with every delivery.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
    /// For the name, TCP and TLS; absent: five seconds, or `timeout` where that is shorter.
    pub connect_timeout: Option<Span>,
    /// From the connection to the head of the answer; absent: only `timeout` counts.
    pub first_byte_timeout: Option<Span>,
    /// For a whole attempt.
    #[serde(default = "Span::ten_seconds")]
    pub timeout: Span,
    /// Attempts at once.
    #[serde(default = "sixteen")]
    pub concurrency: usize,
    /// Attempts in a time.
    pub rate: Option<Rate>,
    /// When to leave it alone for a while.
    #[serde(default)]
    pub breaker: Breaker,
    /// When to try again.
    #[serde(default)]
    pub retry: Retry,
    /// What its deliveries are in order by: a CEL expression over the event.
    pub order_by: Option<String>,
    /// What becomes of the key of one that is exhausted.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
}

fn sixteen() -> usize {
    16
}

/// `client_cert = { cert = "c.pem", key = "k.pem" }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCert {
    /// PEM, the certificate with its chain behind it.
    pub cert: PathBuf,
    /// PEM, its key.
    pub key: PathBuf,
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
    /// What its deliveries are in order by: a CEL expression over the event.
    pub order_by: Option<String>,
    /// What becomes of the key of one that is exhausted.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
}

/// `kind = "stdout"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StdoutDestination {
    /// What a line holds.
    #[serde(default)]
    pub format: Format,
    /// What its deliveries are in order by: a CEL expression over the event.
    pub order_by: Option<String>,
    /// What becomes of the key of one that is exhausted.
    #[serde(default)]
    pub on_exhausted: OnExhausted,
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

/// What becomes of the key of a delivery that is exhausted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExhausted {
    /// The next one of the key goes.
    #[default]
    Release,
    /// The others of the key wait until an operator retries or cancels it.
    Hold,
}

/// `retry = { ... }`; what is not there has its default in `resolved`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Tries in all.
    pub attempts: Option<u32>,
    /// Before the second try.
    pub first: Option<Span>,
    /// Each wait is so many times the one before.
    pub factor: Option<f64>,
    /// No wait is longer.
    pub max: Option<Span>,
    /// The waits one by one, instead of those that grow.
    pub waits: Option<Vec<Span>>,
    /// A share of the wait, added or taken off at random.
    pub jitter: Option<f64>,
    /// No try comes later than so long after the event.
    pub deadline: Option<Span>,
}

/// `breaker = { ... }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Breaker {
    /// So many in a row open it; 0: none ever do.
    pub failures: u32,
    /// How long it stays open the first time.
    pub pause: Span,
    /// How long it stays open at most, after it has doubled.
    pub max_pause: Span,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 20, pause: Span::seconds(30), max_pause: Span::seconds(600) }
    }
}
