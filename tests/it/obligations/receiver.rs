//! A destination that fails, stalls, and takes without saying so, all by chance; it writes down what came, in its order.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rand::RngExt;
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::ledger::Said;
use crate::process::PATIENCE;

/// Longer than the destination's time-out.
const STALL: Duration = Duration::from_millis(1_500);

/// A running destination; it ends with its runtime.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    came: Mutex<Came>,
    /// Connections that are open.
    open: AtomicUsize,
    /// From now on it takes everything at once.
    kind: AtomicBool,
    wrong: Mutex<Vec<String>>,
}

/// What came so far.
#[derive(Default)]
pub(super) struct Came {
    /// The bytes of each event, by its sender's id.
    pub(super) bodies: BTreeMap<String, Bytes>,
    /// Numbers by account, in the order of their coming.
    pub(super) order: BTreeMap<String, Vec<u64>>,
    pub(super) count: usize,
    /// Attempts that the sender must take for failures.
    pub(super) refused: usize,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.open.fetch_add(1, Ordering::SeqCst);
                let state = shared.clone();
                tokio::spawn(async move {
                    let answering = state.clone();
                    let service = service_fn(move |request| {
                        let state = answering.clone();
                        async move { answer(&state, request).await }
                    });
                    let builder = Builder::new(TokioExecutor::new());
                    let _gone = builder.serve_connection(TokioIo::new(stream), service).await;
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, state }
    }

    /// Waits until nothing of a sender that was killed can come any more.
    pub(super) async fn settled(&self) {
        // Whoever connected before this one was accepted before it.
        let mut last = TcpStream::connect(self.address).await.expect("it listens");
        last.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.expect("it is taken");
        last.read_to_end(&mut Vec::new()).await.expect("an answer");
        let end = Instant::now() + PATIENCE;
        while self.state.open.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < end, "a killed process holds its connections");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// From now on nothing fails.
    pub(super) fn be_kind(&self) {
        self.state.kind.store(true, Ordering::SeqCst);
    }

    /// How many deliveries came so far.
    pub(super) fn count(&self) -> usize {
        self.state.came.lock().expect("no panic").count
    }

    /// How many of these have not come.
    pub(super) fn missing(&self, ids: &BTreeSet<&String>) -> usize {
        let came = self.state.came.lock().expect("no panic");
        ids.iter().filter(|id| !came.bodies.contains_key(**id)).count()
    }

    /// What came; complaints about bytes that changed between two deliveries end the test.
    pub(super) fn came(&self) -> Came {
        let wrong = std::mem::take(&mut *self.state.wrong.lock().expect("no panic"));
        assert!(wrong.is_empty(), "{wrong:#?}");
        std::mem::take(&mut self.state.came.lock().expect("no panic"))
    }
}

async fn answer(state: &State, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let cloudevent = request.headers().get("content-type").is_some_and(|kind| kind == "application/cloudevents+json");
    let status = |status: u16| Response::builder().status(status).body(Full::default()).expect("a response");
    let Ok(body) = request.into_body().collect().await else { return Ok(status(400)) };
    let body = body.to_bytes();
    if body.is_empty() {
        return Ok(status(204));
    }
    let chance = match state.kind.load(Ordering::SeqCst) {
        true => 100,
        false => rand::rng().random_range(0..100),
    };
    if chance < 8 {
        state.came.lock().expect("no panic").refused += 1;
        return Ok(status(500));
    }
    state.take(if cloudevent { data(&body) } else { body });
    Ok(match chance {
        // It has the event, and its sender does not learn it.
        8..14 => status(503),
        14..16 => {
            tokio::time::sleep(STALL).await;
            status(200)
        }
        _ => status(200),
    })
}

/// The data of a CloudEvent as it was written.
fn data(body: &Bytes) -> Bytes {
    #[derive(serde::Deserialize)]
    struct Event<'b> {
        #[serde(borrow)]
        data: &'b RawValue,
    }
    let event: Event<'_> = serde_json::from_slice(body).expect("a CloudEvent");
    body.slice_ref(event.data.get().as_bytes())
}

impl State {
    fn take(&self, body: Bytes) {
        let said: Said = serde_json::from_slice(&body).expect("an event of ours");
        let mut came = self.came.lock().expect("no panic");
        came.count += 1;
        came.order.entry(said.account).or_default().push(said.number);
        let before = came.bodies.entry(said.id.clone()).or_insert_with(|| body.clone());
        if *before != body {
            self.wrong.lock().expect("no panic").push(format!("{}: {before:?} and then {body:?}", said.id));
        }
    }
}
