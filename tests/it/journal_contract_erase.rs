//! Contract: content that is erased is gone, and nothing else is.

use std::sync::Arc;

use bytes::Bytes;
use hookport::event::{Data, Event, EventState};
use hookport::journal::{
    Attempt, Content, DeliveryFilter, DeliveryState, Erased, EventFilter, Outcome, Plan, Recorded, Redelivered, Replay,
    Replayed, Settled,
};
use uuid::Uuid;

use super::{Bounds, Desk, Places, accepted, attempt, event, key, request};

fn one(id: Uuid) -> EventFilter {
    EventFilter { id: Some(id), ..EventFilter::default() }
}

async fn erase(desk: &Desk, filter: EventFilter) -> (u64, u64) {
    let Erased { erased, open, after: _ } = desk.journal.erase(filter, false).await.unwrap();
    (erased, open)
}

/// Delivers what is due at the destination, which answers with these words.
async fn deliver(desk: &Desk, destination: &str, answer: &str) {
    for claimed in desk.claim(destination).await {
        let attempt = Attempt { answer: Some(answer.into()), ..attempt(&desk.clock) };
        let settled = Settled { delivery: claimed.delivery, attempt, outcome: Outcome::Delivered };
        desk.journal.settle(vec![settled]).await.unwrap();
    }
}

pub(crate) async fn erased_content_is_gone_and_the_event_is_known(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let (id, other) = (desk.event("a", "crm").await, desk.event("b", "crm").await);
    deliver(&desk, "crm", "got a or b").await;
    let before = desk.journal.event(id).await.unwrap().unwrap();
    assert!(!before.request.body.is_empty() && before.deliveries[0].tries[0].answer.is_some());

    assert_eq!(erase(&desk, one(id)).await, (1, 0));
    assert_eq!(erase(&desk, one(id)).await, (0, 0), "once is enough");
    desk.restart().await;
    let erased = desk.journal.event(id).await.unwrap().unwrap();
    assert_eq!(
        (erased.event.state, &erased.event.data, &erased.event.subject),
        (EventState::Erased, &Data::None, &None)
    );
    assert!(erased.request.body.is_empty() && erased.request.headers.is_empty() && erased.request.target.is_empty());
    assert_eq!(erased.deliveries[0].tries[0].answer, None);
    assert_eq!((erased.event.kind, erased.event.provider_id), (before.event.kind, before.event.provider_id));
    assert_eq!(desk.record(request([event("a", "to.crm")])).await, Recorded::Duplicate, "its key holds");

    let kept = desk.journal.event(other).await.unwrap().unwrap();
    assert!(!kept.request.body.is_empty() && kept.deliveries[0].tries[0].answer.as_deref() == Some("got a or b"));
}

pub(crate) async fn what_is_open_keeps_its_content(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let id = desk.event("a", "crm+log").await;
    deliver(&desk, "log", "").await;
    assert_eq!(erase(&desk, one(id)).await, (0, 1));
    let claimed = desk.claim("crm").await;
    assert_eq!(erase(&desk, one(id)).await, (0, 1), "in flight is open");
    assert_eq!(claimed[0].event.id, id);
    desk.settle(&claimed[0], Outcome::Exhausted("gone".into())).await;
    assert_eq!(erase(&desk, one(id)).await, (1, 0));
}

pub(crate) async fn of_a_batch_one_goes_and_the_others_keep_their_data(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let Recorded::Accepted(ids) = desk.record(request([event("a", "x"), event("b", "x"), event("c", "x")])).await
    else {
        panic!("new events are accepted")
    };
    let before = desk.journal.event(ids[1]).await.unwrap().unwrap();
    assert_eq!(erase(&desk, one(ids[0])).await, (1, 0));
    desk.restart().await;
    for (id, state) in [(ids[0], EventState::Erased), (ids[1], EventState::Unrouted), (ids[2], EventState::Unrouted)] {
        let found = desk.journal.event(id).await.unwrap().unwrap();
        assert_eq!(found.event.state, state);
        assert_eq!(found.event.data == Data::None, state == EventState::Erased);
        assert!(found.request.body.is_empty(), "the request's bytes hold what was erased");
    }
    assert_eq!(desk.journal.event(ids[1]).await.unwrap().unwrap().event.data, before.event.data);
    assert!(desk.journal.requests(one(ids[1])).await.unwrap()[0].erased, "nothing is left to decode again");
    assert_eq!(erase(&desk, one(ids[1])).await, (1, 0));
}

pub(crate) async fn a_dry_run_and_a_limit_only_go_so_far(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    for key in ["a", "b", "c", "d", "e"] {
        desk.event(key, "crm").await;
    }
    deliver(&desk, "crm", "").await;
    desk.event("f", "crm").await;
    let all = EventFilter { source: Some("esim".into()), ..EventFilter::default() };
    let dry = desk.journal.erase(all.clone(), true).await.unwrap();
    assert_eq!((dry.erased, dry.open, dry.after), (5, 1, None));
    let first = desk.journal.erase(EventFilter { limit: 2, ..all.clone() }, false).await.unwrap();
    assert_eq!((first.erased, first.open, first.after.is_some()), (2, 0, true));
    let rest = desk.journal.erase(EventFilter { after: first.after, ..all }, false).await.unwrap();
    assert_eq!((rest.erased, rest.open, rest.after), (3, 1, None));
}

async fn redeliver(desk: &Desk, event: Event, content: Content, to: &str) -> Redelivered {
    let (run, events, to) = (desk.clock.now(), vec![Replayed { event, content }], vec![Arc::from(to)]);
    desk.journal.redeliver(Replay { run, events, to, dry: false }).await.unwrap()
}

pub(crate) async fn the_copy_that_a_replay_made_of_a_request_goes_with_it(places: Places<'_>) {
    for original_first in [true, false] {
        let mut desk = Desk::new(places(), Bounds::default());
        let original = desk.event("a", "crm").await;
        deliver(&desk, "crm", "").await;
        let (stored, mut added) = (desk.journal.event(original).await.unwrap().unwrap(), original);
        for name in ["b", "c"] {
            // The second is a copy of a copy.
            let data = Data::Json(format!(r#"{{"id":"{name}"}}"#).into());
            let event = Event { id: added, data, ..stored.event.clone() };
            let content = Content::Added(key(name), Bytes::clone(&stored.request.body));
            assert_eq!(redeliver(&desk, event, content, "log").await.added, 1);
            let newest = EventFilter { limit: 1, ..EventFilter::default() };
            added = desk.journal.events(newest).await.unwrap()[0].id;
        }
        let before = desk.journal.event(added).await.unwrap().unwrap();
        assert_eq!(before.request.body, stored.request.body);

        let (first, other) = if original_first { (original, added) } else { (added, original) };
        assert_eq!(erase(&desk, one(first)).await, (0, 1), "the copies' deliveries need it");
        deliver(&desk, "log", "").await;
        let kept = desk.journal.event(other).await.unwrap().unwrap().event.data;
        assert_eq!(erase(&desk, one(first)).await, (1, 0));
        desk.restart().await;
        for event in desk.journal.events(EventFilter { limit: 9, ..EventFilter::default() }).await.unwrap() {
            let found = desk.journal.event(event.id).await.unwrap().unwrap();
            assert!(found.request.body.is_empty() && found.request.target.is_empty(), "{event:?}");
            assert_eq!(found.event.state == EventState::Erased, event.id == first);
        }
        assert_eq!(desk.journal.event(other).await.unwrap().unwrap().event.data, kept, "what it says is its own");
        assert_eq!(erase(&desk, one(other)).await, (1, 0));
    }
}

/// Everybody gets requests.
struct Raw;

impl Plan for Raw {
    fn plan(&self, _: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        Vec::new()
    }

    fn once_per_request(&self, _: &str) -> bool {
        true
    }
}

pub(crate) async fn a_request_that_was_erased_with_another_event_is_not_sent_empty(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let ids = accepted(desk.record(request([event("a", "to.raw+crm"), event("b", "nobody")])).await);
    for destination in ["raw", "crm"] {
        let claimed = desk.claim(destination).await;
        desk.settle(&claimed[0], Outcome::Exhausted("gone".into())).await;
    }
    assert_eq!(erase(&desk, one(ids[1])).await, (1, 0));
    let exhausted = DeliveryFilter { state: Some(DeliveryState::Exhausted), ..DeliveryFilter::default() };
    assert_eq!(desk.journal.retry(exhausted.clone()).await.unwrap(), 1, "who gets events gets this one");
    assert_eq!(desk.claim("crm").await.len(), 1);
    assert!(desk.claim("raw").await.is_empty());
    let stored = desk.journal.event(ids[0]).await.unwrap().unwrap().event;
    let done = redeliver(&desk, stored.clone(), Content::Stored, "raw").await;
    assert_eq!((done.deliveries, done.erased), (0, 1));
    assert_eq!(redeliver(&desk, stored, Content::Stored, "log").await.deliveries, 1);
    // A destination may become one that gets requests meanwhile.
    desk.journal.replan(Arc::new(Raw));
    assert!(desk.claim("log").await.is_empty());
    let log = DeliveryFilter { destination: Some("log".into()), ..exhausted };
    let mut found = Vec::new();
    for _ in 0..6_000 {
        found = desk.journal.deliveries(log.clone()).await.unwrap();
        if !found.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(found[0].reason.as_ref().unwrap().contains("were erased with another event of it"), "{found:?}");
}
