//! Destinations that a broker or a database keeps, as written: `kind = "nats"` and its like.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Breaker, ClientCert, Format, HeaderText, OnExhausted, Retry, Secret};
use crate::config::template::Template;
use crate::config::units::{Rate, Span};

/// What all of them say alike.
#[derive(Debug, Clone)]
pub struct Sending {
    /// Where; with a password it is a secret.
    pub url: HeaderText,
    /// Goes into the URL.
    pub password: Option<Secret>,
    /// PEM, authorities that are trusted instead of those of browsers.
    pub ca: Option<PathBuf>,
    /// How the gateway shows itself.
    pub client_cert: Option<ClientCert>,
    /// For the name, TCP, TLS and login; absent: five seconds, or `timeout` where that is shorter.
    pub connect_timeout: Option<Span>,
    /// For a whole attempt.
    pub timeout: Span,
    /// What is sent; absent: what the kind has it for.
    pub format: Option<Format>,
    /// A jq filter over what would be sent.
    pub transform: Option<String>,
    /// Deliveries that one attempt takes.
    pub batch: usize,
    /// Attempts at once.
    pub concurrency: usize,
    /// Deliveries in a time.
    pub rate: Option<Rate>,
    /// When to leave it alone for a while.
    pub breaker: Breaker,
    /// When to try again.
    pub retry: Retry,
    /// What its deliveries are in order by: a CEL expression over the event.
    pub order_by: Option<String>,
    /// What becomes of the key of one that is exhausted.
    pub on_exhausted: OnExhausted,
}

/// A kind with its own keys before those that all have. Serde could flatten them, and then an unknown or a wrong key would
/// lose its place.
macro_rules! sent_to {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(missing_docs)]
        pub struct $name {
            $($own)*
            pub url: HeaderText,
            pub password: Option<Secret>,
            pub ca: Option<PathBuf>,
            pub client_cert: Option<ClientCert>,
            pub connect_timeout: Option<Span>,
            #[serde(default = "Span::ten_seconds")]
            pub timeout: Span,
            pub format: Option<Format>,
            pub transform: Option<String>,
            #[serde(default = "hundred")]
            pub batch: usize,
            #[serde(default = "one")]
            pub concurrency: usize,
            pub rate: Option<Rate>,
            #[serde(default)]
            pub breaker: Breaker,
            #[serde(default)]
            pub retry: Retry,
            pub order_by: Option<String>,
            #[serde(default)]
            pub on_exhausted: OnExhausted,
        }

        impl $name {
            /// What all kinds say alike.
            pub fn sending(&self) -> Sending {
                Sending {
                    url: self.url.clone(),
                    password: self.password.clone(),
                    ca: self.ca.clone(),
                    client_cert: self.client_cert.clone(),
                    connect_timeout: self.connect_timeout,
                    timeout: self.timeout,
                    format: self.format,
                    transform: self.transform.clone(),
                    batch: self.batch,
                    concurrency: self.concurrency,
                    rate: self.rate,
                    breaker: self.breaker,
                    retry: self.retry.clone(),
                    order_by: self.order_by.clone(),
                    on_exhausted: self.on_exhausted,
                }
            }
        }
    };
}

fn hundred() -> usize {
    100
}

fn one() -> usize {
    1
}

sent_to! {
    /// `kind = "nats"`: a stream of JetStream.
    NatsDestination {
        /// The subject.
        pub subject: Template,
        /// A user's file of credentials (JWT and seed).
        pub credentials: Option<Secret>,
    }
}

sent_to! {
    /// `kind = "redis"`: a stream.
    RedisDestination {
        /// The key of the stream.
        pub stream: Template,
        /// About so many entries are kept.
        pub max_len: Option<u64>,
    }
}

sent_to! {
    /// `kind = "rabbitmq"`: an exchange.
    RabbitMqDestination {
        /// The exchange; the empty name is the default exchange, where a routing key is a queue's name.
        pub exchange: String,
        /// The routing key.
        pub routing_key: Template,
    }
}

sent_to! {
    /// `kind = "postgres"`: a table.
    PostgresDestination {
        /// The table, or schema and table.
        pub table: String,
        /// What goes into which column; absent: id, source, type, subject, time and data.
        pub columns: Option<BTreeMap<String, Template>>,
    }
}
