//! A real HTTPS server on a free loopback port, whose certificate for `localhost` is signed by a root of our own.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::keys::RemoteKeys;
use hookport::net::Client;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const ROOT: &[u8] = include_bytes!("../outbound/tls/root.der");
const SERVER: &[u8] = include_bytes!("../outbound/tls/server.der");
const SERVER_KEY: &[u8] = include_bytes!("../outbound/tls/server.key.der");

/// What the server says; a status of 0 is no answer at all.
#[derive(Debug, Clone)]
pub(super) struct Says {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Says {
    pub(super) fn ok(body: impl Into<Bytes>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }
}

/// A server; it ends with its value.
pub(super) struct Https {
    pub(super) port: u16,
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Https {
    pub(super) async fn start(says: Says) -> Self {
        let acceptor = acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let (says, asked) = (Arc::new(Mutex::new(says)), Arc::new(AtomicUsize::new(0)));
        let (now, count) = (says.clone(), asked.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, now, count) = (acceptor.clone(), now.clone(), count.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |_: Request<hyper::body::Incoming>| {
                        count.fetch_add(1, Ordering::SeqCst);
                        answer(now.lock().expect("no test panics while it holds this").clone())
                    });
                    let served =
                        Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                    // A peer that goes away is the peer's business.
                    drop(served);
                });
            }
        });
        Self { port, says, asked, task }
    }

    pub(super) fn says(&self, says: Says) {
        *self.says.lock().expect("no test panics while it holds this") = says;
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

impl Drop for Https {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(says: Says) -> Result<Response<Full<Bytes>>, Infallible> {
    if says.status == 0 {
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(says.status);
    for (name, value) in says.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(says.body)).expect("a response"))
}

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(SERVER)], PrivatePkcs8KeyDer::from(SERVER_KEY).into())
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}

/// What fetches keys and trusts that root alone.
pub(super) fn keys(clock: &Clock) -> RemoteKeys {
    let client = |allow_private| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ROOT)).expect("a root");
        Client::trusting(roots, allow_private)
    };
    RemoteKeys::with_clients(clock.clone(), client(false), client(true))
}
