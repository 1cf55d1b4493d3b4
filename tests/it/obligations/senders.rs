//! Senders: each asks for one thing after the other, and again for what was not answered before it goes on, as senders do
//! that mind the order.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::ledger::{Entry, Ledger};
use crate::tally;

/// Who is not served asks again after so long.
const PAUSE: Duration = Duration::from_millis(5);

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

    /// Lets each of them send to one of several gateways, and to another where one breaks off or now and then, until they
    /// are told to stop. Who comes and goes among the gateways is theirs to see.
    pub(super) fn roam(
        &mut self,
        among: &Arc<Mutex<Vec<SocketAddr>>>,
        stop: &Arc<AtomicBool>,
    ) -> Vec<JoinHandle<Ledger>> {
        self.0.drain(..).map(|ledger| tokio::spawn(roam(ledger, among.clone(), stop.clone()))).collect()
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

async fn roam(mut ledger: Ledger, among: Arc<Mutex<Vec<SocketAddr>>>, stop: Arc<AtomicBool>) -> Ledger {
    while !stop.load(Ordering::Relaxed) {
        let to = {
            let among = among.lock().expect("no panic");
            among.get(rand::rng().random_range(0..among.len().max(1))).copied()
        };
        let stream = match to {
            Some(to) => TcpStream::connect(to).await.ok(),
            None => None,
        };
        let Some(mut stream) = stream else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let many = rand::rng().random_range(1..50);
        for _ in 0..many {
            let id = ledger.next();
            if stop.load(Ordering::Relaxed) || ask(&mut stream, &mut ledger, &id).await.is_err() {
                break;
            }
        }
    }
    ledger
}

/// Asks once and notes an acknowledgement; what is unavailable is asked for again.
async fn ask(stream: &mut TcpStream, ledger: &mut Ledger, id: &str) -> std::io::Result<()> {
    stream.write_all(&tally::request_with("", &ledger.entries[id].body)).await?;
    match answer(stream).await? {
        status @ (200 | 202) => ledger.acknowledged(id, status),
        503 => tokio::time::sleep(PAUSE).await,
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
