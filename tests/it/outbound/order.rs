//! Order per key with the real journal and real sockets: destinations that fail at random, hold, restarts, files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::config::resolved;
use hookport::event::{Data, DedupKey, NewEvent};
use hookport::journal::sqlite::{self, Options};
use hookport::journal::{DeliveryFilter, DeliveryState, Journal, NewRequest};
use hookport::outbound::{self, Destination, Order, Routes};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::receiver::{Receiver, Say};
use super::restart::means;
use super::{request, until};

const KEYS: u32 = 5;

/// A gateway's outbound half over a folder.
struct Gateway {
    journal: Arc<dyn Journal>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

/// Everything goes to the one destination.
fn start(folder: &Path, written: &str) -> Gateway {
    let resolved = resolved::Destination::of(&toml::from_str(written).unwrap(), Vec::new()).unwrap();
    let destination = Destination::build("bank", &resolved).unwrap();
    let order = resolved.order().map(|order| ("bank", Order::compile(&order.by).unwrap()));
    let raw = destination.is_once_per_request().then_some("bank");
    let routes = Routes::compile(&[toml::from_str("to = ['bank']").unwrap()]).unwrap();
    let routes = Arc::new(routes.with_once_per_request(raw).with_orders(order));
    let journal: Arc<dyn Journal> = sqlite::open(Options::new(folder, Clock::default(), routes)).unwrap();
    let (stop, stopped) = watch::channel(false);
    let ended = outbound::run(means(&journal), vec![destination], stopped);
    Gateway { journal, stop, ended }
}

fn http(url: &str, more: &str) -> String {
    format!(
        "kind = 'http'\nurl = '{url}'\nallow_private = true\norder_by = 'event.data.account'\nconcurrency = 8\n\
         retry = {{ first = '1ms', max = '20ms', jitter = 0.5, attempts = 60 }}\n{more}"
    )
}

/// One event for each number, in one request; their accounts take turns.
fn carrying(numbers: impl IntoIterator<Item = u32>) -> NewRequest {
    let event = |number: u32| {
        let mut hash = [0; 16];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        let account = number % KEYS;
        NewEvent {
            kind: "bank.Booked".into(),
            subject: None,
            time: None,
            provider_id: Some(number.to_string()),
            key: DedupKey { hash, until: None },
            data: Data::Json(Bytes::from(format!(r#"{{"account":"{account}","number":{number}}}"#))),
            warnings: Vec::new(),
            undecoded: None,
        }
    };
    NewRequest {
        source: "bookings".into(),
        provider: "bank".into(),
        provider_version: "1.0.0".into(),
        request: Arc::new(request(&[("content-type", "application/json")], br#"{"bookings":[]}"#)),
        events: numbers.into_iter().map(event).collect(),
        nonce: None,
        stale: None,
        build: None,
        poll_state: None,
    }
}

/// Answers that fail four times of ten, the same in every run.
fn moody(count: usize) -> Vec<Say> {
    let mut state = 7_u64;
    let mut script: Vec<Say> = (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            match state >> 60 {
                0..6 => Say::Status(500),
                6..8 => Say::After(Duration::from_millis(3), 200),
                _ => Say::Status(200),
            }
        })
        .collect();
    script.push(Say::Status(200));
    script
}

fn is_good(say: &Say) -> bool {
    matches!(say, Say::Status(200) | Say::After(_, 200))
}

/// The numbers that arrived, with whether the answer was good.
fn arrived(receiver: &Receiver, script: &[Say]) -> Vec<(u32, bool)> {
    let number = |body: &Bytes| {
        let event: serde_json::Value = serde_json::from_slice(body).unwrap();
        event["data"]["number"].as_u64().unwrap() as u32
    };
    let answers = script.iter().chain(std::iter::repeat(script.last().unwrap()));
    receiver.got().iter().zip(answers).map(|(got, say)| (number(&got.body), is_good(say))).collect()
}

/// No number of a key comes before the one before it has been taken; one that was taken may come again.
fn is_in_order(arrived: &[(u32, bool)]) {
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    for (at, (number, taken)) in arrived.iter().enumerate() {
        let next = next.entry(number % KEYS).or_insert(number % KEYS);
        assert!(number <= next, "{number} came as number {at}, before {next}");
        if *taken && number == next {
            *next += KEYS;
        }
    }
}

async fn settled(journal: &dyn Journal) {
    let start = std::time::Instant::now();
    while journal.stats().await.unwrap().open > 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "deliveries stay open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_destination_that_fails_at_random_gets_each_key_in_order() {
    let script = moody(1_000);
    let receiver = Receiver::start(script.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(&folder.path().join("journal"), &http(&receiver.url(), ""));
    for first in (0..200).step_by(4) {
        gateway.journal.record(carrying(first..first + 4)).await.unwrap();
    }
    settled(&*gateway.journal).await;
    let arrived = arrived(&receiver, &script);
    is_in_order(&arrived);
    let taken: BTreeSet<u32> = arrived.iter().filter(|(_, taken)| *taken).map(|(number, _)| *number).collect();
    assert_eq!(taken.len(), 200);
    assert!(arrived.len() > 250 && receiver.most_at_once() > 1, "{} attempts", arrived.len());
    gateway.stop.send(true).unwrap();
    gateway.ended.await.unwrap();
}

#[test]
fn order_holds_over_processes_that_end_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let servers = Runtime::new().unwrap();
    let script = moody(2_000);
    let receiver = servers.block_on(Receiver::start(script.clone()));
    for life in 0..6 {
        let runtime = Runtime::new().unwrap();
        let gateway = runtime.block_on(async {
            let gateway = start(&path, &http(&receiver.url(), ""));
            for number in (0..120).filter(|_| life == 0) {
                gateway.journal.record(carrying([number])).await.unwrap();
            }
            if life == 5 {
                settled(&*gateway.journal).await;
            } else {
                until("this life has done enough", || receiver.got().len() >= (life + 1) * 25).await;
            }
            gateway
        });
        // What was in flight and what was not yet written goes with its runtime.
        drop(gateway);
        runtime.shutdown_timeout(Duration::from_secs(10));
    }
    let arrived = arrived(&receiver, &script);
    is_in_order(&arrived);
    let taken: BTreeSet<u32> = arrived.iter().filter(|(_, taken)| *taken).map(|(number, _)| *number).collect();
    assert_eq!(taken.len(), 120);
}

#[tokio::test]
async fn a_held_key_waits_for_an_operator_and_others_go_on() {
    let receiver = Receiver::start([Say::Status(410), Say::Status(200)]).await;
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(&folder.path().join("journal"), &http(&receiver.url(), "on_exhausted = 'hold'"));
    gateway.journal.record(carrying([0])).await.unwrap();
    until("the first is refused", || receiver.got().len() == 1).await;
    gateway.journal.record(carrying(1..11)).await.unwrap();
    until("all but those of its key are there", || receiver.got().len() == 9).await;
    let open = gateway.journal.stats().await.unwrap();
    let held = DeliveryFilter { state: Some(DeliveryState::Exhausted), ..DeliveryFilter::default() };
    let shown = gateway.journal.deliveries(held.clone()).await.unwrap();
    assert!(open.waiting == 2 && shown[0].reason.as_deref().unwrap().starts_with("gone; it holds its key"));
    assert_eq!(gateway.journal.cancel(held).await.unwrap(), 1);
    settled(&*gateway.journal).await;
    let arrived: Vec<u32> = arrived(&receiver, &[Say::Status(200)]).into_iter().map(|(number, _)| number).collect();
    assert_eq!(arrived[9..], [5, 10]);
}

#[tokio::test]
async fn a_file_gets_its_lines_in_order_and_raw_goes_by_the_first_event() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines.jsonl");
    let written =
        format!("kind = 'file'\npath = '{}'\norder_by = 'event.data.account'\nformat = 'data'", file.display());
    let gateway = start(&folder.path().join("journal"), &written);
    gateway.journal.record(carrying(0..60)).await.unwrap();
    settled(&*gateway.journal).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["number"].as_u64().unwrap();
    let lines: Vec<(u32, bool)> = text.lines().map(|line| (number(line) as u32, true)).collect();
    is_in_order(&lines);
    assert_eq!(lines.len(), 60);

    let receiver = Receiver::start([Say::Status(500), Say::Status(200)]).await;
    let gateway = start(&folder.path().join("other"), &http(&receiver.url(), "format = 'raw'"));
    for numbers in [0..3, 5..8, 10..13] {
        gateway.journal.record(carrying(numbers)).await.unwrap();
    }
    settled(&*gateway.journal).await;
    let events = gateway.journal.events(Default::default()).await.unwrap();
    let of = |id: &str| events.iter().find(|event| event.id.to_string() == id).unwrap().provider_id.clone().unwrap();
    let got: Vec<String> = receiver.got().iter().map(|got| of(got.headers["webhook-id"].to_str().unwrap())).collect();
    assert_eq!(got, ["0", "0", "5", "10"]);
}

#[tokio::test]
async fn an_order_that_cannot_be_told_shows_on_the_event_and_holds_nothing_up() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let folder = tempfile::tempdir().unwrap();
    let written = http(&receiver.url(), "").replace("event.data.account", "event.subject");
    let gateway = start(&folder.path().join("journal"), &written);
    gateway.journal.record(carrying(0..2)).await.unwrap();
    settled(&*gateway.journal).await;
    let events = gateway.journal.events(Default::default()).await.unwrap();
    assert_eq!(
        events[0].warnings,
        [r#""bank" gets it without order, because its `order_by` failed: there is no "subject""#]
    );
}
