//! A gateway whose source takes tokens that a fetched key set verifies.

use std::fs;
use std::net::SocketAddr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookport::clock::Clock;
use hookport::gateway::{Gateway, Plugins};
use hookport::journal::{EventFilter, RejectionFilter};
use jiff::SignedDuration;
use tempfile::TempDir;

use super::clock;
use super::https::{Https, Says, keys};
use crate::cases::gateway::resolved;
use crate::wire::{Reply, exchange};

fn provider(url: &str, port: u16) -> String {
    format!(
        r#"
        [provider]
        id = "sets"
        content = "json"
        [route]
        path = "/sets"
        [[verify]]
        from = "header:authorization"
        prefix = "Bearer "
        alg = "jwt-es256"
        claims = {{ payload_hash = "${{body|sha256|hex}}" }}
        [verify.key]
        form = "jwks"
        [verify.key.fetch]
        url = "{url}"
        allow_hosts = ["localhost:{port}"]
        [event]
        id = "jwt:jti"
        "#
    )
}

struct Sender(EcdsaKeyPair);

impl Sender {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    fn jwk(&self, kid: &str) -> String {
        let point = &self.0.public_key().as_ref()[1..];
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[..32]), URL_SAFE_NO_PAD.encode(&point[32..]));
        format!(r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","x":"{x}","y":"{y}"}}"#)
    }

    fn token(&self, kid: &str, id: &str) -> String {
        // The hash of `{}`.
        let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#));
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"jti":"{id}","payload_hash":"{hash}"}}"#));
        let signed = format!("{header}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("it signs");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn set(keys: &[String]) -> Says {
    Says::ok(format!("{{\"keys\":[{}]}}", keys.join(",")))
}

struct Gate {
    address: SocketAddr,
    gateway: Gateway,
    _folder: TempDir,
}

impl Gate {
    async fn open(clock: &Clock, provider: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plugin = folder.path().join("plugins/sets");
        fs::create_dir_all(&plugin).expect("a folder");
        fs::write(plugin.join("provider.toml"), provider).expect("a file");
        let plugins = Plugins::discover(&[folder.path().join("plugins")]);
        assert!(plugins.refused.is_empty(), "{:?}", plugins.refused);
        let text = format!(
            "admin.listen = \"127.0.0.1:0\"\njournal.path = {:?}\n[server]\nlisten = \"127.0.0.1:0\"\n\
             [sources.sets]\nprovider = \"sets\"\nallow_private = true\n",
            folder.path().join("data"),
        );
        let config = resolved(folder.path(), &text, &plugins).unwrap_or_else(|error| panic!("{error}"));
        let gateway = Gateway::start_with(config, &plugins, clock.clone(), keys(clock)).await.expect("it starts");
        Self { address: gateway.address, gateway, _folder: folder }
    }

    async fn send(&self, token: &str, more: &str) -> Reply {
        let request = format!(
            "POST /sets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{more}\
             Content-Length: 2\r\n\r\n{{}}"
        );
        exchange(self.address, request.as_bytes()).await.expect("an answer")
    }

    async fn kept(&self) -> Vec<String> {
        let events = self.gateway.journal.events(EventFilter::default()).await.expect("a journal");
        events.into_iter().filter_map(|event| event.provider_id).collect()
    }

    /// The reasons of rejections, once there are so many.
    async fn rejected(&self, count: usize) -> Vec<(&'static str, String)> {
        for _ in 0..1_000 {
            let kept = self.gateway.journal.rejections(RejectionFilter::default()).await.expect("a journal");
            if kept.len() >= count {
                return kept.into_iter().map(|rejected| (rejected.reason.code(), rejected.detail)).collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("less than {count} rejections");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_rolled_are_seen_within_a_minute_and_nobody_can_ask_for_more() {
    let (old, new, clock) = (Sender::new(), Sender::new(), clock());
    let server = Https::start(set(&[old.jwk("old")])).await;
    let gate = Gate::open(&clock, &provider(&server.url("/set"), server.port)).await;
    assert_eq!(gate.send(&old.token("old", "1"), "").await.status, 200);
    server.says(set(&[old.jwk("old"), new.jwk("new")]));
    for _ in 0..20 {
        assert_eq!(gate.send(&new.token("new", "2"), "").await.status, 401);
    }
    assert_eq!(server.asked(), 1, "the set was fetched just now");
    clock.advance(SignedDuration::from_secs(60));
    assert_eq!(gate.send(&new.token("new", "3"), "").await.status, 200);
    assert_eq!(gate.send(&old.token("old", "4"), "").await.status, 200);
    assert_eq!(server.asked(), 2);
    for _ in 0..20 {
        assert_eq!(gate.send(&new.token("made-up", "5"), "").await.status, 401);
    }
    assert_eq!(server.asked(), 2);
    let mut kept = gate.kept().await;
    kept.sort_unstable();
    assert_eq!(kept, ["1", "3", "4"]);
    gate.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_keys_cannot_be_had_the_sender_is_told_to_come_again() {
    let (sender, clock) = (Sender::new(), clock());
    let server = Https::start(Says { status: 502, headers: Vec::new(), body: "".into() }).await;
    let gate = Gate::open(&clock, &provider(&server.url("/set"), server.port)).await;
    let reply = gate.send(&sender.token("one", "1"), "").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    let (reason, detail) = gate.rejected(1).await.remove(0);
    assert_eq!(reason, "unavailable");
    assert!(detail.contains("the key at localhost cannot be had: the server answers 502"), "{detail}");
    server.says(set(&[sender.jwk("one")]));
    clock.advance(SignedDuration::from_secs(30));
    assert_eq!(gate.send(&sender.token("one", "1"), "").await.status, 200);
    assert_eq!(gate.kept().await, ["1"]);
    gate.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_names_a_foreign_host_asks_nobody() {
    let (sender, clock) = (Sender::new(), clock());
    let (ours, foreign) = (Https::start(set(&[])).await, Https::start(set(&[sender.jwk("one")])).await);
    let gate = Gate::open(&clock, &provider("${header:x-url}", ours.port)).await;
    for url in [
        foreign.url("/set"),
        format!("https://localhost:{}@localhost:{}/set", ours.port, foreign.port),
        foreign.url(&format!("/localhost:{}", ours.port)),
    ] {
        let reply = gate.send(&sender.token("one", "1"), &format!("x-url: {url}\r\n")).await;
        assert_eq!(reply.status, 401, "{url}");
    }
    // What a token says of its keys is nobody's to follow.
    let reply = gate.send(&sender.token("one", "1"), "").await;
    assert_eq!((reply.status, foreign.asked(), ours.asked()), (401, 0, 0));
    for (reason, detail) in gate.rejected(4).await {
        assert_eq!(reason, "signature_mismatch", "{detail}");
        assert!(detail.starts_with("the URL of the key"), "{detail}");
    }
    assert!(gate.kept().await.is_empty());
    gate.gateway.stop().await;
}
