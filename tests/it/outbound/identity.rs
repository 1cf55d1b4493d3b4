//! Authorities of one's own and client certificates: a server that asks who calls, and what is said when it is not told.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hookport::journal::Outcome;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::ledger::{Ledger, Row};
use super::{event, local, plain_request, run, until};

/// An authority, and the files that it makes.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a test's authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// Certificate and key as PEM files, and the pair itself.
    pub(super) fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let files = ["pem", "key"].map(|ending| self.folder.path().join(format!("{name}.{ending}")));
        std::fs::write(&files[0], certificate.pem()).unwrap();
        std::fs::write(&files[1], key.serialize_pem()).unwrap();
        let [certificate, key] = files;
        (certificate, key)
    }

    /// A server for `localhost` of this authority that asks for certificates of `clients`; it counts its requests.
    async fn serve(&self, clients: Option<&Authority>) -> (u16, Arc<Mutex<Vec<String>>>) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(clients.roots(), provider).build().unwrap(),
            ),
        };
        let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], der).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        listen(TlsAcceptor::from(Arc::new(config))).await
    }
}

async fn listen(acceptor: TlsAcceptor) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let got = Arc::new(Mutex::new(Vec::new()));
    let record = got.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, record) = (acceptor.clone(), record.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let shown = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let line = format!("{:?} with {shown} certificates", request.version());
                    record.lock().unwrap().push(line);
                    async { Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::new()))) }
                });
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (port, got)
}

async fn tried(port: u16, more: &str) -> Row {
    let ledger = Arc::new(Ledger::default());
    ledger.add("crm", event(1), plain_request());
    let more = format!("{more}\ntimeout = '30s'\nconnect_timeout = '30s'\nretry = {{ first = '1h' }}");
    let running = run(ledger, vec![local("crm", &format!("https://localhost:{port}/"), &more)]);
    until("it was tried", || !running.ledger.row(0).attempts.is_empty()).await;
    let row = running.ledger.row(0);
    running.stop().await;
    row
}

fn error(row: &Row) -> &str {
    row.attempts[0].error.as_deref().unwrap_or_default()
}

fn ca(authority: &Authority) -> String {
    format!("ca = '{}'", authority.ca().display())
}

fn client(cert: &Path, key: &Path) -> String {
    format!("client_cert = {{ cert = '{}', key = '{}' }}", cert.display(), key.display())
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_and_others_are_not() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (port, got) = ours.serve(None).await;
    assert_eq!(tried(port, &ca(&ours)).await.outcomes, [Outcome::Delivered]);
    assert_eq!(*got.lock().unwrap(), ["HTTP/2.0 with 0 certificates"]);
    for more in [ca(&theirs), String::new()] {
        let row = tried(port, &more).await;
        assert!(error(&row).contains("nobody trusted here signed the server's certificate"), "{}", error(&row));
    }
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_authority_that_is_shown_as_a_servers_own_certificate_is_said_in_words() {
    let ours = Authority::new();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(ours.issuer.key().serialize_der()).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![ours.issuer.der().clone()], key).unwrap();
    let (port, _) = listen(TlsAcceptor::from(Arc::new(config))).await;
    let row = tried(port, &ca(&ours)).await;
    assert!(error(&row).contains("shows the certificate of an authority as its own"), "{}", error(&row));
}

#[tokio::test]
async fn a_server_that_asks_who_calls_is_told() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (port, got) = servers.serve(Some(&clients)).await;
    let (cert, key) = clients.issue("gateway");
    let row = tried(port, &format!("{}\n{}", ca(&servers), client(&cert, &key))).await;
    assert_eq!(row.outcomes, [Outcome::Delivered], "{}", error(&row));
    assert_eq!(*got.lock().unwrap(), ["HTTP/2.0 with 1 certificates"]);

    let row = tried(port, &ca(&servers)).await;
    assert!(error(&row).contains("client_cert"), "{}", error(&row));
    let (cert, key) = strangers.issue("stranger");
    let row = tried(port, &format!("{}\n{}", ca(&servers), client(&cert, &key))).await;
    assert!(error(&row).contains("client_cert"), "{}", error(&row));
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[test]
fn files_that_cannot_be_used_are_said_when_the_destination_is_made() {
    let authority = Authority::new();
    let ((cert, key), (_, other)) = (authority.issue("one"), authority.issue("two"));
    let folder = authority.folder.path();
    let (empty, broken, none) = (folder.join("empty.pem"), folder.join("broken.pem"), folder.join("none.pem"));
    std::fs::write(&empty, "").unwrap();
    std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for (more, key, words) in [
        (format!("ca = '{}'", none.display()), "ca: ", "cannot be read"),
        (format!("ca = '{}'", empty.display()), "ca: ", "holds no certificate"),
        (format!("ca = '{}'", broken.display()), "ca: ", "certificate that is none"),
        (client(&none, &key), "client_cert: ", "none.pem cannot be read"),
        (client(&cert, &none), "client_cert: ", "none.pem cannot be read"),
        (client(&cert, &cert), "client_cert: ", "holds no private key"),
        (client(&cert, &other), "client_cert: ", "is not the key of the first certificate"),
        (client(&broken, &key), "client_cert: ", "certificate that is none"),
    ] {
        let written = format!("kind = 'http'\nurl = 'https://x/'\n{more}");
        let resolved = hookport::config::resolved::Destination::of(&toml::from_str(&written).unwrap(), Vec::new());
        let error = hookport::outbound::Destination::build("crm", &resolved.unwrap()).err().unwrap().to_string();
        assert!(error.starts_with(key) && error.contains(words), "{error}");
    }
}
