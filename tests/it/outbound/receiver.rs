//! A destination: an HTTP server that records what it gets and answers as it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    Status(u16),
    With(u16, &'static str, String),
    Text(u16, String),
    After(Duration, u16),
    Nothing,
}

#[derive(Default)]
struct State {
    got: Mutex<Vec<Got>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

/// A running server; it ends with its runtime.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

impl Receiver {
    /// Answers the first requests with `script`, and all later ones with its last entry.
    pub(crate) async fn start(script: impl Into<Vec<Say>>) -> Self {
        let script: Arc<[Say]> = script.into().into();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, script) = (shared.clone(), script.clone());
                let service = service_fn(move |request| answer(state.clone(), script.clone(), request));
                tokio::spawn(async move {
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks?key=1", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.state.got.lock().unwrap().clone()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.state.most_at_once.load(Ordering::SeqCst)
    }
}

async fn answer(
    state: Arc<State>,
    script: Arc<[Say]>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let at_once = state.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    state.most_at_once.fetch_max(at_once, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let say = {
        let mut got = state.got.lock().unwrap();
        got.push(Got { line: format!("{} {}", head.method, head.uri), headers: head.headers, body });
        script[(got.len() - 1).min(script.len() - 1)].clone()
    };
    let respond =
        |status: u16, text: String| Response::builder().status(status).body(Full::new(Bytes::from(text))).unwrap();
    let response = match say {
        Say::Status(status) => respond(status, String::new()),
        Say::Text(status, text) => respond(status, text),
        Say::With(status, name, value) => {
            let mut response = respond(status, String::new());
            response.headers_mut().insert(name, value.parse().unwrap());
            response
        }
        Say::After(wait, status) => {
            tokio::time::sleep(wait).await;
            respond(status, String::new())
        }
        Say::Nothing => std::future::pending().await,
    };
    state.at_once.fetch_sub(1, Ordering::SeqCst);
    Ok(response)
}
