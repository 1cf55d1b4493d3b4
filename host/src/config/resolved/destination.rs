//! `[destinations.NAME]`, resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use governor::Quota;
use hyper::header::HeaderMap;
use secrecy::SecretString;
use url::Url;

use super::{Broker, Retry};
use crate::config::environment::Environment;
use crate::config::resolve::headers;
use crate::config::units::Span;
use crate::config::written::{self, ClientCert, Format, HeaderText, HttpDestination, OnExhausted};

/// Where events go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An HTTP endpoint.
    Http(Box<Http>),
    /// A file of JSON lines.
    File {
        /// Appended to; created if missing.
        path: PathBuf,
        /// What a line holds.
        format: Format,
        /// When to try again.
        retry: Retry,
        /// What goes after what.
        order: Option<Order>,
    },
    /// Standard output.
    Stdout {
        /// What a line holds.
        format: Format,
        /// What goes after what.
        order: Option<Order>,
    },
    /// A broker or a database.
    Broker(Box<Broker>),
}

impl Destination {
    /// Takes what was written, with the values of `signing_secret`; only the URL can be wrong. Headers that cannot be sent
    /// are left out: whoever reads a whole configuration hears of them.
    pub fn of(written: &written::Destination, signing_secrets: Vec<SecretString>) -> Result<Self, String> {
        Ok(match written {
            written::Destination::Http(http) => Self::Http(Box::new(Http {
                url: Url::parse(&http.url).map_err(|error| error.to_string())?,
                allow_private: http.allow_private,
                format: http.format,
                transform: http.transform.clone(),
                signing_secrets,
                ca: http.ca.clone(),
                client_cert: http.client_cert.clone(),
                headers: headers(&http.headers),
                connect_timeout: Http::connect_timeout(http),
                first_byte_timeout: http.first_byte_timeout.map(|span| span.0),
                timeout: http.timeout.0,
                concurrency: http.concurrency,
                rate: http.rate.map(|rate| rate.0),
                breaker: Breaker::of(http.breaker),
                retry: Retry::of(&http.retry),
                order: Order::of(http.order_by.as_deref(), http.on_exhausted),
            })),
            written::Destination::File(file) => Self::File {
                path: file.path.clone(),
                format: file.format,
                retry: Retry::of(&file.retry),
                order: Order::of(file.order_by.as_deref(), file.on_exhausted),
            },
            written::Destination::Stdout(stdout) => Self::Stdout {
                format: stdout.format,
                order: Order::of(stdout.order_by.as_deref(), stdout.on_exhausted),
            },
            broker => Self::Broker(Box::new(Broker::of(broker)?)),
        })
    }

    /// What it gets.
    pub fn format(&self) -> Format {
        match self {
            Self::Http(http) => http.format,
            Self::File { format, .. } | Self::Stdout { format, .. } => *format,
            Self::Broker(broker) => broker.format,
        }
    }

    /// What goes after what, where it matters.
    pub fn order(&self) -> Option<&Order> {
        match self {
            Self::Http(http) => http.order.as_ref(),
            Self::File { order, .. } | Self::Stdout { order, .. } => order.as_ref(),
            Self::Broker(broker) => broker.order.as_ref(),
        }
    }
}

fn headers(written: &BTreeMap<String, HeaderText>) -> HeaderMap {
    let header = |(name, text): (&String, &HeaderText)| {
        let secret = text.load(&Environment::default()).ok()?;
        Some((name.parse().ok()?, headers::value(&secret)?))
    };
    written.iter().filter_map(header).collect()
}

/// `kind = "http"`.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where.
    pub url: Url,
    /// Whether private, loopback and link-local addresses are allowed.
    pub allow_private: bool,
    /// What is sent.
    pub format: Format,
    /// A jq filter over what would be sent.
    pub transform: Option<String>,
    /// Standard Webhooks secrets; several give several signatures.
    pub signing_secrets: Vec<SecretString>,
    /// PEM, authorities that are trusted instead of those of browsers.
    pub ca: Option<PathBuf>,
    /// How the gateway shows itself.
    pub client_cert: Option<ClientCert>,
    /// Sent with every delivery.
    pub headers: HeaderMap,
    /// For the name, TCP and TLS.
    pub connect_timeout: Duration,
    /// From the connection to the head of the answer.
    pub first_byte_timeout: Option<Duration>,
    /// For a whole attempt.
    pub timeout: Duration,
    /// Attempts at once.
    pub concurrency: usize,
    /// Attempts in a time.
    pub rate: Option<Quota>,
    /// When to leave it alone for a while; none: never.
    pub breaker: Option<Breaker>,
    /// When to try again.
    pub retry: Retry,
    /// What goes after what.
    pub order: Option<Order>,
}

/// `order_by` and `on_exhausted`: deliveries of one key go one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// CEL over the event; what it gives is the key.
    pub by: String,
    /// Whether one that is exhausted holds its key.
    pub hold: bool,
}

impl Order {
    /// Takes what was written; none where nothing is in order.
    pub fn of(by: Option<&str>, on_exhausted: OnExhausted) -> Option<Self> {
        by.map(|by| Self { by: by.to_owned(), hold: on_exhausted == OnExhausted::Hold })
    }
}

/// For a connection where nothing is said; nobody's network needs longer, and a retry finds another address.
const CONNECT: Duration = Duration::from_secs(5);

/// What was written, or five seconds; without a word never longer than the whole.
pub(super) fn connect_timeout(written: Option<Span>, whole: Span) -> Duration {
    written.map_or(CONNECT.min(whole.0), |span| span.0)
}

impl Http {
    pub(in crate::config) fn connect_timeout(written: &HttpDestination) -> Duration {
        connect_timeout(written.connect_timeout, written.timeout)
    }
}

/// When a destination that fails is left alone, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many in a row open it; at least 1.
    pub failures: u32,
    /// How long it stays open the first time.
    pub pause: Duration,
    /// It doubles up to this.
    pub max_pause: Duration,
}

impl Breaker {
    /// None where `failures` is 0.
    pub fn of(written: written::Breaker) -> Option<Self> {
        let written::Breaker { failures, pause, max_pause } = written;
        (failures > 0).then_some(Self { failures, pause: pause.0, max_pause: max_pause.0 })
    }
}
