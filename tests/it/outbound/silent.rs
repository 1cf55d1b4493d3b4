//! A destination that agrees on HTTP/2 and then falls silent: its connection takes requests for ever, and answers none.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookport::journal::Outcome;
use http_body_util::Empty;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::ledger::{Ledger, Row};
use super::{event, local, plain_request, run, until};
use crate::certificate::certify;

/// An empty frame of settings: all that a server must say for a connection to be one.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

/// A server whose first connection is silent, and all others well; says its port and how many there were.
async fn silent_at_first(folder: &Path) -> (u16, Arc<AtomicUsize>) {
    certify(folder);
    let chain = vec![CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let builder = ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), counted.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    stream.write_all(&SETTINGS).await.unwrap();
                    stream.flush().await.unwrap();
                    std::future::pending::<()>().await;
                }
                let service = service_fn(|_: Request<hyper::body::Incoming>| async {
                    Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
                });
                let _gone =
                    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (port, connections)
}

/// One delivery until it has arrived.
async fn delivered(more: &str) -> (Row, usize) {
    let folder = tempfile::tempdir().unwrap();
    let (port, connections) = silent_at_first(folder.path()).await;
    let ledger = Arc::new(Ledger::default());
    ledger.add("crm", event(1), plain_request());
    let ca = folder.path().join("cert.pem");
    let more = format!("ca = '{}'\n{more}\nretry = {{ attempts = 1000, first = '50ms', max = '100ms' }}", ca.display());
    let running = run(ledger, vec![local("crm", &format!("https://localhost:{port}/"), &more)]);
    until("it has arrived", || running.ledger.row(0).outcomes.last() == Some(&Outcome::Delivered)).await;
    let row = running.ledger.row(0);
    running.stop().await;
    (row, connections.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_silent_connection_is_found_out_by_a_ping_and_the_next_try_has_another() {
    let (row, connections) = delivered("timeout = '10m'\nfirst_byte_timeout = '10m'").await;
    assert_eq!((row.attempts.len(), connections), (2, 2), "{:?}", row.attempts);
    let error = row.attempts[0].error.as_deref().unwrap_or_default();
    assert!(error.contains("keep-alive"), "{error}");
}

#[tokio::test]
async fn a_try_on_a_silent_connection_ends_at_its_deadline_and_the_connection_with_its_ping() {
    let (row, connections) = delivered("timeout = '1s'").await;
    let errors: Vec<_> = row.attempts.iter().filter_map(|attempt| attempt.error.as_deref()).collect();
    assert_eq!(errors.first(), Some(&"no answer within 1s"), "{errors:?}");
    assert!(connections >= 2 && errors.len() == row.attempts.len() - 1, "{connections} connections: {errors:?}");
}
