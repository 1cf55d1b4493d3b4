//! The load: keep-alive connections with one request under way each, on raw sockets, with requests that were made before.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cpu;
use crate::tally;

/// What requests may take of memory; who is quicker ends before the time is over.
const REQUESTS: usize = 200 << 20;
/// No machine that this was made for is quicker.
const PER_SECOND: usize = 120_000;

/// Requests that are all new, and who sends them.
pub(crate) struct Load {
    requests: Arc<Vec<u8>>,
    /// Bytes of one; all are of the same length.
    stride: usize,
    connections: usize,
    span: Duration,
}

/// What came of it.
pub(crate) struct Measured {
    /// Microseconds, sorted.
    latencies: Vec<u32>,
    took: Duration,
    cpu: Duration,
}

impl Load {
    /// Signed requests with bodies of so many bytes.
    pub(crate) fn new(bytes: usize, connections: usize, span: Duration) -> Self {
        let request = |number: usize| {
            let start = format!(r#"{{"id":"{number:010}","type":"counted","amount":10.00,"fill":""#);
            let body = format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2)).into_bytes();
            tally::request_with("user-agent: load\r\naccept: */*\r\n", &body)
        };
        let stride = request(0).len();
        let count = (REQUESTS / stride).min(span.as_millis() as usize * PER_SECOND / 1_000);
        let mut requests = Vec::with_capacity(count * stride);
        (0..count).for_each(|number| requests.extend(request(number)));
        Self { requests: Arc::new(requests), stride, connections, span }
    }

    /// Sends for the span, or until all are sent.
    pub(crate) fn run(&self, to: SocketAddr) -> Measured {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (next, before) = (Arc::new(AtomicUsize::new(0)), cpu::used());
        let (mut latencies, took) = runtime.block_on(async {
            let mut streams = Vec::new();
            for _ in 0..self.connections {
                let stream = TcpStream::connect(to).await.expect("it listens");
                stream.set_nodelay(true).expect("a socket");
                streams.push(stream);
            }
            let begun = Instant::now();
            let end = begun + self.span;
            let tasks = streams.into_iter().map(|stream| {
                let (requests, stride, next) = (self.requests.clone(), self.stride, next.clone());
                tokio::spawn(async move {
                    let mut next = || {
                        let at = next.fetch_add(1, Ordering::Relaxed) * stride;
                        requests.get(at..at + stride).filter(|_| Instant::now() < end)
                    };
                    send(stream, &mut next).await
                })
            });
            let mut latencies = Vec::new();
            for task in tasks.collect::<Vec<_>>() {
                latencies.extend(task.await.expect("every request is acknowledged"));
            }
            (latencies, begun.elapsed())
        });
        latencies.sort_unstable();
        Measured { latencies, took, cpu: cpu::used() - before }
    }
}

async fn send<'r>(mut stream: TcpStream, next: &mut impl FnMut() -> Option<&'r [u8]>) -> Vec<u32> {
    let (mut latencies, mut answer) = (Vec::new(), Vec::with_capacity(4_096));
    while let Some(request) = next() {
        let begun = Instant::now();
        stream.write_all(request).await.expect("sent");
        answer.clear();
        while !whole(&answer) {
            assert!(stream.read_buf(&mut answer).await.expect("an answer") > 0, "hung up");
        }
        assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer));
        latencies.push(begun.elapsed().as_micros() as u32);
    }
    latencies
}

/// Whether the head and as much body as it announces are there.
fn whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    const LENGTH: &[u8] = b"content-length: ";
    let at = answer[..end].windows(LENGTH.len()).position(|window| window == LENGTH).expect("a length") + LENGTH.len();
    let digits = answer[at..].iter().take_while(|byte| byte.is_ascii_digit());
    answer.len() >= end + 4 + digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}

impl Measured {
    /// Requests.
    pub(crate) fn count(&self) -> usize {
        self.latencies.len()
    }

    /// How long it took.
    pub(crate) fn took(&self) -> Duration {
        self.took
    }

    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency that this part of all is not above, microseconds.
    pub(crate) fn quantile(&self, part: f64) -> u32 {
        self.latencies[((self.latencies.len() - 1) as f64 * part) as usize]
    }

    /// What one request cost everybody but the load, microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.latencies.len() as f64
    }
}
