//! RabbitMQ, on a real server.

use std::collections::BTreeSet;

use hookport::event::Event;
use hookport::journal::Outcome;
use lapin::options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::*;
use crate::outbound::identity::Authority;
use crate::servers::{Served, free_port};

/// A server takes seconds to start and a good part of a core: the tests that do not stop it share one.
static SHARED: Mutex<Option<Shared>> = Mutex::const_new(None);

struct Shared {
    server: Served,
    tls_port: u16,
    authority: Authority,
}

async fn shared() -> MappedMutexGuard<'static, Shared> {
    let mut shared = SHARED.lock().await;
    if shared.is_none() {
        *shared = Some(tokio::task::spawn_blocking(Shared::start).await.unwrap());
    }
    MutexGuard::map(shared, |shared| shared.as_mut().unwrap())
}

impl Shared {
    /// It asks who calls where TLS is spoken.
    fn start() -> Self {
        let (authority, tls_port) = (Authority::new(), free_port());
        let ((cert, key), ca) = (authority.issue("localhost"), authority.ca());
        let server = Served::rabbitmq(&format!(
            "listeners.ssl.1 = 127.0.0.1:{tls_port}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
             ssl_options.cacertfile = {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n",
            cert.display(),
            key.display(),
            ca.display()
        ));
        Self { server, tls_port, authority }
    }
}

async fn channel(port: u16) -> (Connection, Channel) {
    let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// A durable exchange with a durable queue that takes what begins so.
async fn made(port: u16, name: &str) {
    let (_connection, channel) = channel(port).await;
    let (durable, none) = (ExchangeDeclareOptions { durable: true, ..Default::default() }, FieldTable::default);
    channel.exchange_declare(name.into(), ExchangeKind::Topic, durable, none()).await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(name.into(), durable, none()).await.unwrap();
    channel.queue_bind(name.into(), name.into(), "events.#".into(), QueueBindOptions::default(), none()).await.unwrap();
}

type Got = (String, BasicProperties, Vec<u8>);

/// All that the queue holds.
async fn messages(port: u16, queue: &str) -> Vec<Got> {
    let (_connection, channel) = channel(port).await;
    let mut got = Vec::new();
    while let Some(message) = channel.basic_get(queue.into(), BasicGetOptions { no_ack: true }).await.unwrap() {
        let delivery = message.delivery;
        got.push((delivery.routing_key.to_string(), delivery.properties, delivery.data));
    }
    got
}

fn written(port: u16, exchange: &str, more: &str) -> String {
    format!(
        "kind = 'rabbitmq'\nurl = {{ value = 'amqp://guest:guest@127.0.0.1:{port}' }}\nexchange = '{exchange}'\n\
         routing_key = 'events.{{source}}.{{type}}'\n{more}"
    )
}

fn id(got: &Got) -> String {
    got.1.message_id().as_ref().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn events_arrive_as_they_are_recorded_each_once_and_in_order() {
    let port = shared().await.server.port;
    made(port, "whole").await;
    delivered(&written(port, "whole", ""), 0..250).await;
    let messages = messages(port, "whole").await;
    assert_eq!(messages.len(), 250);
    for (number, got) in (0..).zip(&messages) {
        let expected = event(number);
        assert_eq!(got.0, "events.esim.eiotclub.CardStopped");
        assert_eq!(got.2, serde_json::to_vec(&expected).unwrap());
        assert_eq!((id(got), *got.1.delivery_mode()), (expected.id.to_string(), Some(2)));
        let kind = got.1.headers().as_ref().and_then(|headers| headers.inner().get("cloudEvents:type").cloned());
        assert_eq!(kind, Some(AMQPValue::LongString("eiotclub.CardStopped".into())));
    }
}

#[tokio::test]
async fn one_that_no_queue_takes_fails_alone() {
    let port = shared().await.server.port;
    made(port, "some").await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..40 {
        let kind = if number % 13 == 5 { "nobody.x" } else { "events.x" };
        ledger.add("bus", Event { kind: kind.into(), ..event(number) }, plain_request());
    }
    let written = written(port, "some", "retry = { attempts = 1 }").replace("events.{source}.{type}", "{type}");
    let running = run(ledger, vec![destination("bus", &written, &[])]);
    until("all have ended", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    for row in running.ledger.rows() {
        let unwanted = row.event.kind == "nobody.x";
        assert_eq!(row.outcomes == [Outcome::Delivered], !unwanted, "{:?}", row.attempts);
        assert!(!unwanted || error(&row).contains("no queue takes this routing key"), "{}", error(&row));
    }
    assert_eq!(messages(port, "some").await.len(), 37);
    running.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let port = shared().await.server.port;
    for (written, words) in [
        (written(port, "nowhere", ""), "declare the exchange, or mend `exchange`"),
        (written(port, "x", "").replace("guest:guest", "guest:wrong-word"), "is the user in `url` there"),
        (written(1, "x", ""), "no connection to RabbitMQ at 127.0.0.1:1: "),
    ] {
        let row = tried(&written, event(1)).await;
        assert!(error(&row).contains(words) && !error(&row).contains("wrong-word"), "{}", error(&row));
    }
}

#[tokio::test]
async fn a_server_that_asks_who_calls_is_told_over_tls() {
    let shared = shared().await;
    made(shared.server.port, "secret").await;
    let url = format!("amqps://guest:guest@localhost:{}", shared.tls_port);
    let written = written(1, "secret", "").replace("amqp://guest:guest@127.0.0.1:1", &url);
    over_tls(&shared.authority, &written).await;
    assert_eq!(messages(shared.server.port, "secret").await.len(), 1);
}

#[tokio::test]
async fn a_server_that_ends_in_mid_flow_loses_nothing() {
    let mut server = tokio::task::spawn_blocking(|| Served::rabbitmq("")).await.unwrap();
    made(server.port, "flow").await;
    let written = format!("{}\n{PATIENT}\nbatch = 50\nconcurrency = 2", written(server.port, "flow", ""));
    let running = run(filled(0..3000), vec![destination("bus", &written, &[])]);
    until("some are delivered", || count_delivered(&running.ledger) > 300).await;
    server.kill();
    until("one has failed", || running.ledger.rows().iter().any(|row| !row.attempts.is_empty() && row.due.is_some()))
        .await;
    let server = tokio::task::spawn_blocking(move || {
        server.again();
        server
    });
    let server = server.await.unwrap();
    until("all are delivered", || all_delivered(&running.ledger)).await;
    running.stop().await;
    let ids: Vec<_> = messages(server.port, "flow").await.iter().map(id).collect();
    let distinct: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(distinct, (0..3000).map(|number| event(number).id.to_string()).collect());
    // What was written and not confirmed any more: at most the two batches that were under way.
    assert!(ids.len() <= 3100, "{}", ids.len());
}
