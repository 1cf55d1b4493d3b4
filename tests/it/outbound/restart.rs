//! With the real journal: routes, requests that carry several events, and what a restart finds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::config::written::Route;
use hookport::event::{Data, DedupKey, Event, EventState, NewEvent};
use hookport::journal::sqlite::{self, Options};
use hookport::journal::{DeliveryFilter, DeliveryState, EventFilter, Journal, NewRequest, Recorded};
use hookport::outbound::{self, Destination, Means, Routes};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::receiver::{Receiver, Say};
use super::{AsItIs, local, request, until};

fn routes(text: &str, destinations: &[Destination]) -> Arc<Routes> {
    #[derive(serde::Deserialize)]
    struct File {
        routes: Vec<Route>,
    }
    let raw = destinations.iter().filter(|destination| destination.is_once_per_request()).map(Destination::name);
    let written = toml::from_str::<File>(text).unwrap().routes;
    Arc::new(Routes::compile(&written).unwrap().with_once_per_request(raw))
}

fn open(folder: &Path, routes: Arc<Routes>) -> Arc<dyn Journal> {
    sqlite::open(Options::new(folder, Clock::default(), routes)).unwrap()
}

/// A request whose events have these numbers, which are also their keys.
fn carrying(numbers: impl IntoIterator<Item = u8>) -> NewRequest {
    let event = |number| NewEvent {
        kind: "szzkc.SimCardChanged".into(),
        subject: None,
        time: None,
        provider_id: None,
        key: DedupKey { hash: [number; 16], until: None },
        data: Data::Json(Bytes::from(format!(r#"{{"number":{number}}}"#))),
        warnings: Vec::new(),
        undecoded: None,
    };
    NewRequest {
        source: "sims".into(),
        provider: "szzkc".into(),
        provider_version: "1.0.0".into(),
        request: Arc::new(request(&[("content-type", "application/json")], br#"{"result":[]}"#)),
        events: numbers.into_iter().map(event).collect(),
        nonce: None,
        stale: None,
        build: None,
        poll_state: None,
    }
}

async fn is_settled(journal: &dyn Journal) {
    let start = std::time::Instant::now();
    while journal.stats().await.unwrap().open > 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "deliveries stay open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn raw_is_sent_once_for_all_new_events_of_a_request() {
    let [raw, each] = [Receiver::start([Say::Status(200)]).await, Receiver::start([Say::Status(200)]).await];
    let destinations = vec![local("raw", &raw.url(), "format = 'raw'"), local("each", &each.url(), "")];
    let text = "
        [[routes]]
        to = ['raw']
        [[routes]]
        when = 'event.data.number > 1'
        to = ['each']
    ";
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder.path().join("journal"), routes(text, &destinations));
    let (stop, stopped) = watch::channel(false);
    let running = outbound::run(means(&journal), destinations, stopped);

    journal.record(carrying([1, 2, 3])).await.unwrap();
    is_settled(&*journal).await;
    assert_eq!((raw.got().len(), each.got().len()), (1, 2));
    assert_eq!(&raw.got()[0].body[..], br#"{"result":[]}"#);

    let Recorded::Accepted(new) = journal.record(carrying([1, 4, 5])).await.unwrap() else { panic!("two are new") };
    is_settled(&*journal).await;
    assert_eq!((raw.got().len(), each.got().len()), (2, 4));
    assert_eq!(raw.got()[1].headers["webhook-id"], new[0].to_string());

    let events = journal.events(EventFilter::default()).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.state == EventState::Routed).count(), 5);
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn a_condition_that_fails_shows_on_the_event() {
    let folder = tempfile::tempdir().unwrap();
    let text = "
        [[routes]]
        name = 'expensive'
        when = 'event.data.price > 100'
        to = ['crm']
    ";
    let journal = open(&folder.path().join("journal"), routes(text, &[]));
    journal.record(carrying([1])).await.unwrap();
    let events: Vec<Event> = journal.events(EventFilter::default()).await.unwrap();
    assert_eq!(events[0].state, EventState::Unrouted);
    assert!(events[0].warnings[0].contains("\"expensive\"") && events[0].warnings[0].contains("price"));
}

pub(super) fn means(journal: &Arc<dyn Journal>) -> Means {
    Means {
        journal: journal.clone(),
        opener: Arc::new(AsItIs),
        clock: Clock::default(),
        gates: Arc::default(),
        notices: Arc::default(),
        traces: Arc::default(),
    }
}

const TO_CRM: &str = "
    [[routes]]
    to = ['crm']
";

/// One life of the gateway in a runtime of its own, ended by `end` without a word to anybody or by a drain.
fn live(folder: &Path, url: &str, drain: bool, first: bool, is_enough: impl Fn(&dyn Journal) -> bool) {
    let runtime = Runtime::new().unwrap();
    let destinations = vec![local("crm", url, "timeout = '60s'\nconcurrency = 4")];
    let journal = open(folder, routes(TO_CRM, &destinations));
    let (stop, stopped) = watch::channel(false);
    let running = {
        let _inside = runtime.enter();
        outbound::run(means(&journal), destinations, stopped)
    };
    runtime.block_on(async {
        for number in (0..20).filter(|_| first) {
            journal.record(carrying([number])).await.unwrap();
        }
        until("this life has done enough", || is_enough(&*journal)).await;
        if drain {
            stop.send(true).unwrap();
            running.await.unwrap();
        }
    });
    drop(journal);
    runtime.shutdown_timeout(Duration::from_secs(10));
}

#[test]
fn what_was_in_flight_when_the_process_ended_is_delivered_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let servers = Runtime::new().unwrap();
    let hanging = servers.block_on(Receiver::start([Say::Status(200), Say::Status(200), Say::Nothing]));
    live(&path, &hanging.url(), false, true, |_| hanging.got().len() == 6);

    let good = servers.block_on(Receiver::start([Say::Status(200)]));
    live(&path, &good.url(), true, false, |journal| journal.next_due("crm").is_none() && good.got().len() >= 18);
    let mut ids: Vec<_> = good.got().iter().map(|got| got.headers["webhook-id"].to_str().unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    // Two had their 2xx before; their settlement may have been lost with the process.
    assert!((18..=20).contains(&ids.len()), "{}", ids.len());

    let journal = open(&path, routes(TO_CRM, &[]));
    let filter = DeliveryFilter { state: Some(DeliveryState::Delivered), ..DeliveryFilter::default() };
    assert_eq!(servers.block_on(journal.deliveries(filter)).unwrap().len(), 20);
}

#[test]
fn a_drained_gateway_delivers_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let servers = Runtime::new().unwrap();
    let receiver = servers.block_on(Receiver::start([Say::After(Duration::from_millis(50), 200)]));
    live(&path, &receiver.url(), true, true, |_| receiver.got().len() >= 4);
    assert!(receiver.got().len() < 20);
    live(&path, &receiver.url(), true, false, |_| receiver.got().len() == 20);
    let mut ids: Vec<_> = receiver.got().iter().map(|got| got.headers["webhook-id"].clone()).collect();
    ids.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    ids.dedup();
    assert_eq!(ids.len(), 20);
}
