//! JetStream, on a real server.

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, Message};
use futures_util::TryStreamExt;
use hookport::journal::Outcome;

use super::*;
use crate::outbound::identity::Authority;
use crate::servers::Served;

async fn stream(server: &Served, config: Config) -> jetstream::stream::Stream {
    let client = async_nats::connect(format!("127.0.0.1:{}", server.port)).await.unwrap();
    jetstream::new(client).get_or_create_stream(config).await.unwrap()
}

fn events() -> Config {
    Config { name: "EVENTS".into(), subjects: vec!["events.>".into()], ..Config::default() }
}

/// All that the stream holds, in its order.
async fn messages(server: &Served) -> Vec<Message> {
    let mut stream = stream(server, events()).await;
    let count = usize::try_from(stream.info().await.unwrap().state.messages).unwrap();
    let config = pull::Config { ack_policy: AckPolicy::None, ..pull::Config::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let batch = consumer.batch().max_messages(count.max(1)).expires(std::time::Duration::from_secs(60)).messages();
    let mut messages = Vec::new();
    if count > 0 {
        let mut batch = batch.await.unwrap();
        while messages.len() < count {
            messages.push(batch.try_next().await.unwrap().expect("it holds as many as it says"));
        }
    }
    messages
}

fn written(server: &Served, more: &str) -> String {
    format!("kind = 'nats'\nurl = 'nats://127.0.0.1:{}'\nsubject = 'events.{{source}}.{{type}}'\n{more}", server.port)
}

fn header(message: &Message, name: &str) -> String {
    message.headers.as_ref().and_then(|headers| headers.get(name)).map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn events_arrive_as_they_are_recorded_each_once_and_in_order() {
    let server = Served::nats("");
    stream(&server, events()).await;
    delivered(&written(&server, ""), 0..250).await;
    let messages = messages(&server).await;
    assert_eq!(messages.len(), 250);
    for (number, message) in (0..).zip(&messages) {
        let expected = event(number);
        assert_eq!(message.subject.as_str(), "events.esim.eiotclub.CardStopped");
        assert_eq!(message.payload, serde_json::to_vec(&expected).unwrap());
        assert_eq!(header(message, "Content-Type"), "application/cloudevents+json");
        assert_eq!(header(message, "Nats-Msg-Id"), expected.id.to_string());
        assert_eq!(header(message, "ce-id"), expected.id.to_string());
        assert_eq!(header(message, "ce-source"), "/sources/esim");
    }
}

#[tokio::test]
async fn data_and_the_providers_own_bytes_can_be_sent_instead() {
    let server = Served::nats("");
    stream(&server, events()).await;
    delivered(&written(&server, "format = 'data'"), [1]).await;
    let ledger = Arc::new(Ledger::default());
    let request = super::super::request(&[("content-type", "text/xml"), ("nats-expected-stream", "a b")], b"<a/>\xff");
    ledger.add("bus", event(3), request);
    let running = run(ledger, vec![destination("bus", &written(&server, "format = 'raw'"), &[])]);
    until("it is delivered", || all_delivered(&running.ledger)).await;
    running.stop().await;
    let messages = messages(&server).await;
    let bodies: Vec<_> = messages.iter().map(|message| message.payload.to_vec()).collect();
    assert_eq!(bodies, [br#"{"number":1,"amount":10.00}"#.to_vec(), b"<a/>\xff".to_vec()]);
    assert_eq!(header(&messages[0], "ce-type"), "eiotclub.CardStopped");
    assert_eq!(
        header(&messages[1], "http-nats-expected-stream"),
        "a%20b",
        "a provider's header is none of the server's"
    );
    assert_eq!(
        (header(&messages[1], "Content-Type"), header(&messages[1], "ce-id")),
        ("text/xml".into(), String::new())
    );
}

#[tokio::test]
async fn a_server_that_ends_in_mid_flow_loses_nothing_and_doubles_nothing() {
    let mut server = Served::nats("");
    stream(&server, events()).await;
    let written = format!("{}\n{PATIENT}\nbatch = 50\nconcurrency = 2", written(&server, ""));
    let running = run(filled(0..3000), vec![destination("bus", &written, &[])]);
    for wanted in [300, 1200] {
        until("some are delivered", || count_delivered(&running.ledger) > wanted).await;
        server.kill();
        until("one has failed", || {
            running.ledger.rows().iter().any(|row| row.attempts.len() > usize::from(wanted > 300))
        })
        .await;
        server.again();
    }
    until("all are delivered", || all_delivered(&running.ledger)).await;
    running.stop().await;
    let mut ids: Vec<_> = messages(&server).await.iter().map(|message| header(message, "ce-id")).collect();
    ids.sort();
    let expected: Vec<_> = (0..3000).map(|number| event(number).id.to_string()).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let server = Served::nats("authorization { user: hookport, password: 'right / ?' }");
    let url = |credentials: &str| format!("kind = 'nats'\nurl = 'nats://{credentials}127.0.0.1:{}'", server.port);
    let right = "hookport:right%20%2F%20%3F@";
    for (credentials, subject, words) in [
        ("", "events.x", "are not those of a user there"),
        ("hookport:wrong-word@", "events.x", "are not those of a user there"),
        (right, "events.x", "no stream of JetStream takes this subject"),
    ] {
        let row = tried(&format!("{}\nsubject = '{subject}'", url(credentials)), event(1)).await;
        assert!(error(&row).contains(words), "{}", error(&row));
        assert!(!error(&row).contains("wrong-word") && !error(&row).contains("right"), "{}", error(&row));
    }
    let row = tried("kind = 'nats'\nurl = 'nats://127.0.0.1:1'\nsubject = 'a'", event(1)).await;
    assert!(error(&row).starts_with("no connection to NATS at 127.0.0.1:1: "), "{}", error(&row));
}

#[tokio::test]
async fn one_that_the_stream_refuses_fails_alone() {
    let server = Served::nats("");
    stream(&server, Config { max_message_size: 2000, ..events() }).await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..20 {
        let long = format!(r#"{{"text":"{}"}}"#, "x".repeat(if number == 7 { 5000 } else { 5 }));
        let event = hookport::event::Event { data: hookport::event::Data::Json(long.into()), ..event(number) };
        ledger.add("bus", event, plain_request());
    }
    let written = format!("{}\nretry = {{ attempts = 1 }}", written(&server, ""));
    let running = run(ledger, vec![destination("bus", &written, &[])]);
    until("all have ended", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    let rows = running.ledger.rows();
    let failed: Vec<_> = rows.iter().filter(|row| row.outcomes != [Outcome::Delivered]).collect();
    assert_eq!((failed.len(), failed[0].event.id), (1, event(7).id));
    assert!(error(failed[0]).contains("message size exceeds maximum allowed"), "{}", error(failed[0]));
    running.stop().await;
}

#[tokio::test]
async fn a_value_from_outside_stays_one_part_of_the_subject() {
    let server = Served::nats("");
    stream(&server, events()).await;
    for (number, subject) in (0..).zip(["a.b", "*", ">", "a b\r\nPUB x 1", ""]) {
        let event = hookport::event::Event { subject: Some(subject.into()), ..event(number) };
        let row = tried(&written(&server, "").replace("{type}", "{subject}"), event).await;
        assert_eq!(row.outcomes, [Outcome::Delivered], "{}", error(&row));
    }
    let subjects: Vec<_> = messages(&server).await.iter().map(|message| message.subject.to_string()).collect();
    assert_eq!(
        subjects,
        ["events.esim.a_b", "events.esim._", "events.esim._", "events.esim.a_b__PUB_x_1", "events.esim._"]
    );
}

#[tokio::test]
async fn a_server_that_asks_who_calls_is_told_over_tls() {
    let authority = Authority::new();
    let ((cert, key), ca) = (authority.issue("localhost"), authority.ca());
    let tls = format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}");
    let server = Served::nats(&tls);
    let (mine, my_key) = authority.issue("tests");
    let options = async_nats::ConnectOptions::new().add_root_certificates(ca).add_client_certificate(mine, my_key);
    let client = options.connect(format!("tls://localhost:{}", server.port)).await.unwrap();
    jetstream::new(client).create_stream(events()).await.unwrap();
    let written = written(&server, "").replace("nats://127.0.0.1", "tls://localhost");
    over_tls(&authority, &written).await;
}
