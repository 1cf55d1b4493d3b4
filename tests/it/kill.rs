//! The gateway is killed at random instants under load, again and again: what was acknowledged is there and arrives.
//!
//! `HOOKPORT_KILL_ROUNDS=200` kills it so often; what was counted is printed.

mod load;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::event::Event;
use hookport::journal::sqlite::{self, Options};
use hookport::journal::{DeliveryFilter, DeliveryState, EventFilter, Journal, Plan};
use http_body_util::Full;
use hyper::Response;
use rand::RngExt;

use self::load::{Acked, Senders};
use crate::process::{Folder, PATIENCE};
use crate::server::Server;

const ROUNDS: usize = 10;
const SENDERS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_event_is_lost_when_the_process_is_killed() {
    let rounds = std::env::var("HOOKPORT_KILL_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"));
    let received: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let crm = crm(received.clone()).await;
    let folder = Folder::new(&format!(
        "[destinations.crm]\nkind = \"http\"\nurl = \"http://{}/\"\nallow_private = true\nformat = \"data\"\n\
         retry = {{ attempts = 1000, first = \"100ms\", max = \"1s\" }}\n[[routes]]\nto = [\"crm\"]",
        crm.address
    ));
    let mut senders = Senders::new(SENDERS);
    for round in 0..rounds {
        let after = Duration::from_millis(rand::rng().random_range(0..200));
        if round % 5 == 4 {
            // Also while it starts and reads what the last kill left.
            folder.serve_in_vain(Some(after / 4));
        }
        let gateway = folder.serve();
        let sending = senders.start(gateway.address);
        tokio::time::sleep(after).await;
        gateway.kill();
        senders.join(sending).await;
    }
    let gateway = folder.serve();
    let address = gateway.address;
    // Who got no answer asks again, as providers do.
    let again = senders.settle(address).await;
    let acked = senders.acked();
    wait_for(&acked, &received).await;
    assert_eq!(gateway.stop().code, Some(0));

    let kept = kept(&folder).await;
    let (received, names) = (received.lock().expect("no panic"), acked.names());
    let lost: Vec<_> = names.iter().filter(|name| !kept.contains(*name)).collect();
    assert!(lost.is_empty(), "acknowledged and not in the journal: {lost:?}");
    let invented: Vec<_> = kept.iter().filter(|name| !names.contains(*name)).collect();
    assert!(invented.is_empty(), "in the journal and never acknowledged, though everybody asked again: {invented:?}");
    let deliveries: usize = received.values().sum();
    let twice = received.values().filter(|count| **count > 1).count();
    println!(
        "{rounds} kills: {} acknowledged ({} as duplicates, {again} asked again), {} in the journal, {} delivered in {deliveries} \
         deliveries ({twice} events more than once), 0 lost",
        names.len(),
        acked.duplicates(),
        kept.len(),
        received.len(),
    );
    assert!(names.len() > rounds, "only {} were acknowledged: that proves nothing", names.len());
}

/// A destination that counts what it gets, by the sender's own id.
async fn crm(received: Arc<Mutex<BTreeMap<String, usize>>>) -> Server {
    Server::start(move |request| {
        let data: serde_json::Value = serde_json::from_slice(request.body()).expect("JSON");
        let id = data["id"].as_str().expect("an id").to_owned();
        *received.lock().expect("no panic").entry(id).or_default() += 1;
        async { Response::new(Full::new(Bytes::new())) }
    })
    .await
}

async fn wait_for(acked: &Acked, received: &Mutex<BTreeMap<String, usize>>) {
    let mut end = Instant::now() + PATIENCE;
    let mut missing = usize::MAX;
    loop {
        let now = {
            let received = received.lock().expect("no panic");
            acked.names().iter().filter(|name| !received.contains_key(*name)).count()
        };
        match now {
            0 => return,
            // As long as it goes on it may take its time.
            fewer if fewer < missing => (missing, end) = (fewer, Instant::now() + PATIENCE),
            _ => assert!(Instant::now() < end, "{missing} acknowledged events are not delivered"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the journal holds: each id once, and delivered.
async fn kept(folder: &Folder) -> BTreeSet<String> {
    struct Nowhere;
    impl Plan for Nowhere {
        fn plan(&self, _: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
            Vec::new()
        }
    }
    let options = Options::new(folder.path("data"), Clock::default(), Arc::new(Nowhere));
    let journal = sqlite::open(options).expect("a journal");
    let events = journal.events(EventFilter { limit: usize::MAX, ..EventFilter::default() }).await.expect("events");
    let count = events.len();
    let names: BTreeSet<String> = events.into_iter().filter_map(|event| event.provider_id).collect();
    assert_eq!(names.len(), count, "an id is in the journal twice");
    let filter = DeliveryFilter { limit: usize::MAX, ..DeliveryFilter::default() };
    let deliveries = journal.deliveries(filter).await.expect("deliveries");
    assert_eq!(deliveries.len(), count);
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered), "something is still open");
    names
}
