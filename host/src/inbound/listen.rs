//! The listener: accepts connections within the limit, serves HTTP/1.1 and HTTP/2 on them, and drains at the end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Inbound;

/// Bytes of a request's head.
const MAX_HEAD: usize = 64 << 10;
/// Headers of a request. For more than 100 hyper allocates 4 KiB with every request.
const MAX_HEADERS: usize = 100;
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 256;

/// A bound socket that serves providers.
pub struct Listener {
    socket: TcpListener,
    /// Asked anew for every connection and every request.
    inbound: Arc<ArcSwap<Inbound>>,
}

impl Listener {
    /// Serves what comes to the socket.
    pub fn new(socket: TcpListener, inbound: Arc<ArcSwap<Inbound>>) -> Self {
        Self { socket, inbound }
    }

    /// Accepts until `shutdown` turns true, then lets requests under way end, at most for `drain`.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>, drain: Duration) {
        let connections = Arc::new(Semaphore::new(self.inbound.load().limits.max_connections));
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.socket, &connections) => accepted,
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            let Some((stream, peer, permit)) = accepted else { continue };
            let connection = self.connection(stream, peer, &graceful);
            tokio::spawn(async move {
                connection.await;
                drop(permit);
            });
        }
        drop(self.socket);
        if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("some connections did not end within {drain:?} and are cut off");
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        graceful: &GracefulShutdown,
    ) -> impl Future<Output = ()> + use<> {
        let begun = Arc::new(AtomicBool::new(false));
        let (inbound, seen) = (self.inbound.clone(), begun.clone());
        let service = service_fn(move |request| {
            seen.store(true, Ordering::Relaxed);
            let inbound = inbound.load_full();
            async move { Ok::<_, Infallible>(inbound.exchange(peer.ip(), request).await) }
        });
        let patience = self.inbound.load().limits.request_timeout;
        let builder = builder(patience);
        let served = graceful.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
        async move {
            tokio::pin!(served);
            // Who sends no request at all holds the connection no longer than a slow head would.
            tokio::select! {
                ended = &mut served => return debug(ended),
                () = tokio::time::sleep(patience) => if !begun.load(Ordering::Relaxed) { return },
            }
            debug(served.await);
        }
    }
}

fn debug(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended early: {error}");
    }
}

fn builder(patience: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .half_close(true);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEAD as u32);
    http2.keep_alive_interval(Duration::from_secs(30)).keep_alive_timeout(patience);
    builder
}

/// The next connection; `None` when accepting failed, after a pause that lets descriptors come free.
async fn accept(
    socket: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer, permit))
        }
        Err(error) => {
            tracing::warn!("a connection could not be accepted: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
