//! What senders ask to know that the address is ours: each shape once through a whole gateway. The descriptions are in
//! `cases/handshakes`.

mod door;
mod told;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookport::clock::Clock;
use hookport::reason::Reason;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use self::door::{Door, SOURCES, hex_hmac, hmac};
use crate::wire::Reply;

fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_echoed_to_who_knows_the_word_and_to_nobody_else() {
    let door = Door::open().await;
    let asked = |word: &str| format!("/echoes?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={word}");
    for word in ["old%20word", "new%20word"] {
        let reply = door.get(&asked(word)).await;
        assert_eq!((reply.status, text(&reply)), (200, "1158201444"));
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let refused = door.get(&asked("another")).await;
    assert_eq!((refused.status, text(&refused)), (403, ""));
    let markup = door.get(&asked("new%20word").replace("1158201444", "%3Cscript%3E")).await;
    assert_eq!((markup.status, text(&markup)), (400, ""));
    let mut reasons: Vec<_> = door.rejections(2).await.into_iter().map(|kept| kept.reason.code()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["malformed", "signature_mismatch"]);
    assert_eq!(door.events().await, 0, "nothing is recorded");
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_signed_as_each_sender_wants_it() {
    let door = Door::open().await;
    let reply = door.get("/signs?crc_token=9b4507b3-9040-4669-9ca3-6b94edb50553").await;
    let mac = STANDARD.encode(hmac("integration_private_key", "9b4507b3-9040-4669-9ca3-6b94edb50553"));
    let signed = format!(r#"{{"response_token":"sha256={mac}"}}"#);
    assert_eq!((reply.status, text(&reply)), (200, signed.as_str()));
    assert_eq!(reply.header("content-type"), Some("application/json"));

    let body = r#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    let reply = door.ask("POST", "/signs", &[], body).await;
    let mac = hex_hmac("integration_private_key", "qgg8vlvZRS6UYooatFL8Aw");
    let wanted = format!(r#"{{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"{mac}"}}"#);
    assert_eq!((reply.status, text(&reply)), (200, wanted.as_str()));

    // Published with the sender's own SDK.
    let reply = door.get("/signs?bt_challenge=20f9f8ed05f77439fe955c977e4c8a53").await;
    assert_eq!(text(&reply), "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4");
    assert_eq!(door.events().await, 0);
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_anybody_can_have_signed_is_no_event() {
    let door = Door::open().await;
    let forged = async |body: &str| {
        let signed = hex_hmac("integration_private_key", body);
        door.ask("POST", "/signs", &[("x-signature", &signed)], body).await.status
    };
    assert_eq!(forged("4711").await, 401, "a JSON document, and a token");
    assert_eq!(forged(r#"{"id":4711}"#).await, 200);
    for token in [&"a".repeat(129), "a.b", "%7B%22id%22%3A1%7D", ""] {
        assert_eq!(door.get(&format!("/signs?crc_token={token}")).await.status, 400, "{token}");
    }
    assert_eq!(door.events().await, 1);
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_has_the_headers_and_no_body() {
    let door = Door::open().await;
    let reply = door.ask("HEAD", "/asks", &[], "").await;
    assert_eq!((reply.status, text(&reply)), (200, ""));
    assert_eq!((reply.header("x-here"), reply.header("content-length")), (Some("yes"), Some("29")));
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_over_http2_has_no_body_either() {
    let door = Door::open().await;
    let stream = TcpStream::connect(door.address).await.expect("it listens");
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2 is understood");
    let connection = tokio::spawn(connection);
    for (path, status, length) in [("/asks", 200, "29"), ("/signs", 405, "19")] {
        let request = Request::head(format!("http://h{path}")).body(Empty::<Bytes>::new()).expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        let told = answer.headers()["content-length"].to_str().expect("text");
        assert_eq!((answer.status().as_u16(), told), (status, length));
        assert!(answer.into_body().collect().await.expect("an end").to_bytes().is_empty());
    }
    drop(sender);
    let _ended = connection.await;
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_names_who_may_send() {
    let door = Door::open().await;
    let reply = door.ask("OPTIONS", "/asks", &[("WebHook-Request-Origin", "eventemitter.example.com")], "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("webhook-allowed-origin"), Some("eventemitter.example.com"));
    assert_eq!(reply.header("webhook-allowed-rate"), Some("120"));
    let star = door.ask("OPTIONS", "/asks", &[("WebHook-Request-Origin", "*")], "").await;
    assert_eq!((star.status, star.header("webhook-allowed-origin")), (400, None));
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_no_handshake_takes_is_405_and_told_the_right_ones() {
    let door = Door::open().await;
    for (method, target, allow) in [
        ("OPTIONS", "/asks", "POST, HEAD, OPTIONS"),
        ("GET", "/asks", "POST, HEAD, OPTIONS"),
        ("GET", "/signs", "POST, GET"),
        ("GET", "/echoes?hub.mode=other", "POST, GET"),
        ("HEAD", "/echoes?hub.mode=subscribe", "POST, GET"),
        ("DELETE", "/tells", "POST"),
    ] {
        let reply = door.ask(method, target, &[], "").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {target}");
    }
    assert!(door.rejections(6).await.iter().all(|kept| kept.reason == Reason::Method));
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_challenge_is_answered_in_its_own_shape_alone() {
    let door = Door::open().await;
    let post = async |body: &str| door.ask("POST", "/asks", &[("content-type", "application/json")], body).await;
    let reply = post(r#"{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV","type":"url_verification"}"#).await;
    assert_eq!((reply.status, text(&reply)), (200, r#"{"challenge":"3eZbrw1aBm2rZgRNFdxV"}"#));
    for event in [r#"{"challenge":"x","type":"event"}"#, r#"{"type":"url_verification"}"#, r#"["url_verification"]"#] {
        assert_eq!(post(event).await.status, 401, "{event}");
    }
    assert_eq!(door.events().await, 0);
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_challenge_is_answered_to_its_sender_alone() {
    let door = Door::open().await;
    let body = r#"{"challenge":"pogchamp-kappa-360noscope-vohiyo"}"#;
    let post = async |time: i64, key: &str, kind: &str| {
        let time = time.to_string();
        let signed = format!("sha256={}", hex_hmac(key, &format!("{time}{body}")));
        let headers = [
            ("content-type", "application/json"),
            ("x-time", time.as_str()),
            ("x-signature", signed.as_str()),
            ("x-message-type", kind),
        ];
        door.ask("POST", "/asks", &headers, body).await
    };
    let (now, asks) = (Clock::default().now().as_second(), "webhook_callback_verification");
    let reply = post(now, "s3cret", asks).await;
    assert_eq!((reply.status, text(&reply)), (200, "pogchamp-kappa-360noscope-vohiyo"));
    let forged = post(now, "another", asks).await;
    assert_eq!((forged.status, text(&forged)), (401, ""));
    let old = post(now - 3_600, "s3cret", asks).await;
    assert_eq!((old.status, text(&old)), (401, ""));
    assert_eq!(door.events().await, 0);
    assert_eq!(post(now, "s3cret", "notification").await.status, 200);
    assert_eq!(door.events().await, 1);
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_call_may_not_ask_either() {
    let sources = SOURCES.replace("provider = \"signs\"", "provider = \"signs\"\nallow_from = [\"203.0.113.0/24\"]");
    let door = Door::with(&sources).await;
    let reply = door.get("/signs?crc_token=abc").await;
    assert_eq!((reply.status, text(&reply)), (401, ""));
    assert_eq!(door.rejections(1).await[0].reason, Reason::Address);
    door.stop().await;
}
