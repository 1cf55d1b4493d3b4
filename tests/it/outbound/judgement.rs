//! What becomes of a delivery, by what the destination answers.

use std::sync::Arc;
use std::time::Duration;

use hookport::journal::Outcome;
use jiff::SignedDuration;
use tokio::net::TcpListener;

use super::ledger::{Ledger, Row};
use super::receiver::{Receiver, Say};
use super::{event, local, plain_request, run, until};

/// Runs one delivery until `is_enough` and shows what became of it.
async fn settled(url: &str, more: &str, is_enough: impl Fn(&Row) -> bool) -> Row {
    let ledger = Arc::new(Ledger::default());
    ledger.add("crm", event(1), plain_request());
    let running = run(ledger, vec![local("crm", url, more)]);
    until("the delivery is settled", || is_enough(&running.ledger.row(0))).await;
    let row = running.ledger.row(0);
    running.stop().await;
    row
}

fn has_ended(row: &Row) -> bool {
    row.due.is_none()
}

fn was_tried(row: &Row) -> bool {
    !row.attempts.is_empty()
}

#[tokio::test]
async fn a_failure_is_tried_again_until_it_succeeds() {
    let receiver =
        Receiver::start([Say::Text(500, "out of order".into()), Say::Status(404), Say::Text(201, "made".into())]).await;
    let row = settled(&receiver.url(), "", has_ended).await;
    assert!(matches!(row.outcomes[..], [Outcome::Retry(_), Outcome::Retry(_), Outcome::Delivered]), "{row:?}");
    let shown: Vec<_> = row
        .attempts
        .iter()
        .map(|attempt| (attempt.status, attempt.error.as_deref(), attempt.answer.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            (Some(500), Some("status 500"), Some("out of order")),
            (Some(404), Some("status 404"), None),
            (Some(201), None, Some("made")),
        ]
    );
}

#[tokio::test]
async fn gone_is_the_end() {
    let receiver = Receiver::start([Say::Status(410)]).await;
    let row = settled(&receiver.url(), "", has_ended).await;
    assert_eq!(row.outcomes, [Outcome::Exhausted("gone".into())]);
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn the_last_attempt_exhausts_with_its_reason() {
    let receiver = Receiver::start([Say::Status(500)]).await;
    let row = settled(&receiver.url(), "retry = { attempts = 3, first = '10ms', factor = 1.0 }", has_ended).await;
    assert_eq!(row.outcomes[2], Outcome::Exhausted("attempt 3 of 3 failed: status 500".into()));
    assert_eq!(receiver.got().len(), 3);
}

#[tokio::test]
async fn a_destination_that_asks_for_a_pause_gets_it() {
    for status in [429, 503] {
        let receiver = Receiver::start([Say::With(status, "retry-after", "3600".into())]).await;
        let row = settled(&receiver.url(), "", was_tried).await;
        let pause = row.due.unwrap().duration_since(row.attempts[0].at);
        assert!((3600..3660).contains(&pause.as_secs()), "{status}: {pause}");
    }
    let date = "Fri, 01 Jan 2100 00:00:00 GMT".to_string();
    let receiver = Receiver::start([Say::With(503, "retry-after", date)]).await;
    let row = settled(&receiver.url(), "", was_tried).await;
    let pause = row.due.unwrap().duration_since(row.attempts[0].at);
    assert!(pause >= SignedDuration::from_hours(24) && pause < SignedDuration::from_hours(25), "{pause}");
}

#[tokio::test]
async fn a_pause_counts_only_with_429_and_503() {
    let receiver = Receiver::start([Say::With(500, "retry-after", "3600".into()), Say::Status(200)]).await;
    assert!(has_ended(&settled(&receiver.url(), "", has_ended).await));
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_a_failure() {
    let receiver = Receiver::start([Say::Nothing, Say::Status(200)]).await;
    let row = settled(&receiver.url(), "timeout = '200ms'", has_ended).await;
    assert_eq!(row.attempts[0].error.as_deref(), Some("no answer within 200ms"));
    assert!(row.attempts[0].took_ms >= 200);
    assert_eq!(row.attempts.len(), 2);
}

#[tokio::test]
async fn redirects_are_not_followed_and_are_named() {
    let elsewhere = Receiver::start([Say::Status(200)]).await;
    for status in [301, 302, 307, 308] {
        let receiver = Receiver::start([Say::With(status, "location", elsewhere.url()), Say::Status(200)]).await;
        let row = settled(&receiver.url(), "", has_ended).await;
        let error = row.attempts[0].error.clone().unwrap();
        let url = elsewhere.url();
        let (address, query) = url.split_once('?').unwrap_or((&url, "?"));
        assert!(error.contains(address) && error.contains("redirect") && !error.contains(query), "{error}");
        assert_eq!(receiver.got().len(), 2);
    }
    assert!(elsewhere.got().is_empty());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_tried_again() {
    let row = settled("http://nobody.invalid/hooks", "timeout = '60s'", |row| row.attempts.len() >= 2).await;
    assert!(matches!(row.outcomes[0], Outcome::Retry(_)));
    let error = row.attempts[0].error.clone().unwrap();
    assert!(error.contains("dns"), "{error}");
}

#[tokio::test]
async fn a_refused_connection_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let row = settled(&format!("http://{address}/"), "", |row| row.attempts.len() >= 2).await;
    let error = row.attempts[0].error.clone().unwrap();
    assert!(error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.readable().await.unwrap();
            drop(stream);
        }
    });
    let row = settled(&format!("http://{address}/"), "", |row| row.attempts.len() >= 2).await;
    assert!(matches!(row.outcomes[0], Outcome::Retry(_)), "{row:?}");
}

#[tokio::test]
async fn tls_with_somebody_who_does_not_speak_it_is_a_failure() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let row = settled(&format!("https://{}/", receiver.address), "timeout = '5s'", |row| row.attempts.len() >= 2).await;
    assert!(matches!(row.outcomes[0], Outcome::Retry(_)), "{row:?}");
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn an_attempt_keeps_the_start_of_a_long_answer() {
    let receiver = Receiver::start([Say::Text(200, "ä".repeat(3_000_000))]).await;
    let row = settled(&receiver.url(), "", has_ended).await;
    let answer = row.attempts[0].answer.clone().unwrap();
    assert!(answer.starts_with("äää") && answer.len() == 1024, "{}", answer.len());
}

#[tokio::test]
async fn a_2xx_whose_body_never_ends_is_delivered() {
    use tokio::io::AsyncWriteExt;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let row = settled(&format!("http://{address}/"), "timeout = '300ms'", has_ended).await;
    assert_eq!(row.outcomes, [Outcome::Delivered]);
    assert_eq!(row.attempts[0].answer.as_deref(), Some("half"));
}

#[tokio::test]
async fn credentials_in_the_url_become_a_header() {
    use std::net::SocketAddr;
    let receiver = Receiver::start([Say::Status(200)]).await;
    let SocketAddr::V4(address) = receiver.address else { panic!("it listens on IPv4") };
    settled(&format!("http://us%40er:pass@{address}/hooks#part"), "", has_ended).await;
    let got = &receiver.got()[0];
    assert_eq!(got.headers["authorization"], "Basic dXNAZXI6cGFzcw==");
    assert_eq!(got.headers["host"], address.to_string());
    assert_eq!(got.line, "POST /hooks");
}
