//! Keys that requests name by URL, from a real HTTPS server: asked once for many, kept for a while, and never where
//! nobody is pinned.

mod https;
mod sets;

use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::keys::RemoteKeys;
use hookport::provider::remote::{RemoteKey, RemoteKind};
use jiff::{SignedDuration, Timestamp};

use self::https::{Https, Says, keys};

/// As a certificate begins; what is in it is nobody's business here.
const PEM: &str = "-----BEGIN CERTIFICATE-----";

/// A certificate of so many bytes.
fn padded(length: usize) -> Vec<u8> {
    let mut text = PEM.as_bytes().to_vec();
    text.resize(length, b'x');
    text
}

fn clock() -> Clock {
    Clock::standing_at("2026-03-02T09:15:05Z".parse::<Timestamp>().expect("a time"))
}

/// What came of a URL, as the text or as why there is none.
async fn came(keys: &RemoteKeys, url: &str, allow_private: bool) -> Result<String, String> {
    let wanted = RemoteKey { url: url.to_owned(), kind: RemoteKind::Certificates };
    let fetched = keys.fetch(vec![wanted], allow_private).await;
    let text = fetched.at(url).expect("something came of it").clone()?;
    Ok(String::from_utf8(text.to_vec()).expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_ask_once_and_a_day_later_again() {
    let (server, clock) = (Https::start(Says::ok(PEM)).await, clock());
    let keys = Arc::new(keys(&clock));
    let (url, other) = (server.url("/certs/1"), server.url("/certs/2"));
    let asking = (0..50).map(|_| {
        let (keys, url) = (keys.clone(), url.clone());
        tokio::spawn(async move { came(&keys, &url, true).await })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert_eq!(asked.await.expect("no panic").as_deref(), Ok(PEM));
    }
    assert_eq!(server.asked(), 1);
    assert_eq!(came(&keys, &other, true).await.as_deref(), Ok(PEM));
    clock.advance(SignedDuration::from_secs(86_399));
    assert!(came(&keys, &url, true).await.is_ok());
    assert_eq!(server.asked(), 2);
    clock.advance(SignedDuration::from_secs(1));
    assert!(came(&keys, &url, true).await.is_ok());
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let elsewhere = Https::start(Says::ok(PEM)).await;
    let location = ("location", elsewhere.url("/certs/1"));
    for status in [301, 302, 303, 307, 308] {
        let redirect = Says { status, headers: vec![location.clone()], body: PEM.into() };
        let (server, clock) = (Https::start(redirect).await, clock());
        let why = came(&keys(&clock), &server.url("/certs/1"), true).await.unwrap_err();
        assert_eq!(why, format!("the server answers {status}"));
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn a_failure_is_remembered_for_half_a_minute() {
    let failing = Says { status: 500, headers: Vec::new(), body: "no".into() };
    let (server, clock) = (Https::start(failing).await, clock());
    let (keys, url) = (keys(&clock), server.url("/certs/1"));
    for _ in 0..5 {
        assert_eq!(came(&keys, &url, true).await.unwrap_err(), "the server answers 500");
    }
    assert_eq!(server.asked(), 1);
    server.says(Says::ok(PEM));
    clock.advance(SignedDuration::from_secs(29));
    assert!(came(&keys, &url, true).await.is_err());
    clock.advance(SignedDuration::from_secs(1));
    assert_eq!(came(&keys, &url, true).await.as_deref(), Ok(PEM));
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_page_that_is_no_key_is_asked_for_again_soon() {
    let (server, clock) = (Https::start(Says::ok("<html>down for maintenance</html>")).await, clock());
    let (keys, url) = (keys(&clock), server.url("/certs/1"));
    assert_eq!(came(&keys, &url, true).await.unwrap_err(), "what is there is no key");
    server.says(Says::ok(PEM));
    clock.advance(SignedDuration::from_secs(30));
    assert_eq!(came(&keys, &url, true).await.as_deref(), Ok(PEM));
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_none() {
    let (server, clock) = (Https::start(Says::ok(padded(64 * 1024))).await, clock());
    let keys = keys(&clock);
    assert_eq!(came(&keys, &server.url("/fits"), true).await.map(|text| text.len()), Ok(64 * 1024));
    for length in [64 * 1024 + 1, 10 << 20] {
        server.says(Says::ok(padded(length)));
        let why = came(&keys, &server.url(&format!("/{length}")), true).await.unwrap_err();
        assert!(why.contains("longer than 65536 bytes"), "{why}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = Says { status: 0, headers: Vec::new(), body: "".into() };
    let (server, clock) = (Https::start(silent).await, clock());
    let keys = keys(&clock).within(Duration::from_secs(2));
    let why = came(&keys, &server.url("/certs/1"), true).await.unwrap_err();
    assert!(why.contains("no answer within"), "{why}");
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_private_address_is_not_asked_unless_the_source_may() {
    let (server, clock) = (Https::start(Says::ok(PEM)).await, clock());
    let (keys, url) = (keys(&clock), server.url("/certs/1"));
    let why = came(&keys, &url, false).await.unwrap_err();
    assert!(why.contains("loopback") && server.asked() == 0, "{why}");
    assert!(came(&keys, &url, true).await.is_ok());
    // What one source may read another may not, though it is on the shelf.
    assert!(came(&keys, &url, false).await.is_err());
    let nobody = RemoteKeys::new(clock);
    let why = came(&nobody, &url, true).await.unwrap_err();
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[tokio::test]
async fn what_is_known_is_not_asked_for() {
    let clock = clock();
    let url = "https://keys.example.com/1";
    let keys = keys(&clock).knowing(url, PEM.into());
    clock.advance(SignedDuration::from_hours(10_000));
    assert_eq!(came(&keys, url, false).await.as_deref(), Ok(PEM));
}
