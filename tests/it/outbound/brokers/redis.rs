//! Redis Streams, on a real server.

use std::collections::BTreeMap;

use ::redis::aio::MultiplexedConnection;
use ::redis::streams::StreamRangeReply;
use hookport::event::Event;
use hookport::journal::Outcome;

use super::*;
use crate::outbound::identity::Authority;
use crate::servers::Served;

async fn connection(server: &Served) -> MultiplexedConnection {
    let client = ::redis::Client::open(format!("redis://:of%20the%20tests@127.0.0.1:{}/", server.port)).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

type Entry = BTreeMap<String, Vec<u8>>;

async fn entries(server: &Served, stream: &str) -> Vec<Entry> {
    let mut connection = connection(server).await;
    let range: StreamRangeReply =
        ::redis::cmd("XRANGE").arg(stream).arg("-").arg("+").query_async(&mut connection).await.unwrap();
    let fields = |map: &std::collections::HashMap<String, ::redis::Value>| {
        let field = |(name, value): (&String, &::redis::Value)| {
            (name.clone(), ::redis::from_redis_value(value.clone()).unwrap())
        };
        map.iter().map(field).collect::<Entry>()
    };
    range.ids.iter().map(|id| fields(&id.map)).collect()
}

fn written(server: &Served, more: &str) -> String {
    let port = server.port;
    format!(
        "kind = 'redis'\nurl = {{ value = 'redis://:of%20the%20tests@127.0.0.1:{port}' }}\nstream = 'events:{{type}}'\n{more}"
    )
}

const STREAM: &str = "events:eiotclub.CardStopped";

#[tokio::test]
async fn events_arrive_as_they_are_recorded_each_once_and_in_order() {
    let server = Served::redis();
    delivered(&written(&server, ""), 0..250).await;
    let entries = entries(&server, STREAM).await;
    assert_eq!(entries.len(), 250);
    for (number, entry) in (0..).zip(&entries) {
        let expected = event(number);
        assert_eq!(entry["payload"], serde_json::to_vec(&expected).unwrap());
        assert_eq!(entry["id"], expected.id.to_string().into_bytes());
        assert_eq!(
            (&entry["type"][..], &entry["content-type"][..]),
            (&b"eiotclub.CardStopped"[..], &b"application/cloudevents+json"[..])
        );
    }
}

#[tokio::test]
async fn a_stream_is_kept_short_where_it_shall_be() {
    let server = Served::redis();
    delivered(&written(&server, "max_len = 100\nformat = 'data'"), 0..2000).await;
    let entries = entries(&server, STREAM).await;
    assert!((100..2000).contains(&entries.len()), "{}", entries.len());
    assert_eq!(entries.last().unwrap()["payload"], br#"{"number":1999,"amount":10.00}"#);
}

#[tokio::test]
async fn a_server_that_ends_in_mid_flow_loses_nothing() {
    let mut server = Served::redis();
    let written = format!("{}\n{PATIENT}\nbatch = 50\nconcurrency = 2", written(&server, ""));
    let running = run(filled(0..3000), vec![destination("bus", &written, &[])]);
    until("some are delivered", || count_delivered(&running.ledger) > 300).await;
    server.kill();
    until("one has failed", || running.ledger.rows().iter().any(|row| !row.attempts.is_empty() && row.due.is_some()))
        .await;
    server.again();
    until("all are delivered", || all_delivered(&running.ledger)).await;
    running.stop().await;
    let mut ids: Vec<_> =
        entries(&server, STREAM).await.into_iter().map(|mut entry| entry.remove("id").unwrap()).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    let expected: Vec<_> = (0..3000).map(|number| event(number).id.to_string().into_bytes()).collect();
    assert_eq!(ids, expected);
    // What was written and not confirmed any more: at most the two batches that were under way.
    assert!(count <= 3100, "{count}");
}

#[tokio::test]
async fn what_is_wrong_is_said_and_a_key_of_another_type_fails_alone() {
    let server = Served::redis();
    let wrong = written(&server, "").replace("of%20the%20tests", "wrong-word");
    let row = tried(&wrong, event(1)).await;
    assert!(
        error(&row).contains("does not let the gateway in") && !error(&row).contains("wrong-word"),
        "{}",
        error(&row)
    );
    let away = "kind = 'redis'\nurl = 'redis://127.0.0.1:1'\nstream = 'x'";
    assert!(error(&tried(away, event(1)).await).starts_with("no connection to Redis at 127.0.0.1:1: "));

    ::redis::cmd("SET").arg("s:taken").arg("x").query_async::<()>(&mut connection(&server).await).await.unwrap();
    let ledger = Arc::new(Ledger::default());
    for (number, subject) in (0..).zip(["a", "taken", "b"]) {
        ledger.add("bus", Event { subject: Some(subject.into()), ..event(number) }, plain_request());
    }
    let written = written(&server, "retry = { attempts = 1 }").replace("events:{type}", "s:{subject}");
    let running = run(ledger, vec![destination("bus", &written, &[])]);
    until("all have ended", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    let rows = running.ledger.rows();
    let delivered: Vec<_> = rows.iter().map(|row| row.outcomes == [Outcome::Delivered]).collect();
    assert_eq!(delivered, [true, false, true]);
    assert!(error(&rows[1]).contains("something else than a stream"), "{}", error(&rows[1]));
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_asks_who_calls_is_told_over_tls() {
    let authority = Authority::new();
    let ((cert, key), ca) = (authority.issue("localhost"), authority.ca());
    let (cert, key, ca) = (cert.display(), key.display(), ca.display());
    let server = Served::redis_with(|port| {
        format!("--port 0 --tls-port {port} --tls-cert-file {cert} --tls-key-file {key} --tls-ca-cert-file {ca}")
    });
    let written =
        written(&server, "").replace("redis://:of%20the%20tests@127.0.0.1", "rediss://:of%20the%20tests@localhost");
    over_tls(&authority, &written).await;
}
