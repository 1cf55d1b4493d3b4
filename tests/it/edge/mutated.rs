//! Requests that are nearly right, thousands of them: each is made from its number, so the same come every time. Longer
//! campaigns with more of everything are in `tests/fuzz`.

use std::net::SocketAddr;

use hookport::clock::Clock;
use hookport::journal::EventFilter;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::PATIENCE;
use crate::cases::file::Case;
use crate::cases::gateway::Running;
use crate::catalogue;

const REQUESTS: u64 = 2_000;
/// At the same time.
const LINES: u64 = 4;
/// JSON, a form and a query in the signed text, a signature in the body, and one that may come once.
const PROVIDERS: [&str; 5] = ["stripe", "twilio", "midtrans", "mailgun", "github"];
/// Its secret is known.
const KNOWN: &str = "generic-hmac-sha256";

/// What is put where it does not belong.
const PIECES: [&[u8]; 16] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"%zz",
    b"&a=1&a=2",
    b"{\"a\":1,\"a\":",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Expect: 100-continue\r\n",
    b"HTTP/1.1\r\n",
    b"POST /stripe HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_nearly_a_request_is_answered_or_hung_up_on_and_is_no_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let gateway = Running::start_by(Clock::default(), folder.path(), &configuration(folder.path())).await;
    let gateway = gateway.unwrap_or_else(|error| panic!("{error}"));
    let requests: Vec<Vec<u8>> = PROVIDERS.iter().map(|provider| accepted(provider)).collect();
    let mut lines = JoinSet::new();
    for line in 0..LINES {
        let (to, requests) = (gateway.public, requests.clone());
        lines.spawn(async move {
            for number in (line..REQUESTS).step_by(LINES as usize) {
                let request = mutated(&requests, number);
                let answer = exchange(to, &request).await;
                let taken = [b"HTTP/1.1 2", b"HTTP/1.0 2"].iter().any(|line| has(&answer, *line));
                assert!(!taken, "{number}: {:?}", String::from_utf8_lossy(&answer));
            }
        });
    }
    lines.join_all().await;
    let good = exchange(gateway.public, &accepted(KNOWN)).await;
    assert!(good.starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&good));
    let events = gateway.journal.events(EventFilter { limit: 10, ..EventFilter::default() }).await.expect("a journal");
    let ids: Vec<_> = events.iter().map(|event| event.provider_id.as_deref()).collect();
    assert_eq!(ids, [Some("4f1c0001")], "only what is signed");
    gateway.stop().await;
}

/// All but one have a secret that no request is signed with.
fn configuration(folder: &std::path::Path) -> String {
    let source = |provider: &&str, secret: &str| {
        format!(
            "[sources.{provider}]\nprovider = {provider:?}\npublic_url = \"https://x\"\nsecrets.main = {{ value = {secret:?} }}\n"
        )
    };
    let sources: String =
        PROVIDERS.iter().map(|provider| source(provider, "a secret that nobody signs with")).collect();
    format!(
        "admin.listen = \"127.0.0.1:0\"\njournal.path = {:?}\nserver = {{ listen = \"127.0.0.1:0\", request_timeout = \"5s\" }}\n{sources}{}",
        folder.join("data"),
        source(&KNOWN, "test-secret-of-generic-hmac-sha256"),
    )
}

fn accepted(provider: &str) -> Vec<u8> {
    let case = Case::read(&catalogue::folder().join(provider).join("fixtures/accepted.http"));
    case.and_then(|case| case.wire(None)).unwrap_or_else(|error| panic!("{provider}: {error}"))
}

/// One of the requests, changed in up to four places.
fn mutated(requests: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(number);
    let mut request = requests[random.random_range(0..requests.len())].clone();
    for _ in 0..random.random_range(1..=4) {
        let from = random.random_range(0..request.len());
        let to = random.random_range(from..request.len().min(from + 64)) + 1;
        match random.random_range(0..6) {
            0 => request[from] ^= 1 << random.random_range(0..8),
            1 => drop(request.drain(from..to)),
            2 => drop(request.splice(from..from, PIECES[random.random_range(0..PIECES.len())].iter().copied())),
            3 => drop(request.splice(from..from, request[from..to].to_vec())),
            4 => drop(request.splice(from..from, vec![request[from]; 5_000])),
            _ => request.truncate(to),
        }
        if request.is_empty() {
            return request;
        }
    }
    request
}

/// What comes until the other side ends; how it ends is its own business.
async fn exchange(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let talk = async {
        let mut stream = TcpStream::connect(to).await.expect("it listens");
        let (mut from, mut into) = stream.split();
        let write = async {
            let _gone = into.write_all(request).await;
            let _gone = into.shutdown().await;
        };
        let _gone = tokio::join!(write, from.read_to_end(&mut answer));
    };
    timeout(PATIENCE, talk).await.expect("an answer or the end");
    answer
}

fn has(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}
