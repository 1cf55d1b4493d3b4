//! What the gateway owes: it is killed at random instants under load, with destinations that fail, stall and take without
//! saying so, again and again. What was acknowledged arrives, with the same bytes, and in order by account.
//!
//! `HOOKPORT_KILLS=1000` makes the long run of it; what was counted is printed (`-- obligations --nocapture`).

mod ledger;
mod power;
mod receiver;
mod senders;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookport::clock::Clock;
use hookport::event::Event;
use hookport::journal::sqlite::{self, Options};
use hookport::journal::{DeliveryFilter, DeliveryState, EventFilter, Journal, Plan};
use rand::RngExt;

use self::receiver::{Came, Receiver};
use self::senders::Senders;
use crate::process::{Folder, PATIENCE, Process};

const KILLS: usize = 100;
const SENDERS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_arrives_whole_and_in_order_however_often_the_process_is_killed() {
    let kills = std::env::var("HOOKPORT_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let world = World::new().await;
    let mut senders = Senders::new(SENDERS);
    for round in 0..kills {
        let after = Duration::from_millis(rand::rng().random_range(0..200));
        if round % 5 == 4 {
            // Also while it starts and reads what the last kill left.
            world.folder.serve_in_vain(Some(after / 4));
            world.settled().await;
        }
        let gateway = world.folder.serve();
        let sending = senders.start(gateway.address);
        tokio::time::sleep(after).await;
        gateway.kill();
        senders.join(sending).await;
        world.settled().await;
    }
    let judged = world.judge(world.folder.serve(), senders).await;
    println!("{kills} kills: {judged}");
    assert!(judged.acknowledged > kills, "that proves nothing");
    for came in [&judged.ordered, &judged.raw] {
        assert!(came.refused > 0 && came.count > came.bodies.len(), "nothing failed and nothing came twice");
    }
    for (account, numbers) in &judged.ordered.order {
        assert!(numbers.is_sorted(), "{account}: {numbers:?}");
    }
}

/// Two destinations and a gateway's folder.
struct World {
    folder: Folder,
    /// Gets CloudEvents, in order by account.
    ordered: Receiver,
    /// Gets the sender's own bytes, in any order.
    raw: Receiver,
}

impl World {
    async fn new() -> Self {
        let (ordered, raw) = (Receiver::start().await, Receiver::start().await);
        let destination = |name: &str, to: &Receiver, more: &str| {
            format!(
                "[destinations.{name}]\nkind = \"http\"\nurl = \"http://{}/\"\nallow_private = true\ntimeout = \"500ms\"\n\
                 retry = {{ attempts = 1000, first = \"20ms\", max = \"200ms\" }}\n{more}\n",
                to.address
            )
        };
        let folder = Folder::new(&format!(
            "{}{}[[routes]]\nto = [\"ordered\", \"raw\"]",
            destination("ordered", &ordered, "concurrency = 64\norder_by = \"event.subject\""),
            destination("raw", &raw, "concurrency = 64\nformat = \"raw\""),
        ));
        Self { folder, ordered, raw }
    }

    /// Nothing of a process that was killed can come any more.
    async fn settled(&self) {
        self.ordered.settled().await;
        self.raw.settled().await;
    }

    /// Lets everything end well, and compares what is owed with what came.
    async fn judge(&self, gateway: Process, mut senders: Senders) -> Judged {
        // Who got no answer asks again, as providers do.
        let again = senders.settle(gateway.address).await;
        self.ordered.be_kind();
        self.raw.be_kind();
        let owed: BTreeMap<&String, _> = senders.entries().collect();
        let ids: BTreeSet<&String> = owed.keys().copied().collect();
        for receiver in [&self.ordered, &self.raw] {
            wait_for(receiver, &ids).await;
        }
        self.delivered(&gateway).await;
        assert_eq!(gateway.stop().code, Some(0));
        let kept = kept(&self.folder).await;
        let lost: Vec<_> = ids.iter().filter(|id| !kept.contains(**id)).collect();
        assert!(lost.is_empty(), "acknowledged and not in the journal: {lost:?}");
        let invented: Vec<_> = kept.iter().filter(|id| !ids.contains(id)).collect();
        assert!(invented.is_empty(), "in the journal and never asked for: {invented:?}");
        let (ordered, raw) = (self.ordered.came(), self.raw.came());
        for (id, entry) in &owed {
            // A CloudEvent's data is the document without the blanks between its words.
            let data: Vec<u8> = entry.body.iter().copied().filter(|byte| *byte != b' ').collect();
            for (came, sent) in [(&ordered, &data[..]), (&raw, &entry.body[..])] {
                assert_eq!(came.bodies.get(*id).map(|body| &body[..]), Some(sent), "{id}");
            }
        }
        let duplicates = owed.values().filter(|entry| entry.acknowledged == Some(200)).count();
        Judged { acknowledged: ids.len(), duplicates, again, ordered, raw }
    }

    /// Waits until no delivery is open.
    async fn delivered(&self, gateway: &Process) {
        let end = Instant::now() + PATIENCE;
        loop {
            let open = ["pending", "in_flight", "retrying", "waiting"]
                .map(|state| format!("/v1/deliveries?state={state}&limit=1"));
            let mut none = true;
            for path in &open {
                let reply = gateway.get(path).await;
                let list: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
                none &= reply.status != 200 || list["deliveries"].as_array().is_none_or(Vec::is_empty);
            }
            if none {
                return;
            }
            assert!(Instant::now() < end, "deliveries stay open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// As long as it goes on it may take its time.
async fn wait_for(receiver: &Receiver, ids: &BTreeSet<&String>) {
    let (mut least, mut end) = (usize::MAX, Instant::now() + PATIENCE);
    loop {
        match receiver.missing(ids) {
            0 => return,
            fewer if fewer < least => (least, end) = (fewer, Instant::now() + PATIENCE),
            missing => assert!(Instant::now() < end, "{missing} acknowledged events are not delivered"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What the journal holds: each id once, and delivered to both.
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
    let ids: BTreeSet<String> = events.into_iter().filter_map(|event| event.provider_id).collect();
    assert_eq!(ids.len(), count, "an id is in the journal twice");
    let filter = DeliveryFilter { limit: usize::MAX, ..DeliveryFilter::default() };
    let deliveries = journal.deliveries(filter).await.expect("deliveries");
    assert_eq!(deliveries.len(), 2 * count);
    assert!(deliveries.iter().all(|delivery| delivery.state == DeliveryState::Delivered), "something is still open");
    ids
}

/// What came of it all.
struct Judged {
    acknowledged: usize,
    /// Answered as a repeat, because the first answer was lost.
    duplicates: usize,
    again: usize,
    ordered: Came,
    raw: Came,
}

impl std::fmt::Display for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { acknowledged, duplicates, again, .. } = self;
        write!(f, "{acknowledged} acknowledged ({duplicates} as repeats, {again} asked again at the end), 0 lost")?;
        for (name, came) in [("ordered", &self.ordered), ("raw", &self.raw)] {
            let (events, count, refused) = (came.bodies.len(), came.count, came.refused);
            write!(
                f,
                "; {name}: {events} events in {count} deliveries ({} more than once), {refused} refused",
                count - events
            )?;
        }
        Ok(())
    }
}
