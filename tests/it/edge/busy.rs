//! A journal that takes nothing: senders are asked to come again, and nobody is told that an event is kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hookport::clock::Clock;
use hookport::event::Event;
use hookport::gateway;
use hookport::inbound::{Inbound, Limits, Listener};
use hookport::journal::sqlite::{self, Options};
use hookport::journal::{EventFilter, Journal, Plan};
use hookport::keys::RemoteKeys;
use rusqlite::Connection;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::gate::{Gate, configured};
use super::line::Line;
use crate::tally::request;

/// Another program that holds the database's only write lock until it is dropped.
fn hold(file: &std::path::Path) -> Connection {
    let other = Connection::open(file).expect("the file is there");
    other.busy_timeout(Duration::from_secs(60)).expect("set");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_written_acknowledges_nothing() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    assert_eq!(line.ask(request("before")).await.status, 202);
    let held = hold(&gate.file());
    let refused = line.ask(request("a")).await;
    assert_eq!((refused.status, &refused.body[..]), (503, &b"<later/>"[..]));
    assert_eq!((refused.header("retry-after"), refused.header("content-type")), (Some("5"), Some("application/xml")));
    drop(held);
    assert_eq!(gate.kept().await, ["before"]);
    // It comes again, as it was asked to, and is new.
    assert_eq!(line.ask(request("a")).await.status, 202);
    assert_eq!(gate.kept().await, ["a", "before"]);
    gate.stop().await;
}

struct Nowhere;

impl Plan for Nowhere {
    fn plan(&self, _: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        Vec::new()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_503_at_once_and_loses_nothing_that_it_took() {
    let folder = tempfile::tempdir().expect("a folder");
    let (config, plugins) = configured(folder.path(), "", "");
    let mut options = Options::new(folder.path().join("data"), Clock::default(), Arc::new(Nowhere));
    options.limits.queue = 8;
    let journal: Arc<dyn Journal> = sqlite::open(options).expect("a journal");
    let sources = Arc::new(gateway::sources(&config, &plugins).expect("sources"));
    let limits = Limits {
        max_body: 1 << 20,
        request_timeout: Duration::from_secs(10),
        max_connections: 100,
        max_connections_per_address: None,
        trusted_proxies: Vec::new(),
        proxy_protocol: false,
        tls: None,
    };
    let (clock, keys) = (Clock::default(), Arc::new(RemoteKeys::new(Clock::default())));
    let inbound = Inbound::new(sources, HashMap::new(), journal.clone(), Arc::new(Nowhere), keys, clock, limits);
    let inbound = Arc::new(ArcSwap::from_pointee(inbound));
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    let listening = tokio::spawn(Listener::new(socket, inbound).run(stopped, Duration::from_secs(5)));

    let held = hold(&folder.path().join("data/journal.db"));
    let senders = (0..64).map(|n| {
        tokio::spawn(async move {
            let reply = Line::connect(address).await.ask(request(&n.to_string())).await;
            (n.to_string(), reply.status, reply.header("retry-after").map(str::to_owned))
        })
    });
    let senders: Vec<_> = senders.collect();
    // The writer waits for the lock with what it took first; at most as many as the queue holds wait behind that.
    let refused = |senders: &[tokio::task::JoinHandle<_>]| senders.iter().filter(|sender| sender.is_finished()).count();
    let end = tokio::time::Instant::now() + super::PATIENCE;
    while refused(&senders) == 0 {
        assert!(tokio::time::Instant::now() < end, "nobody was refused");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(held);
    let (mut acknowledged, mut busy) = (Vec::new(), 0);
    for sender in senders {
        match sender.await.expect("no panic") {
            (id, 202, None) => acknowledged.push(id),
            (_, 503, Some(after)) if after == "5" => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(busy > 0 && !acknowledged.is_empty(), "{busy} refused, {acknowledged:?} taken");
    let events = journal.events(EventFilter { limit: 1_000, ..EventFilter::default() }).await.expect("events");
    let mut kept: Vec<String> = events.into_iter().filter_map(|event| event.provider_id).collect();
    kept.sort_unstable();
    acknowledged.sort_unstable();
    assert_eq!(kept, acknowledged);
    stop.send_replace(true);
    listening.await.expect("no panic");
}
