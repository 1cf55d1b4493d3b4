//! Doors: sockets that are bound, and what serves them until they are closed.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::StartError;

/// A socket that nobody serves yet.
pub(super) struct Bound {
    pub(super) socket: TcpListener,
    /// As it was configured; its port may be 0.
    asked: SocketAddr,
    /// Where it is.
    pub(super) at: SocketAddr,
}

/// A socket that is served.
pub(super) struct Door {
    pub(super) asked: SocketAddr,
    pub(super) at: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Bound {
    pub(super) async fn new(key: &'static str, asked: SocketAddr) -> Result<Self, StartError> {
        let refused = |error| StartError::Listen { key, address: asked, error };
        let socket = TcpListener::bind(asked).await.map_err(refused)?;
        let at = socket.local_addr().unwrap_or(asked);
        Ok(Self { socket, asked, at })
    }

    /// Serves it until the receiver turns true.
    pub(super) fn open<S>(self, serve: impl FnOnce(TcpListener, watch::Receiver<bool>) -> S) -> Door
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(serve(self.socket, stopped));
        Door { asked: self.asked, at: self.at, stop, serving }
    }
}

impl Door {
    /// Nothing new comes in; the future ends when those who are inside have gone.
    pub(super) fn close(self) -> JoinHandle<()> {
        self.stop.send_replace(true);
        self.serving
    }
}
