//! A real HTTP server on a free loopback port, for what a test needs on the other side. What it answers is the test's.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server; it ends with its value.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts one that answers by `answer`.
    pub(crate) async fn start<A, F>(answer: A) -> Self
    where
        A: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = answer.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                        Ok::<_, Infallible>(answer(Request::from_parts(head, body)).await)
                    }
                });
                tokio::spawn(async move {
                    // A peer that goes away is the peer's business.
                    let _gone =
                        Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A destination that keeps what it gets and takes everything.
pub(crate) struct Receiver {
    /// Its server.
    pub(crate) server: Server,
    received: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Starts one.
    pub(crate) async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let keep = received.clone();
        let server = Server::start(move |request| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            keep.lock().expect("no test panics while it holds this").push(body);
            async { Response::new(Full::default()) }
        });
        Self { server: server.await, received }
    }

    /// The bodies received so far.
    pub(crate) fn received(&self) -> Vec<String> {
        self.received.lock().expect("no test panics while it holds this").clone()
    }
}
