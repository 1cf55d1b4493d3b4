//! The ceiling: hyper alone, which reads the body and answers what the gateway answers. Also what events are delivered to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A server on threads of its own; it ends with its value.
pub(crate) struct Bare {
    pub(crate) address: SocketAddr,
    /// Requests so far.
    pub(crate) taken: Arc<AtomicUsize>,
    _runtime: Runtime,
}

impl Bare {
    pub(crate) fn start() -> Self {
        let runtime = runtime("bare");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = taken.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("a socket");
                let counter = counter.clone();
                let service = service_fn(move |request| {
                    let counter = counter.clone();
                    async move {
                        let answer = answer(request).await;
                        counter.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(async move {
                    let _gone = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, taken, _runtime: runtime }
    }
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let _body = request.into_body().collect().await.expect("a body").to_bytes();
    let mut response = Response::new(Full::new(Bytes::from_static(br#"{"got":"0000000000"}"#)));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert("x-got", HeaderValue::from_static("0000000000"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// As many threads as `hookport serve` has; their name tells them apart in a profile.
pub(crate) fn runtime(name: &str) -> Runtime {
    tokio::runtime::Builder::new_multi_thread().thread_name(name).enable_all().build().expect("a runtime")
}
