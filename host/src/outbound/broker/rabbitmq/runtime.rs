//! The network that the client is given: Tokio's, with the gateway's own TLS, which looks at certificates as for HTTP does.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_rs::traits::{Executor, Reactor, RuntimeKit};
use async_rs::util::Task;
use async_rs::{Runtime, Tokio};
use futures_util::Stream as Items;
use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::tcp::AsyncTcpStream;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::config::resolved::BrokerServer;
use crate::net::stream::{self, Stream};

/// Connects, and logs in.
pub(super) async fn connect(
    server: &BrokerServer,
    uri: AMQPUri,
    tls: Option<Arc<rustls::ClientConfig>>,
    properties: ConnectionProperties,
) -> Result<Connection, lapin::Error> {
    let (url, port) = (server.url().clone(), if tls.is_some() { 5671 } else { 5672 });
    let connecting = move |_: AMQPUri, _: Runtime<Net>| {
        let (url, tls) = (url.clone(), tls.clone());
        async move { Ok(AsyncTcpStream::Plain(stream::connect(&url, port, tls).await?.compat())) }
    };
    Connection::connector(uri, Runtime::new(Net(Tokio::current())), connecting, properties).await
}

/// Tokio, but for what a connection is.
#[derive(Debug, Clone)]
struct Net(Tokio);

impl RuntimeKit for Net {}

impl Executor for Net {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, f: F) -> T {
        self.0.block_on(f)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.0.spawn(f)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(&self, f: F) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(f)
    }
}

impl Reactor for Net {
    type TcpStream = Compat<Box<dyn Stream>>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.0.register(socket)
    }

    fn sleep(&self, dur: Duration) -> Self::Sleep {
        self.0.sleep(dur)
    }

    fn interval(&self, dur: Duration) -> impl Items<Item = Instant> + Send + 'static {
        self.0.interval(dur)
    }

    fn tcp_connect_addr(&self, addr: SocketAddr) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        plain(addr)
    }
}

/// Only for who asks for an address without a name; the client does not.
async fn plain(addr: SocketAddr) -> io::Result<Compat<Box<dyn Stream>>> {
    let stream: Box<dyn Stream> = Box::new(TcpStream::connect(addr).await?);
    Ok(stream.compat())
}
