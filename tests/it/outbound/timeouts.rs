//! The three time-outs of an HTTP destination, each with its own words.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::ledger::{Ledger, Row};
use super::receiver::{Receiver, Say};
use super::{event, local, plain_request, run, until};

/// Runs `count` deliveries until each was tried once.
async fn tried(url: &str, more: &str, count: u64) -> Vec<Row> {
    let ledger = Arc::new(Ledger::default());
    for number in 0..count {
        ledger.add("crm", event(number), plain_request());
    }
    let more = format!("{more}\nretry = {{ first = '1h' }}");
    let running = run(ledger, vec![local("crm", url, &more)]);
    until("all were tried", || running.ledger.rows().iter().all(|row| !row.attempts.is_empty())).await;
    let rows = running.ledger.rows();
    running.stop().await;
    rows
}

fn error(row: &Row) -> &str {
    row.attempts[0].error.as_deref().unwrap_or_default()
}

/// Takes connections and says nothing on them.
async fn mute() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            kept.push(stream);
        }
    });
    address
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_named_as_that() {
    let address = mute().await;
    let rows = tried(&format!("https://{address}/"), "connect_timeout = '200ms'", 1).await;
    assert_eq!(error(&rows[0]), "no connection within 200ms");
}

#[tokio::test]
async fn the_time_for_a_connection_is_never_longer_than_the_whole_by_default() {
    let address = mute().await;
    let rows = tried(&format!("https://{address}/"), "timeout = '300ms'", 1).await;
    assert!(error(&rows[0]).ends_with("within 300ms"), "{}", error(&rows[0]));
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_named_as_that_on_a_kept_connection_too() {
    let receiver = Receiver::start([Say::Status(200), Say::Nothing]).await;
    let rows = tried(&receiver.url(), "first_byte_timeout = '2s'\ntimeout = '1h'\nconcurrency = 1", 2).await;
    assert_eq!(rows[0].attempts[0].status, Some(200));
    assert_eq!(error(&rows[1]), "no answer began within 2s");
}

#[tokio::test]
async fn the_first_byte_is_waited_for_from_the_connection_on() {
    // The name and TLS may take as long as `connect_timeout` says: the answer's own time begins behind them.
    let receiver = Receiver::start([Say::Status(200)]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let rows = tokio::spawn(async move {
        tried(&format!("http://{address}/"), "connect_timeout = '20s'\nfirst_byte_timeout = '10s'\ntimeout = '1h'", 1)
            .await
    });
    let (mut from, _) = listener.accept().await.unwrap();
    let mut to = tokio::net::TcpStream::connect(receiver.address).await.unwrap();
    tokio::io::copy_bidirectional(&mut from, &mut to).await.unwrap();
    assert_eq!(rows.await.unwrap()[0].attempts[0].status, Some(200));
}

#[tokio::test]
async fn an_answer_that_began_in_time_may_take_the_whole_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await.unwrap();
        stream.write_all(b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        stream.write_all(b"late").await.unwrap();
        std::future::pending::<()>().await;
    });
    let rows = tried(&format!("http://{address}/"), "first_byte_timeout = '3s'\ntimeout = '1h'", 1).await;
    assert_eq!(rows[0].attempts[0].answer.as_deref(), Some("late"));
}
