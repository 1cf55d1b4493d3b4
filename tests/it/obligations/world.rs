//! What the obligations are judged by: two destinations, what they got, and what the journal holds in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookport::event::Event;
use hookport::journal::{DeliveryFilter, DeliveryState, EventFilter, Journal, Plan};

use super::receiver::{Came, Receiver};
use super::senders::Senders;
use crate::process::{Folder, PATIENCE, Process};

/// Two destinations.
pub(super) struct World {
    /// Gets CloudEvents, in order by account.
    pub(super) ordered: Receiver,
    /// Gets the sender's own bytes, in any order.
    pub(super) raw: Receiver,
    /// How long a gateway waits for their answers.
    timeout: &'static str,
}

impl World {
    pub(super) async fn new() -> Self {
        Self { ordered: Receiver::start().await, raw: Receiver::start().await, timeout: "500ms" }
    }

    /// Nothing fails in it, however slow the machine is.
    pub(super) async fn kind() -> Self {
        let world = Self { timeout: "60s", ..Self::new().await };
        world.ordered.be_kind();
        world.raw.be_kind();
        world
    }

    /// A gateway's folder whose source goes to both; `more` is what else is configured.
    pub(super) fn folder(&self, more: &str) -> Folder {
        let destination = |name: &str, to: &Receiver, more: &str| {
            format!(
                "[destinations.{name}]\nkind = \"http\"\nurl = \"http://{}/\"\nallow_private = true\ntimeout = \"{}\"\n\
                 retry = {{ attempts = 1000, first = \"20ms\", max = \"200ms\" }}\n{more}\n",
                to.address, self.timeout
            )
        };
        Folder::new(&format!(
            "{more}\n{}{}[[routes]]\nto = [\"ordered\", \"raw\"]",
            destination("ordered", &self.ordered, "concurrency = 64\norder_by = \"event.subject\""),
            destination("raw", &self.raw, "concurrency = 64\nformat = \"raw\""),
        ))
    }

    /// Nothing of a process that was killed can come any more.
    pub(super) async fn settled(&self) {
        self.ordered.settled().await;
        self.raw.settled().await;
    }

    /// Lets everything end well, and compares what is owed with what came and with what the journal holds then.
    pub(super) async fn judge(
        &self,
        gateways: Vec<Process>,
        mut senders: Senders,
        journal: impl FnOnce() -> Arc<dyn Journal>,
    ) -> Judged {
        // Who got no answer asks again, as providers do.
        let again = senders.settle(gateways[0].address).await;
        self.ordered.be_kind();
        self.raw.be_kind();
        let owed: BTreeMap<&String, _> = senders.entries().collect();
        let ids: BTreeSet<&String> = owed.keys().copied().collect();
        for receiver in [&self.ordered, &self.raw] {
            wait_for(receiver, &ids).await;
        }
        delivered(&gateways[0]).await;
        for gateway in gateways {
            assert_eq!(gateway.stop().code, Some(0));
        }
        let kept = kept(journal()).await;
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
}

/// Waits until no delivery is open.
async fn delivered(gateway: &Process) {
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
async fn kept(journal: Arc<dyn Journal>) -> BTreeSet<String> {
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

/// For who only looks at a journal.
pub(super) struct Nowhere;

impl Plan for Nowhere {
    fn plan(&self, _: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        Vec::new()
    }
}

/// What came of it all.
pub(super) struct Judged {
    pub(super) acknowledged: usize,
    /// Answered as a repeat, because the first answer was lost.
    duplicates: usize,
    again: usize,
    pub(super) ordered: Came,
    pub(super) raw: Came,
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
