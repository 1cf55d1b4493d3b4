//! A listener whose certificate and whose PROXY protocol are exchanged under load: connections that are there go on, new ones
//! meet the new configuration, and what was acknowledged arrives.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Site, destination, route, source, until};
use crate::certificate::certify;
use crate::edge::line::Line;
use crate::server::Receiver;
use crate::tally::{SECRET, request, request_by};
use crate::wire::{exchange, reply};

const PROXIED: &str = "server.proxy_protocol = true\nserver.trusted_proxies = [\"127.0.0.1\"]\n";
const HEADER: &[u8] = b"PROXY TCP4 127.0.0.1 127.0.0.1 50000 443\r\n";

/// Certificates that a sender trusts.
type Trusted = Arc<Mutex<Vec<CertificateDer<'static>>>>;

async fn handshake(to: SocketAddr, trusted: &[CertificateDer<'static>]) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let builder = ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
    let connector = TlsConnector::from(Arc::new(builder.with_no_client_auth()));
    let stream = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from("localhost").expect("a name");
    connector.connect(name, stream).await.map_err(|error| error.to_string())
}

/// One request on a connection of its own; the status.
async fn ask_over_tls(to: SocketAddr, trusted: &[CertificateDer<'static>], id: &str) -> Result<u16, String> {
    let mut stream = handshake(to, trusted).await?;
    stream.write_all(&request_by(SECRET, id)).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(|error| error.to_string())?;
    reply(&answer).map(|reply| reply.status).ok_or_else(|| "no answer".to_owned())
}

/// Connections may be idle between two rounds on a machine that has other things to do.
fn rules(crm: &Receiver) -> String {
    "server.request_timeout = \"5m\"\n".to_owned()
        + &source("tally", &[SECRET])
        + &destination("crm", crm.server.address, "")
        + &route("sources = [\"tally\"]\nto = [\"crm\"]")
}

async fn arrive(crm: &Receiver, expected: &BTreeSet<String>) {
    let id = |body: &String| {
        let event: serde_json::Value = serde_json::from_str(body).ok()?;
        event["providereventid"].as_str().map(str::to_owned)
    };
    until("every event has arrived", async || expected.is_subset(&crm.received().iter().filter_map(id).collect()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_exchanged_under_load_refuse_nobody_and_end_no_connection() {
    let (crm, files) = (Receiver::start().await, tempfile::tempdir().expect("a folder"));
    let first = certify(files.path());
    let file = |name: &str| files.path().join(name);
    let text =
        format!("server.tls = {{ cert = {:?}, key = {:?} }}\n", file("cert.pem"), file("key.pem")) + &rules(&crm);
    let site = Site::start(&text).await;
    let address = site.gateway.address;
    let trusted: Trusted = Arc::new(Mutex::new(vec![first.clone()]));
    let (count, end) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            let (trusted, count, end) = (trusted.clone(), count.clone(), end.clone());
            tokio::spawn(async move {
                let (mut kept, mut missed) = (BTreeSet::new(), 0);
                for n in 0.. {
                    if end.load(Ordering::SeqCst) {
                        break;
                    }
                    let (id, known) = (format!("s{sender}-{n}"), trusted.lock().expect("nobody panics").clone());
                    match ask_over_tls(address, &known, &id).await {
                        Ok(202) => drop(kept.insert(id)),
                        // The one that is shown came into use after we looked: every sender knows it by its next try. All
                        // have one name, so it may be taken for one of ours at first.
                        Err(error)
                            if missed < 2
                                && ["UnknownIssuer", "BadSignature"].iter().any(|why| error.contains(why)) =>
                        {
                            missed += 1;
                            continue;
                        }
                        other => panic!("{id}: {other:?}"),
                    }
                    missed = 0;
                    count.fetch_add(1, Ordering::SeqCst);
                }
                kept
            })
        })
        .collect();
    let mut lasting = Line::over(handshake(address, &[first]).await.expect("a handshake"));
    let mut expected = BTreeSet::new();
    for n in 0..20 {
        let before = count.load(Ordering::SeqCst);
        until("more was acknowledged", async || count.load(Ordering::SeqCst) >= before + 5).await;
        let next = certify(files.path());
        trusted.lock().expect("nobody panics").push(next.clone());
        let changes = site.changes(&text).await;
        assert!(changes[0].ends_with("its content changed"), "{changes:?}");
        let id = format!("new-{n}");
        until("the new one is shown", async || ask_over_tls(address, std::slice::from_ref(&next), &id).await.is_ok())
            .await;
        expected.insert(id);
        let id = format!("lasting-{n}");
        assert_eq!(lasting.ask(request(&id)).await.status, 202);
        expected.insert(id);
    }
    end.store(true, Ordering::SeqCst);
    for sender in senders {
        expected.extend(sender.await.expect("nobody was refused"));
    }
    arrive(&crm, &expected).await;
    site.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_protocol_switched_under_load_holds_for_new_connections_and_loses_nothing() {
    let crm = Receiver::start().await;
    let (plain, proxied) = (rules(&crm), PROXIED.to_owned() + &rules(&crm));
    let site = Site::start(&plain).await;
    let address = site.gateway.address;
    let end = Arc::<AtomicBool>::default();
    let senders: Vec<_> = [("plain", &b""[..]), ("proxied", HEADER)]
        .map(|(name, header)| {
            let end = end.clone();
            tokio::spawn(async move {
                let mut kept = BTreeSet::new();
                for n in 0.. {
                    if end.load(Ordering::SeqCst) {
                        break;
                    }
                    let id = format!("{name}-{n}");
                    match exchange(address, &[header, &request_by(SECRET, &id)].concat()).await {
                        Ok(reply) if reply.status == 202 => drop(kept.insert(id)),
                        // A header where none is wanted is no request.
                        Ok(reply) => assert_eq!((name, reply.status), ("proxied", 400), "{id}"),
                        // Hung up on.
                        Err(_) => {}
                    }
                }
                kept
            })
        })
        .into();
    let mut expected = BTreeSet::new();
    let mut lasting = Vec::new();
    for n in 0..10 {
        let (text, header) = if n % 2 == 0 { (&proxied, HEADER) } else { (&plain, &b""[..]) };
        assert_eq!(site.changes(text).await.len(), 2);
        let id = format!("new-{n}");
        let sent = [header, &request_by(SECRET, &id)].concat();
        until("the new configuration holds", async || {
            exchange(address, &sent).await.is_ok_and(|reply| [200, 202].contains(&reply.status))
        })
        .await;
        expected.insert(id);
        let mut line = Line::over(TcpStream::connect(address).await.expect("it listens"));
        line.send(header).await.expect("it is taken");
        lasting.push(line);
        for (number, line) in lasting.iter_mut().enumerate() {
            let id = format!("lasting-{number}-{n}");
            assert_eq!(line.ask(request(&id)).await.status, 202, "{id}");
            expected.insert(id);
        }
    }
    end.store(true, Ordering::SeqCst);
    for sender in senders {
        expected.extend(sender.await.expect("no other answer"));
    }
    arrive(&crm, &expected).await;
    site.gateway.stop().await;
}
