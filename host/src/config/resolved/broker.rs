//! Destinations that a broker or a database keeps, resolved.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use governor::Quota;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::destination::connect_timeout;
use super::{Breaker, Order, Retry};
use crate::config::environment::Environment;
use crate::config::template::{Template, Word};
use crate::config::written::{self, ClientCert, Format, Sending};

/// What one attempt hands over, and where.
#[derive(Debug, Clone)]
pub struct Broker {
    /// Which kind, and where in it.
    pub to: To,
    /// Where the server is.
    pub server: BrokerServer,
    /// PEM, authorities that are trusted instead of those of browsers.
    pub ca: Option<PathBuf>,
    /// How the gateway shows itself.
    pub client_cert: Option<ClientCert>,
    /// For the name, TCP, TLS and login.
    pub connect_timeout: Duration,
    /// For a whole attempt.
    pub timeout: Duration,
    /// What is sent.
    pub format: Format,
    /// A jq filter over what would be sent.
    pub transform: Option<String>,
    /// Deliveries that one attempt takes.
    pub batch: usize,
    /// Attempts at once.
    pub concurrency: usize,
    /// Deliveries in a time.
    pub rate: Option<Quota>,
    /// When to leave it alone for a while; none: never.
    pub breaker: Option<Breaker>,
    /// When to try again.
    pub retry: Retry,
    /// What goes after what.
    pub order: Option<Order>,
}

/// A place in a broker or a database.
#[derive(Debug, Clone)]
pub enum To {
    /// JetStream.
    Nats {
        /// Which stream takes it, and what its consumers filter by.
        subject: Template,
        /// A user's file of credentials.
        credentials: Option<SecretString>,
    },
    /// PostgreSQL.
    Postgres {
        /// The table, or schema and table.
        table: String,
        /// By column, what goes into it; of exactly one it is the event's id.
        columns: Vec<(String, Template)>,
    },
    /// Redis Streams.
    Redis {
        /// The key of the stream.
        stream: Template,
        /// About so many entries are kept.
        max_len: Option<u64>,
    },
    /// RabbitMQ.
    RabbitMq {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: Template,
    },
}

impl To {
    /// As it is written under `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nats { .. } => "nats",
            Self::Postgres { .. } => "postgres",
            Self::Redis { .. } => "redis",
            Self::RabbitMq { .. } => "rabbitmq",
        }
    }

    fn format(&self) -> Format {
        match self {
            // Its columns have the rest.
            Self::Postgres { .. } => Format::Data,
            Self::Nats { .. } | Self::Redis { .. } | Self::RabbitMq { .. } => Format::CloudEvent,
        }
    }
}

/// A server's address, with the name and the password that it wants; a debug print shows neither.
#[derive(Clone)]
pub struct BrokerServer(Url);

impl BrokerServer {
    /// Takes a URL, and a password that it does not have itself. What was written is not repeated.
    pub fn new(url: &str, password: Option<&SecretString>) -> Result<Self, String> {
        let mut url = Url::parse(url).map_err(|error| format!("is not a URL: {error}"))?;
        if !url.has_host() {
            return Err("names no host".into());
        }
        if let Some(password) = password {
            url.set_password(Some(password.expose_secret())).map_err(|()| "cannot take a password".to_owned())?;
        }
        Ok(Self(url))
    }

    /// All of it.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// What may be shown.
    pub fn shown(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Debug for BrokerServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Broker {
    /// Takes what was written of a kind that is one of these.
    pub fn of(written: &written::Destination) -> Result<Self, String> {
        let plain = Environment::default();
        let to = To::of(written, |secret| secret.load(&plain).ok()).ok_or("is no broker")?;
        let sending = written.sending().ok_or("is no broker")?;
        let password = sending.password.as_ref().map(|secret| secret.load(&plain)).transpose()?;
        let server = BrokerServer::new(sending.url.load(&plain)?.expose_secret(), password.as_ref())?;
        Ok(Self::with(to, server, sending))
    }

    pub(in crate::config) fn with(to: To, server: BrokerServer, sending: Sending) -> Self {
        Self {
            server,
            ca: sending.ca,
            client_cert: sending.client_cert,
            connect_timeout: connect_timeout(sending.connect_timeout, sending.timeout),
            timeout: sending.timeout.0,
            format: sending.format.unwrap_or_else(|| to.format()),
            transform: sending.transform,
            batch: sending.batch,
            concurrency: sending.concurrency,
            rate: sending.rate.map(|rate| rate.0),
            breaker: Breaker::of(sending.breaker),
            retry: Retry::of(&sending.retry),
            order: Order::of(sending.order_by.as_deref(), sending.on_exhausted),
            to,
        }
    }
}

impl To {
    /// Takes what was written; none where it is no broker. A secret that cannot be had is left out: whoever reads a whole
    /// configuration hears of it.
    pub(in crate::config) fn of(
        written: &written::Destination,
        load: impl Fn(&written::Secret) -> Option<SecretString>,
    ) -> Option<Self> {
        Some(match written {
            written::Destination::Http(_) | written::Destination::File(_) | written::Destination::Stdout(_) => {
                return None;
            }
            written::Destination::Nats(nats) => {
                Self::Nats { subject: nats.subject.clone(), credentials: nats.credentials.as_ref().and_then(load) }
            }
            written::Destination::Redis(redis) => Self::Redis { stream: redis.stream.clone(), max_len: redis.max_len },
            written::Destination::RabbitMq(rabbitmq) => {
                Self::RabbitMq { exchange: rabbitmq.exchange.clone(), routing_key: rabbitmq.routing_key.clone() }
            }
            written::Destination::Postgres(postgres) => Self::Postgres {
                table: postgres.table.clone(),
                columns: postgres.columns.clone().map_or_else(columns, |columns| columns.into_iter().collect()),
            },
        })
    }
}

/// What a table has unless somebody says otherwise.
fn columns() -> Vec<(String, Template)> {
    let column = |(name, word): (&str, Word)| (name.to_owned(), Template::word(word));
    [
        ("id", Word::Id),
        ("source", Word::Source),
        ("type", Word::Type),
        ("subject", Word::Subject),
        ("time", Word::Time),
        ("data", Word::Payload),
    ]
    .map(column)
    .into()
}
