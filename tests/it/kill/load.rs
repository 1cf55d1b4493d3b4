//! Senders with ids that are never used twice; each remembers what it was told, and what it was not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::tally::request;

/// The senders of a test.
pub(super) struct Senders {
    senders: Vec<Sender>,
}

/// One of them; it sends one request after the other on one connection.
pub(super) struct Sender {
    name: usize,
    next: usize,
    /// Sent and not answered.
    open: Vec<String>,
    acked: BTreeMap<String, u16>,
}

/// Ids with the status that each was acknowledged with.
pub(super) struct Acked(BTreeMap<String, u16>);

impl Senders {
    pub(super) fn new(count: usize) -> Self {
        let sender = |name| Sender { name, next: 0, open: Vec::new(), acked: BTreeMap::new() };
        Self { senders: (0..count).map(sender).collect() }
    }

    /// Lets all of them send until the connection breaks.
    pub(super) fn start(&mut self, to: SocketAddr) -> Vec<JoinHandle<Sender>> {
        self.senders.drain(..).map(|sender| tokio::spawn(sender.send_on(to))).collect()
    }

    pub(super) async fn join(&mut self, sending: Vec<JoinHandle<Sender>>) {
        for sender in sending {
            self.senders.push(sender.await.expect("a sender does not panic"));
        }
    }

    /// Sends what was never answered until it is; says how many.
    pub(super) async fn settle(&mut self, to: SocketAddr) -> usize {
        let mut settled = 0;
        for sender in &mut self.senders {
            let mut stream = TcpStream::connect(to).await.expect("it listens");
            for id in std::mem::take(&mut sender.open) {
                let status = ask(&mut stream, &id).await.expect("an answer");
                assert!(matches!(status, 200 | 202), "{id} is answered {status}");
                sender.acked.insert(id, status);
                settled += 1;
            }
        }
        settled
    }

    pub(super) fn acked(&self) -> Acked {
        Acked(self.senders.iter().flat_map(|sender| sender.acked.clone()).collect())
    }
}

impl Acked {
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn duplicates(&self) -> usize {
        self.0.values().filter(|status| **status == 200).count()
    }
}

impl Sender {
    async fn send_on(mut self, to: SocketAddr) -> Self {
        let Ok(mut stream) = TcpStream::connect(to).await else { return self };
        loop {
            let id = format!("{}-{}", self.name, self.next);
            self.next += 1;
            let Ok(status) = ask(&mut stream, &id).await else {
                self.open.push(id);
                return self;
            };
            // 503 keeps nothing: it may be asked again like what was not answered.
            match status {
                202 => drop(self.acked.insert(id, status)),
                503 => self.open.push(id),
                other => panic!("{id} is answered {other}"),
            }
        }
    }
}

/// One request and the status of its whole answer.
async fn ask(stream: &mut TcpStream, id: &str) -> std::io::Result<u16> {
    stream.write_all(&request(id)).await?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        // The last byte of both answers; a cut one is none.
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            let reply = crate::wire::reply(&answer[..end + 4]).expect("an HTTP answer");
            let length: usize = reply.header("content-length").map_or(0, |text| text.parse().expect("a length"));
            if answer.len() >= end + 4 + length {
                return Ok(reply.status);
            }
        }
    }
}
