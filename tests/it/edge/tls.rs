//! TLS on the listener: real handshakes, versions agreed upon, certificates that change while connections live.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::gate::Gate;
use super::line::Line;
use crate::certificate::{certify, replace};
use crate::process::Folder;
use crate::tally::{PATH, body, head, request, signature};

fn tls(folder: &TempDir) -> String {
    format!("tls = {{ cert = {0:?}, key = {1:?} }}", folder.path().join("cert.pem"), folder.path().join("key.pem"))
}

/// Connects as one who trusts this certificate alone.
async fn connect(
    gateway: std::net::SocketAddr,
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let builder = builder.with_protocol_versions(versions).expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(gateway).await?).await
}

async fn line(gate: &Gate, trusted: &CertificateDer<'static>) -> std::io::Result<Line> {
    connect(gate.address, trusted, &[&TLS13], &[]).await.map(Line::over)
}

#[tokio::test(flavor = "multi_thread")]
async fn http1_is_served_over_both_versions_of_tls() {
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = certify(folder.path());
    let gate = Gate::with(&tls(&folder), "").await;
    for (version, protocols, name) in [(&TLS12, &["http/1.1"][..], "a"), (&TLS13, &[][..], "b")] {
        let stream = connect(gate.address, &trusted, &[version], protocols).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), protocols.first().map(|name| name.as_bytes()));
        let mut line = Line::over(stream);
        assert_eq!(line.ask(request(name)).await.status, 202);
        assert_eq!(line.ask(request(name)).await.status, 200);
    }
    assert_eq!(gate.kept().await, ["a", "b"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_agreed_upon_by_alpn() {
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = certify(folder.path());
    let gate = Gate::with(&tls(&folder), "").await;
    let stream = connect(gate.address, &trusted, &[&TLS13], &["h2", "http/1.1"]).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    for n in 0..20 {
        let body = body(&format!("{n:02}"));
        let request = Request::post(format!("https://localhost{PATH}"))
            .header("content-type", "application/json")
            .header("x-signature", signature(&body))
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 202);
        assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), format!("{{\"got\":\"{n:02}\"}}"));
    }
    assert_eq!(gate.kept().await.len(), 20);
    drop(sender);
    let _ended = connection.await;
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_changes_is_used_and_connections_live_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = certify(folder.path());
    let gate = Gate::with(&tls(&folder), "").await;
    let mut before = line(&gate, &first).await.expect("a handshake");
    assert_eq!(before.ask(request("a")).await.status, 202);
    let second = certify(folder.path());
    let end = tokio::time::Instant::now() + super::PATIENCE;
    let mut after = loop {
        // The old connection stays in use meanwhile.
        assert_eq!(before.ask(request("a")).await.status, 200);
        match line(&gate, &second).await {
            Ok(line) => break line,
            Err(error) => assert!(tokio::time::Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(after.ask(request("b")).await.status, 202);
    assert_eq!(before.ask(request("c")).await.status, 202);
    assert!(line(&gate, &first).await.is_err(), "the old certificate is still shown");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_that_cannot_be_used_is_said_and_the_old_one_stays() {
    let folder = Folder::new("");
    let (cert, key) = (folder.path("cert.pem"), folder.path("key.pem"));
    let home = cert.parent().expect("a folder").to_owned();
    let first = certify(&home);
    folder.reconfigure("server.listen", &format!("server.tls = {{ cert = {cert:?}, key = {key:?} }}\nserver.listen"));
    let process = folder.serve();
    let other = rcgen::KeyPair::generate().expect("a key");
    replace(&key, &other.serialize_pem());
    let said = process.says("stays in use");
    assert!(said.contains("server.tls.key") && said.contains("is not the key of the first certificate"), "{said}");
    let checked = folder.run(&["check"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.said.contains("server.tls.key: "), "{checked:?}");
    replace(&cert, "nothing");
    assert!(process.says("stays in use").contains("holds no certificate"));
    let mut line = Line::over(connect(process.address, &first, &[&TLS13], &[]).await.expect("the old pair"));
    assert_eq!(line.ask(request("a")).await.status, 202);
    let second = certify(&home);
    process.says("is in use");
    let mut line = Line::over(connect(process.address, &second, &[&TLS13], &[]).await.expect("the new pair"));
    assert_eq!(line.ask(request("b")).await.status, 202);
    assert_eq!(process.stop().code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("");
    let (cert, key) = (folder.path("cert.pem"), folder.path("key.pem"));
    certify(cert.parent().expect("a folder"));
    folder.reconfigure("server.listen", &format!("server.tls = {{ cert = {cert:?}, key = {key:?} }}\nserver.listen"));
    for (mode, warned) in [(0o600, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        let checked = folder.run(&["check"]);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        assert_eq!(checked.said.contains("chmod 600"), warned, "{mode:o}: {checked:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_stall_hold_nobody_up_and_are_hung_up_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = certify(folder.path());
    let gate = Gate::with(&format!("{}\nrequest_timeout = \"1s\"\nmax_connections = 20", tls(&folder)), "").await;
    let mut stalled = Vec::new();
    for n in 0..19 {
        let mut stream = TcpStream::connect(gate.address).await.expect("it listens");
        // The first bytes of a greeting that does not go on.
        stream.write_all(&[22, 3, 1, 2, 0][..n % 6]).await.expect("it is taken");
        stalled.push(stream);
    }
    let mut line = line(&gate, &trusted).await.expect("a handshake");
    assert_eq!(line.ask(request("a")).await.status, 202);
    for mut stream in stalled {
        let ended = tokio::time::timeout(super::PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        let _closed_or_reset = ended.expect("it is hung up on");
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_plainly_to_tls_is_hung_up_on() {
    let folder = tempfile::tempdir().expect("a folder");
    certify(folder.path());
    let gate = Gate::with(&tls(&folder), "").await;
    let mut stream = TcpStream::connect(gate.address).await.expect("it listens");
    stream.write_all(&request("a")).await.expect("it is taken");
    let mut said = Vec::new();
    let ended = tokio::time::timeout(super::PATIENCE, stream.read_to_end(&mut said)).await;
    let _closed_or_reset = ended.expect("it is hung up on");
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    assert!(gate.kept().await.is_empty());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_408_over_tls_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let trusted = certify(folder.path());
    let gate = Gate::with(&format!("{}\nrequest_timeout = \"1s\"", tls(&folder)), "").await;
    let mut slow = line(&gate, &trusted).await.expect("a handshake");
    slow.send(head("00")).await.expect("it is taken");
    assert_eq!(slow.answer().await.status, 408);
    slow.closed().await;
    gate.stop().await;
}
