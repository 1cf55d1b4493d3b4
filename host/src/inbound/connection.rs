//! One connection: a PROXY header and TLS where they are configured, then HTTP/1.1 or HTTP/2, and nobody holds it by being
//! slow or silent.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::addresses::Place;
use super::lent::Lent;
use super::peer::is_trusted;
use super::socket::Socket;
use super::{Inbound, proxy};

/// Bytes of a request's head.
const MAX_HEAD: usize = 32 << 10;
/// Headers of a request. For more than 100 hyper allocates 4 KiB with every request.
const MAX_HEADERS: usize = 100;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;
/// Streams that their sender takes back before they are looked at: more end the connection.
const MAX_RESETS: usize = 64;
/// Bytes of one body that HTTP/2 may send ahead of being read.
const STREAM_WINDOW: u32 = 256 << 10;
/// The same of all bodies of a connection.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of one answer that wait for their receiver.
const SEND_BUFFER: usize = 64 << 10;
/// A connection of HTTP/2 without requests is ended after so long; one of HTTP/1.1 after the time for a head.
const IDLE: Duration = Duration::from_secs(60);

/// Why a connection is closed before anything is said on it.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("it does not come from one of server.trusted_proxies, and server.proxy_protocol is on")]
    Stranger,
    #[error("{0}")]
    Proxy(#[from] proxy::Wrong),
    #[error("its address has server.max_connections_per_address already")]
    TooMany,
    #[error("its PROXY header did not come in time")]
    Slow,
}

/// Serves a connection to its end.
pub(super) async fn serve(
    inbound: Arc<ArcSwap<Inbound>>,
    mut stream: TcpStream,
    socket: IpAddr,
    mut stop: watch::Receiver<bool>,
) {
    let now = inbound.load_full();
    let begun = tokio::select! {
        begun = begin(&now, &mut stream, socket) => begun,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    let (peer, unread, _place) = match begun {
        Ok(begun) => begun,
        // As health checks do.
        Err(Closed::Proxy(proxy::Wrong::Ended(error))) => {
            return tracing::debug!(peer = %socket, "no PROXY header: {error}");
        }
        Err(closed) => {
            if let Some(suppressed) = now.log.pass() {
                tracing::warn!(peer = %socket, suppressed, "a connection is closed: {closed}");
            }
            return;
        }
    };
    let patience = now.limits.request_timeout;
    let socket = Socket::new(stream, unread, patience);
    let Some(tls) = &now.limits.tls else { return http(inbound, socket, peer, stop).await };
    let shaken = tokio::select! {
        shaken = timeout(patience, tls.acceptor().accept(socket)) => shaken,
        _ = stop.wait_for(|stop| *stop) => return,
    };
    match shaken {
        Ok(Ok(stream)) => http(inbound, stream, peer, stop).await,
        Ok(Err(error)) => tracing::debug!(%peer, "no TLS: {error}"),
        Err(_) => tracing::debug!(%peer, "no TLS within {patience:?}"),
    }
}

/// Who connects, what was read beyond that, and the connection's place among those of its address.
async fn begin(
    inbound: &Inbound,
    stream: &mut TcpStream,
    socket: IpAddr,
) -> Result<(IpAddr, Bytes, Option<Place>), Closed> {
    let limits = &inbound.limits;
    let (mut peer, mut unread) = (socket, Bytes::new());
    if limits.proxy_protocol {
        if !is_trusted(socket, &limits.trusted_proxies) {
            return Err(Closed::Stranger);
        }
        let (caller, rest) = timeout(limits.request_timeout, proxy::read(stream)).await.map_err(|_| Closed::Slow)??;
        (peer, unread) = (caller.unwrap_or(socket), rest);
    }
    let place = match limits.max_connections_per_address {
        Some(most) if !is_trusted(peer, &limits.trusted_proxies) => {
            Some(inbound.addresses.enter(peer, most).ok_or(Closed::TooMany)?)
        }
        _ => None,
    };
    Ok((peer, unread, place))
}

async fn http<S>(inbound: Arc<ArcSwap<Inbound>>, stream: S, peer: IpAddr, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let patience = inbound.load().limits.request_timeout;
    let (lent, talk) = (Lent::new(stream), Arc::new(Talk::new()));
    let service = {
        let talk = talk.clone();
        service_fn(move |request| {
            let (inbound, turn) = (inbound.load_full(), talk.clone().turn());
            async move {
                let response = inbound.exchange(peer, request).await;
                drop(turn);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let builder = builder(patience);
    let mut served = Box::pin(builder.serve_connection(TokioIo::new(lent.lend()), service));
    let (mut ending, mut until) = (false, Instant::now() + patience);
    let slow = loop {
        tokio::select! {
            ended = served.as_mut() => break ended.err().is_some_and(|error| is_timeout(&*error)),
            _ = stop.wait_for(|stop| *stop), if !ending => {
                ending = true;
                served.as_mut().graceful_shutdown();
            }
            () = sleep_until(until) => match talk.quiet_since() {
                Quiet::Never => until = Instant::now() + patience,
                Quiet::FromTheStart => break true,
                Quiet::Since(last) if last + IDLE > Instant::now() => until = last + IDLE,
                Quiet::Since(_) if ending => break false,
                Quiet::Since(_) => {
                    (ending, until) = (true, Instant::now() + patience);
                    served.as_mut().graceful_shutdown();
                }
            },
        }
    };
    drop(served);
    if slow {
        lent.too_slow().await;
    }
}

fn builder(patience: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(patience).half_close(true);
    http1.max_buf_size(MAX_HEAD).max_headers(MAX_HEADERS);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30)).keep_alive_timeout(patience);
    http2.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEAD as u32).max_send_buf_size(SEND_BUFFER);
    http2.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    http2.max_pending_accept_reset_streams(MAX_RESETS).max_local_error_reset_streams(MAX_RESETS);
    builder
}

/// Whether HTTP/1.1 gave up waiting for a head.
fn is_timeout(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    tracing::debug!("a connection ended early: {error}");
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
}

/// What is said on a connection: requests under way, and since when there are none.
struct Talk {
    under_way: AtomicUsize,
    /// The end of the last request.
    last: Mutex<Option<Instant>>,
}

enum Quiet {
    /// Requests are under way.
    Never,
    /// There was none yet.
    FromTheStart,
    /// The last one ended then.
    Since(Instant),
}

impl Talk {
    fn new() -> Self {
        Self { under_way: AtomicUsize::new(0), last: Mutex::new(None) }
    }

    /// A request's time; dropped when it is answered or taken back.
    fn turn(self: Arc<Self>) -> Turn {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        Turn(self)
    }

    fn quiet_since(&self) -> Quiet {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last {
            _ if self.under_way.load(Ordering::Relaxed) > 0 => Quiet::Never,
            None => Quiet::FromTheStart,
            Some(last) => Quiet::Since(last),
        }
    }
}

struct Turn(Arc<Talk>);

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}
