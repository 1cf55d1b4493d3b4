//! The HTTP client: pooled, HTTP/1.1 and HTTP/2 over TLS, one time limit for the whole exchange, bounded answers,
//! no redirects. What an answer means is left to those who call.

use std::error::Error as _;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, WantsVersions};
use tokio::time::{Instant, timeout_at};

use super::guard::{self, Guard};

/// Kept no longer than most servers keep it, so that a request seldom meets a connection that is being closed.
const IDLE: Duration = Duration::from_secs(30);

/// A connection of HTTP/2 that went silent would take every request of the pool with it; a ping finds that out.
const PING: Duration = Duration::from_secs(10);
/// A ping without an answer ends its connection after so long.
const PONG: Duration = Duration::from_secs(5);

/// Of an answer that nobody wants whole, so much more is read and thrown away to keep its connection.
const DISCARDED: usize = 64 * 1024;

/// A pooled client; clones share the pool.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<HttpsConnector<Guard>, Full<Bytes>>,
}

/// An answer with at most so much of its body as was wanted.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or the start of it.
    pub body: Bytes,
    /// Whether the body is whole.
    pub whole: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SendError {
    /// It took too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// An address that may not be connected to.
    #[error("{0}")]
    Refused(String),
    /// Name, address, connection, TLS or protocol.
    #[error("{0}")]
    Connection(String),
}

impl Client {
    /// A client that trusts the roots of browsers; without `allow_private` it connects to public addresses only.
    pub fn new(allow_private: bool) -> Self {
        static TLS: LazyLock<ClientConfig> = LazyLock::new(|| {
            let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
            versions(builder).with_webpki_roots().with_no_client_auth()
        });
        Self::with_tls(TLS.clone(), allow_private)
    }

    /// A client that trusts these roots alone.
    pub fn trusting(roots: RootCertStore, allow_private: bool) -> Self {
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        Self::with_tls(versions(builder).with_root_certificates(roots).with_no_client_auth(), allow_private)
    }

    fn with_tls(tls: ClientConfig, allow_private: bool) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Guard::new(allow_private));
        let inner = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PONG)
            .http2_keep_alive_while_idle(true)
            .build(connector);
        Self { inner }
    }

    /// Sends a request and reads up to `keep` bytes of the answer, all within `limit`.
    ///
    /// An answer whose head came in time is an answer, however its body goes on.
    pub async fn send(&self, request: Request<Full<Bytes>>, keep: usize, limit: Duration) -> Result<Answer, SendError> {
        let end = Instant::now() + limit;
        let response = match timeout_at(end, self.inner.request(request)).await {
            Err(_) => return Err(SendError::Timeout(limit)),
            Ok(Err(error)) if guard::refused(&error) => return Err(SendError::Refused(words(&error))),
            Ok(Err(error)) => return Err(SendError::Connection(words(&error))),
            Ok(Ok(response)) => response,
        };
        Ok(read(response, keep, end).await)
    }
}

/// Reads what is kept, then discards a bounded rest.
async fn read(response: Response<Incoming>, keep: usize, end: Instant) -> Answer {
    let (head, mut body) = response.into_parts();
    let mut kept = BytesMut::new();
    let mut discarded = 0;
    let whole = loop {
        match timeout_at(end, body.frame()).await {
            Ok(None) => break discarded == 0,
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                let room = data.len().min(keep - kept.len());
                kept.extend_from_slice(&data[..room]);
                discarded += data.len() - room;
                if discarded > DISCARDED {
                    break false;
                }
            }
            Ok(Some(Err(_))) | Err(_) => break false,
        }
    };
    Answer { status: head.status, headers: head.headers, body: kept.freeze(), whole }
}

/// TLS 1.2 and 1.3.
fn versions(builder: ConfigBuilder<ClientConfig, WantsVersions>) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    builder.with_safe_default_protocol_versions().expect("the provider supports the default TLS versions")
}

/// The whole chain below the client's own error, which says little; a cause that repeats the one before is left out.
fn words(error: &legacy::Error) -> String {
    let mut cause = error.source();
    let mut words = cause.map_or_else(|| error.to_string(), ToString::to_string);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.ends_with(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}
