//! The listener: accepts connections within the limit, looks whether its certificate has changed, and drains at the end.
//! What happens on a connection is `connection`'s.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Inbound, connection};

/// The certificate's files are looked at so often.
const LOOK: Duration = Duration::from_secs(2);

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
        let mut places = Places::new(self.most());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            places.be(self.most());
            let accepted = tokio::select! {
                accepted = accept(&self.socket, &places.free) => accepted,
                _ = look.tick() => {
                    self.look();
                    continue;
                }
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let served = connection::serve(self.inbound.clone(), stream, peer.ip(), shutdown.clone());
            tokio::spawn(async move {
                served.await;
                drop(place);
            });
        }
        drop(self.socket);
        // All places are free when all connections have ended.
        if timeout(drain, places.free.acquire_many(places.count)).await.is_err() {
            tracing::warn!("some connections did not end within {drain:?} and are cut off");
        }
    }

    fn most(&self) -> u32 {
        u32::try_from(self.inbound.load().limits.max_connections).unwrap_or(u32::MAX)
    }

    /// A file server may be slow, and nobody waits for it.
    fn look(&self) {
        if let Some(tls) = self.inbound.load().limits.tls.clone() {
            tokio::task::spawn_blocking(move || tls.look());
        }
    }
}

/// Places for connections; a change of the configuration may make them more or fewer.
struct Places {
    free: Arc<Semaphore>,
    count: u32,
}

impl Places {
    fn new(count: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(count as usize)), count }
    }

    fn be(&mut self, count: u32) {
        if count > self.count {
            self.free.add_permits((count - self.count) as usize);
            self.count = count;
        }
        // Those that are taken go when they come free.
        while self.count > count && self.free.forget_permits(1) == 1 {
            self.count -= 1;
        }
    }
}

/// The next connection; `None` when accepting failed, after a pause that lets descriptors come free.
async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!("a connection could not be accepted: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
