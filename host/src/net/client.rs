//! The HTTP client: pooled, HTTP/1.1 and HTTP/2 over TLS, time limits, bounded answers, no redirects and no proxies.
//! What an answer means is left to those who call.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{self, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use tokio::time::{Instant, timeout, timeout_at};

use super::connect::Timed;
use super::failure::SendError;
use super::guard::Guard;
use super::preface::Preface;
use super::tls::Tls;

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
    inner: legacy::Client<Timed<HttpsConnector<Preface<Guard>>>, Full<Bytes>>,
}

/// How long an exchange may take; the time for a connection belongs to the client.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the connection to the head of the answer.
    pub first_byte: Option<Duration>,
    /// All of it.
    pub whole: Duration,
}

impl From<Duration> for Limits {
    fn from(whole: Duration) -> Self {
        Self { first_byte: None, whole }
    }
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

impl Client {
    /// A client that trusts the roots of browsers; without `allow_private` it connects to public addresses only.
    pub fn new(allow_private: bool) -> Self {
        Self::build(&Tls::default(), allow_private, None)
    }

    /// A client that trusts these roots alone.
    pub fn trusting(roots: RootCertStore, allow_private: bool) -> Self {
        Self::build(&Tls { roots: Some(roots.into()), ..Tls::default() }, allow_private, None)
    }

    /// A client with its own TLS and its own time for a connection.
    ///
    /// Variables such as `HTTPS_PROXY` are not looked at: a proxy would resolve the name again, behind the guard.
    pub fn build(tls: &Tls, allow_private: bool, connect: Option<Duration>) -> Self {
        Self::over(Guard::new(allow_private), &[], tls, connect)
    }

    /// A client for listeners of this machine: each of its connections begins with these bytes, before TLS.
    pub fn beginning_with(bytes: &'static [u8], tls: &Tls) -> Self {
        Self::over(Guard::new(true), bytes, tls, None)
    }

    fn over(guard: Guard, first: &'static [u8], tls: &Tls, connect: Option<Duration>) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.config())
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Preface::new(guard, first));
        let inner = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PONG)
            .http2_keep_alive_while_idle(true)
            .build(Timed::new(connector, connect));
        Self { inner }
    }

    /// Sends a request and reads up to `keep` bytes of the answer, all within the limits.
    ///
    /// An answer whose head came in time is an answer, however its body goes on.
    pub async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        keep: usize,
        limits: impl Into<Limits>,
    ) -> Result<Answer, SendError> {
        let limits = limits.into();
        let end = Instant::now() + limits.whole;
        let connection = capture_connection(&mut request);
        let answering = begun(self.inner.request(request), connection, limits.first_byte);
        match timeout_at(end, answering).await {
            Err(_) => Err(SendError::Timeout(limits.whole)),
            Ok(response) => Ok(read(response?, keep, end).await),
        }
    }
}

/// The head of the answer, not later than so long after the connection was there, new or kept.
async fn begun(
    answering: ResponseFuture,
    mut connection: CaptureConnection,
    limit: Option<Duration>,
) -> Result<Response<Incoming>, SendError> {
    let Some(limit) = limit else { return Ok(answering.await?) };
    let mut answering = pin!(answering);
    let connected = async { drop(connection.wait_for_connection_metadata().await) };
    tokio::select! {
        biased;
        answered = &mut answering => return Ok(answered?),
        () = connected => {}
    }
    match timeout(limit, answering).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(SendError::FirstByte(limit)),
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
