//! A destination: where deliveries go, how many at once, and when to try again. How each kind sends is left to
//! `http` and `lines`.

use std::sync::Arc;

use governor::Quota;
use jiff::Timestamp;

use super::Open;
use super::broker::Broker;
use super::condition::ConditionError;
use super::http::Endpoint;
use super::judge::Reply;
use super::lines::Lines;
use super::payload;
use super::sign::SecretError;
use super::transform::FilterError;
use crate::config::resolved::{self, Breaker, Format, Retry, Waits};
use crate::config::written::ClientCert;
use crate::event::{Data, Event};
use crate::journal::Claimed;
use crate::net::tls::{Identity, Tls, TlsError, roots};
use crate::traces::Context;
use std::path::Path;

/// Lines that share one sync.
const LINES_AT_ONCE: usize = 64;

/// A destination, checked and ready.
pub struct Destination {
    name: Arc<str>,
    retry: Retry,
    concurrency: usize,
    holds: bool,
    rate: Option<Quota>,
    breaker: Option<Breaker>,
    kind: Kind,
}

enum Kind {
    Http(Box<Endpoint>),
    Lines(Lines, Format),
    Broker(Broker),
}

/// Why a destination cannot be built; the text begins with the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Not one that HTTP can be sent to.
    #[error("url: {0}")]
    Url(String),
    /// Not HTTP.
    #[error("url: `{0}` is not sent to; it must begin with http:// or https://")]
    Scheme(String),
    /// Not a key.
    #[error("signing_secret: {0}")]
    Secret(#[from] SecretError),
    /// Nothing would ever be sent.
    #[error("concurrency: it must be at least 1")]
    Concurrency,
    /// Nothing would ever arrive.
    #[error("timeout: it must be longer than 0s")]
    Timeout,
    /// Not a file of authorities.
    #[error("ca: {0}")]
    Ca(TlsError),
    /// Not a certificate and its key.
    #[error("client_cert: {0}")]
    ClientCert(#[from] TlsError),
    /// Not a jq filter.
    #[error("transform: {0}")]
    Transform(#[from] FilterError),
    /// A filter, and nothing that it can read.
    #[error("transform: it is a filter over JSON, and raw sends the provider's own bytes")]
    TransformOfRaw,
    /// Not a name that can be made of an event.
    #[error("{key}: {error}")]
    Name {
        /// Which one.
        key: String,
        /// What is wrong with its expression.
        error: ConditionError,
    },
    /// Not what the server's client takes.
    #[error("{0}: {1}")]
    Client(&'static str, String),
    /// Built without its client.
    #[error("kind: is not in this build: build it with `cargo build --release --features {0}`")]
    NotBuiltIn(&'static str),
    /// A policy that cannot be followed.
    #[error("retry.{0}")]
    Retry(&'static str),
}

impl Destination {
    /// Makes a resolved destination ready.
    pub fn build(name: &str, destination: &resolved::Destination) -> Result<Self, DestinationError> {
        use resolved::Destination::{File, Http, Stdout};
        let (kind, retry) = match destination {
            Http(http) => (Kind::Http(Box::new(Endpoint::build(http)?)), http.retry.clone()),
            File { path, format, retry, .. } => (Kind::Lines(Lines::File(path.clone()), *format), retry.clone()),
            Stdout { format, .. } => (Kind::Lines(Lines::Stdout, *format), Retry::default()),
            resolved::Destination::Broker(broker) => (Kind::Broker(Broker::build(broker)?), broker.retry.clone()),
        };
        check(&retry)?;
        let (concurrency, rate, breaker) = match destination {
            Http(http) => (http.concurrency, http.rate, http.breaker),
            File { .. } | Stdout { .. } => (1, None, None),
            resolved::Destination::Broker(broker) => (broker.concurrency, broker.rate, broker.breaker),
        };
        let holds = destination.order().is_some_and(|order| order.hold);
        Ok(Self { name: name.into(), retry, concurrency, holds, rate, breaker, kind })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it gets requests and not events, so that the events of one request are one delivery.
    pub fn is_once_per_request(&self) -> bool {
        let format = match &self.kind {
            Kind::Http(endpoint) => endpoint.format(),
            Kind::Lines(_, format) => *format,
            Kind::Broker(broker) => broker.format(),
        };
        format == Format::Raw
    }

    pub(super) fn retry(&self) -> &Retry {
        &self.retry
    }

    /// Whether a delivery that is exhausted holds its key.
    pub fn holds(&self) -> bool {
        self.holds
    }

    /// How many may be sent in a time.
    pub(super) fn rate(&self) -> Option<Quota> {
        self.rate
    }

    /// When it is left alone for a while.
    pub(super) fn breaker(&self) -> Option<Breaker> {
        self.breaker
    }

    /// Batches that may be under way at once.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Deliveries that one attempt takes.
    pub(super) fn batch(&self) -> usize {
        match &self.kind {
            Kind::Http(_) => 1,
            Kind::Lines(..) => LINES_AT_ONCE,
            Kind::Broker(broker) => broker.batch(),
        }
    }

    /// Delivers a batch; one reply for each delivery, in order.
    pub(super) async fn deliver(
        &self,
        batch: &[Claimed],
        contexts: &[Context],
        opener: &Arc<dyn Open>,
        now: Timestamp,
    ) -> Vec<Reply> {
        match &self.kind {
            Kind::Http(endpoint) => {
                let mut replies = Vec::with_capacity(batch.len());
                for (n, claimed) in batch.iter().enumerate() {
                    let event = opened(&claimed.event, endpoint.format(), opener).await;
                    let context = contexts.get(n).copied();
                    replies.push(endpoint.deliver(&event, &claimed.request, context, now).await);
                }
                replies
            }
            Kind::Lines(lines, format) => write_lines(lines, *format, batch, opener).await,
            Kind::Broker(broker) => broker.deliver(batch, opener).await,
        }
    }
}

/// An event that cannot be written fails alone.
async fn write_lines(lines: &Lines, format: Format, batch: &[Claimed], opener: &Arc<dyn Open>) -> Vec<Reply> {
    let mut prepared = Vec::with_capacity(batch.len());
    for claimed in batch {
        let event = opened(&claimed.event, format, opener).await;
        prepared.push(payload::line(format, &event, &claimed.request));
    }
    let written = lines.write(prepared.iter().filter_map(|line| line.as_ref().ok().cloned()).collect()).await;
    let mut written = written.into_iter();
    let reply = |line: &Result<_, serde_json::Error>| match line {
        Ok(_) => written.next().unwrap_or_else(|| Reply::Failed("the line was not written".into())),
        Err(error) => Reply::Unsent(format!("the event cannot be written as JSON: {error}")),
    };
    prepared.iter().map(reply).collect()
}

/// The event with its encrypted fields in plain text, which exists only for as long as it is sent. Decryption takes
/// milliseconds, so it leaves the async thread.
pub(super) async fn opened(event: &Arc<Event>, format: Format, opener: &Arc<dyn Open>) -> Arc<Event> {
    let Data::Json(data) = &event.data else { return event.clone() };
    if format == Format::Raw || !opener.opens(event) {
        return event.clone();
    }
    let (reader, closed) = (opener.clone(), event.clone());
    let opening = tokio::task::spawn_blocking(move || reader.open(&closed)).await;
    // A panic costs the attempt; sending the event closed would be worse.
    let (opened, warnings) = opening.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    for warning in warnings {
        tracing::warn!(event = %event.id, source = %event.source, "{warning}");
    }
    if opened == *data {
        return event.clone();
    }
    Arc::new(Event { data: Data::Json(opened), ..Event::clone(event) })
}

/// The files are read here, so that a reload of the configuration renews them.
pub(super) fn tls(ca: Option<&Path>, client_cert: Option<&ClientCert>) -> Result<Tls, DestinationError> {
    let roots = ca.map(roots).transpose().map_err(DestinationError::Ca)?;
    let identity = client_cert.map(|files| Identity::read(&files.cert, &files.key)).transpose()?;
    Ok(Tls { roots, identity, pinned: None })
}

fn check(retry: &Retry) -> Result<(), DestinationError> {
    let wrong = match &retry.waits {
        _ if retry.attempts == 0 => "attempts: it must be at least 1",
        _ if !(0.0..=1.0).contains(&retry.jitter) => "jitter: it must lie between 0.0 and 1.0",
        Waits::Growing { factor, .. } if !(factor.is_finite() && *factor >= 1.0) => {
            "factor: it must be a number from 1.0"
        }
        Waits::Growing { first, .. } if first.is_zero() => "first: it must be longer than 0s",
        Waits::Listed(waits) if waits.is_empty() || waits.iter().any(std::time::Duration::is_zero) => {
            "waits: there must be some, and each must be longer than 0s"
        }
        Waits::Growing { .. } | Waits::Listed(_) => return Ok(()),
    };
    Err(DestinationError::Retry(wrong))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn build(text: &str, secrets: &[&str]) -> Result<Destination, String> {
        let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        let resolved = resolved::Destination::of(&toml::from_str(text).unwrap(), secrets)
            .map_err(|error| format!("url: {error}"))?;
        Destination::build("d", &resolved).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_key() {
        for (text, secret, expected) in [
            (r#"url = "crm.internal/hooks""#, "s", "url: "),
            (r#"url = "ftp://crm.internal/""#, "s", "url: `ftp`"),
            (r#"url = "https://x/", signing_secret = []"#, "whsec_?", "signing_secret: "),
            (r#"url = "https://x/", concurrency = 0"#, "s", "concurrency: "),
            (r#"url = "https://x/", timeout = "0s""#, "s", "timeout: "),
            (r#"url = "https://x/", retry = { attempts = 0 }"#, "s", "retry.attempts: "),
            (r#"url = "https://x/", retry = { factor = 0.5 }"#, "s", "retry.factor: "),
            (r#"url = "https://x/", retry = { jitter = 2.0 }"#, "s", "retry.jitter: "),
            (r#"url = "https://x/", retry = { first = "0s" }"#, "s", "retry.first: "),
            (r#"url = "https://x/", retry = { waits = [] }"#, "s", "retry.waits: "),
        ] {
            let text = format!("kind = \"http\"\n{}", text.replace(", ", "\n"));
            let error = build(&text, &[secret]).err().unwrap_or_default();
            assert!(error.starts_with(expected), "{text}: {error:?}");
        }
    }

    #[test]
    fn only_raw_is_sent_once_per_request() {
        for (format, expected) in [("cloudevent", false), ("data", false), ("raw", true)] {
            let text = format!("kind = \"http\"\nurl = \"https://x/\"\nformat = \"{format}\"");
            assert_eq!(build(&text, &[]).unwrap().is_once_per_request(), expected);
        }
        assert!(!build("kind = \"stdout\"", &[]).unwrap().is_once_per_request());
    }
}
