//! Connections over TLS: HTTP/2 where the server speaks it, one connection for many requests, and only roots that are
//! trusted. `root.der` signed `server.der` for `localhost`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookport::net::Client;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const ROOT: &[u8] = include_bytes!("tls/root.der");
const SERVER: &[u8] = include_bytes!("tls/server.der");
const SERVER_KEY: &[u8] = include_bytes!("tls/server.key.der");

/// A server that answers with the version it was spoken to in; says its port and how many connections it took.
async fn server(protocols: &[&str]) -> (u16, Arc<AtomicUsize>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(SERVER)], PrivatePkcs8KeyDer::from(SERVER_KEY).into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), counted.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                counted.fetch_add(1, Ordering::SeqCst);
                let service = service_fn(|request: Request<hyper::body::Incoming>| async move {
                    let version = format!("{:?}", request.version());
                    Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(version))))
                });
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (port, connections)
}

fn trusting() -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ROOT)).unwrap();
    Client::trusting(roots, true)
}

fn get(host: &str, port: u16) -> Request<Full<Bytes>> {
    Request::get(format!("https://{host}:{port}/")).body(Full::default()).unwrap()
}

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_version_is_agreed_upon_and_the_connection_is_kept() {
    for (protocols, expected) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"][..], "HTTP/1.1"), (&[][..], "HTTP/1.1")]
    {
        let (port, connections) = server(protocols).await;
        let client = trusting();
        for _ in 0..5 {
            let answer = client.send(get("localhost", port), 100, LIMIT).await.unwrap();
            assert_eq!((answer.status.as_u16(), &answer.body[..], answer.whole), (200, expected.as_bytes(), true));
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{expected}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_or_for_another_name_is_refused() {
    let (port, _) = server(&["h2"]).await;
    let error = Client::new(true).send(get("localhost", port), 100, LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
    let error = trusting().send(get("127.0.0.1", port), 100, LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
}

#[tokio::test]
async fn a_body_is_kept_up_to_the_limit_and_said_to_be_cut() {
    let (port, _) = server(&["h2"]).await;
    let answer = trusting().send(get("localhost", port), 4, LIMIT).await.unwrap();
    assert_eq!((&answer.body[..], answer.whole), (&b"HTTP"[..], false));
}
