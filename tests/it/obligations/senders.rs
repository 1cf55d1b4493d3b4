//! Senders: each asks for one thing after the other, and again for what was not answered before it goes on, as senders do
//! that mind the order.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::ledger::{Entry, Ledger};
use crate::tally;

/// All senders of a test.
pub(super) struct Senders(Vec<Ledger>);

impl Senders {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(Ledger::new).collect())
    }

    /// Lets all of them send until their connections break.
    pub(super) fn start(&mut self, to: SocketAddr) -> Vec<JoinHandle<Ledger>> {
        self.0.drain(..).map(|ledger| tokio::spawn(send_on(ledger, to))).collect()
    }

    pub(super) async fn join(&mut self, sending: Vec<JoinHandle<Ledger>>) {
        for sender in sending {
            self.0.push(sender.await.expect("a sender does not panic"));
        }
    }

    /// Asks for what was never answered until it is; says how many.
    pub(super) async fn settle(&mut self, to: SocketAddr) -> usize {
        let mut settled = 0;
        for ledger in &mut self.0 {
            let mut stream = TcpStream::connect(to).await.expect("it listens");
            settled += usize::from(ledger.open().is_some());
            while let Some(id) = ledger.open() {
                ask(&mut stream, ledger, &id).await.expect("an answer");
            }
        }
        settled
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.0.iter().flat_map(|ledger| &ledger.entries)
    }
}

async fn send_on(mut ledger: Ledger, to: SocketAddr) -> Ledger {
    let Ok(mut stream) = TcpStream::connect(to).await else { return ledger };
    loop {
        let id = ledger.next();
        if ask(&mut stream, &mut ledger, &id).await.is_err() {
            return ledger;
        }
    }
}

/// Asks once and notes an acknowledgement; what is unavailable is asked for again.
async fn ask(stream: &mut TcpStream, ledger: &mut Ledger, id: &str) -> std::io::Result<()> {
    stream.write_all(&tally::request_with("", &ledger.entries[id].body)).await?;
    match answer(stream).await? {
        status @ (200 | 202) => ledger.acknowledged(id, status),
        503 => {}
        other => panic!("{id} is answered {other}"),
    }
    Ok(())
}

/// The status of a whole answer; a cut one is none.
async fn answer(stream: &mut TcpStream) -> std::io::Result<u16> {
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            let reply = crate::wire::reply(&answer[..end + 4]).expect("an HTTP answer");
            let length: usize = reply.header("content-length").map_or(0, |text| text.parse().expect("a length"));
            if answer.len() >= end + 4 + length {
                return Ok(reply.status);
            }
        }
    }
}
