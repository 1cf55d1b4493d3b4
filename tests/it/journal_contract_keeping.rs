//! Contract: what is found, what is kept and what goes.

use std::sync::Arc;

use hookport::event::{DedupKey, EventState};
use hookport::journal::{DeliveryFilter, DeliveryState, EventFilter, JournalError, NewRequest, Outcome, Recorded};
use uuid::Uuid;

use super::{Bounds, Desk, Places, accepted, event, noon, request, seconds};

async fn names(desk: &Desk, filter: EventFilter) -> String {
    let found = desk.journal.events(filter).await.unwrap();
    found.iter().map(|event| event.provider_id.clone().unwrap()).collect()
}

/// a and b of esim, c of cards an hour later, d undecoded.
async fn four(desk: &Desk) {
    desk.record(request([event("a", "to.crm"), event("b", "other.[x]")])).await;
    let mut later = NewRequest { source: "cards".into(), ..request([event("c", "to.crm+log")]) };
    Arc::make_mut(&mut later.request).received = noon() + seconds(3_600);
    desk.record(later).await;
    let mut undecoded = event("d", "to.crm");
    undecoded.undecoded = Some("a null".into());
    desk.record(request([undecoded])).await;
}

pub(crate) async fn events_are_found_by_every_filter(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    four(&desk).await;
    let all = EventFilter::default;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(names(&desk, all()).await, "dcba");
    assert_eq!(names(&desk, EventFilter { source: some("cards"), ..all() }).await, "c");
    assert_eq!(names(&desk, EventFilter { kind: some("to.*"), ..all() }).await, "dca");
    assert_eq!(names(&desk, EventFilter { kind: some("to.cr?"), ..all() }).await, "da");
    assert_eq!(names(&desk, EventFilter { kind: some("TO.*"), ..all() }).await, "", "case matters");
    assert_eq!(names(&desk, EventFilter { kind: some("*.[x]"), ..all() }).await, "b", "brackets are nothing special");
    assert_eq!(names(&desk, EventFilter { subject: some("subject-b"), ..all() }).await, "b");
    assert_eq!(names(&desk, EventFilter { provider_id: some("c"), ..all() }).await, "c");
    assert_eq!(names(&desk, EventFilter { state: Some(EventState::Undecoded), ..all() }).await, "d");
    assert_eq!(names(&desk, EventFilter { state: Some(EventState::Unrouted), ..all() }).await, "b");
    assert_eq!(names(&desk, EventFilter { since: Some(noon() + seconds(3_600)), ..all() }).await, "c");
    assert_eq!(names(&desk, EventFilter { until: Some(noon() + seconds(3_600)), ..all() }).await, "dba");
    assert_eq!(names(&desk, EventFilter { limit: 2, ..all() }).await, "dc");
    assert!(desk.journal.event(Uuid::now_v7()).await.unwrap().is_none());
}

pub(crate) async fn deliveries_are_found_by_every_filter(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    four(&desk).await;
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Delivered).await;
    let found = async |filter: DeliveryFilter| {
        let found = desk.journal.deliveries(filter).await.unwrap();
        found.iter().map(|delivery| format!("{}>{}", delivery.kind, delivery.destination)).collect::<Vec<_>>().join(" ")
    };
    let all = DeliveryFilter::default;
    let of_c =
        desk.journal.events(EventFilter { provider_id: Some("c".into()), ..Default::default() }).await.unwrap()[0].id;
    assert_eq!(found(all()).await, "to.crm+log>log to.crm+log>crm to.crm>crm");
    assert_eq!(found(DeliveryFilter { event: Some(of_c), ..all() }).await, "to.crm+log>log to.crm+log>crm");
    assert_eq!(found(DeliveryFilter { destination: Some("log".into()), ..all() }).await, "to.crm+log>log");
    assert_eq!(found(DeliveryFilter { source: Some("esim".into()), ..all() }).await, "to.crm>crm");
    assert_eq!(found(DeliveryFilter { kind: Some("*+log".into()), limit: 1, ..all() }).await, "to.crm+log>log");
    assert_eq!(
        found(DeliveryFilter { since: Some(noon() + seconds(1)), ..all() }).await,
        "to.crm+log>log to.crm+log>crm"
    );
    assert_eq!(found(DeliveryFilter { until: Some(noon() + seconds(1)), ..all() }).await, "to.crm>crm");
    for (state, expected) in [
        (DeliveryState::Delivered, "to.crm>crm"),
        (DeliveryState::InFlight, "to.crm+log>crm"),
        (DeliveryState::Pending, "to.crm+log>log"),
        (DeliveryState::Exhausted, ""),
    ] {
        assert_eq!(found(DeliveryFilter { state: Some(state), ..all() }).await, expected, "{state:?}");
    }
}

pub(crate) async fn tail_goes_on_after_an_event(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let first = desk.event("a", "crm").await;
    assert_eq!(names(&desk, EventFilter { after: Some(first), ..Default::default() }).await, "");
    for name in ["b", "c", "d"] {
        desk.event(name, "crm").await;
    }
    assert_eq!(names(&desk, EventFilter { after: Some(first), limit: 2, ..Default::default() }).await, "bc");
    assert_eq!(names(&desk, EventFilter { after: Some(Uuid::nil()), ..Default::default() }).await, "abcd");
}

pub(crate) async fn retention_keeps_what_is_open(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let mut ids = Vec::new();
    for n in 0..400 {
        let mut request = request([event(&format!("a{n}"), "to.crm"), event(&format!("b{n}"), "nobody")]);
        Arc::make_mut(&mut request.request).received = noon() + seconds(n);
        ids.extend(accepted(desk.record(request).await));
    }
    let mut claimed = Vec::new();
    for _ in 0..4 {
        claimed.extend(desk.claim("crm").await);
    }
    for claimed in claimed.iter().filter(|claimed| claimed.event.provider_id.as_deref() != Some("a7")) {
        desk.settle(claimed, Outcome::Delivered).await;
    }
    let deleted = desk.journal.retain(noon() + seconds(300)).await.unwrap();
    assert_eq!(deleted, 599, "300 requests of two events each, but one delivery is open");
    assert_eq!(desk.journal.stats().await.unwrap().events, 201);
    for (n, id) in ids.iter().enumerate() {
        let kept = desk.journal.event(*id).await.unwrap();
        assert_eq!(kept.is_some(), n >= 600 || n == 14, "{n}");
    }
    desk.settle(&claimed[7], Outcome::Delivered).await;
    desk.restart().await;
    assert_eq!(desk.journal.retain(noon() + seconds(1_000)).await.unwrap(), 201);
    assert_eq!(desk.journal.stats().await.unwrap().events, 0);
    desk.restart().await;
    let next = desk.event("new", "crm").await;
    assert!(next > ids[799], "ids never come again");
    assert_eq!(desk.journal.stats().await.unwrap().events, 1);
}

pub(crate) async fn retention_forgets_keys_but_not_those_with_their_own_time(places: Places<'_>) {
    for memory in [4, 10_000] {
        let mut desk = Desk::new(places(), Bounds { memory, ..Bounds::default() });
        let mut own = event("own", "nobody");
        own.key = DedupKey { until: Some(noon() + seconds(86_400)), ..own.key };
        let others = (0..10).map(|n| event(&format!("other{n}"), "nobody"));
        let both = request(others.chain([own.clone()]));
        accepted(desk.record(both).await);
        desk.clock.advance(seconds(3_600));
        assert_eq!(desk.journal.retain(noon() + seconds(60)).await.unwrap(), 11);
        for _ in 0..2 {
            assert_eq!(desk.record(request([own.clone()])).await, Recorded::Duplicate, "{memory} keys in memory");
            desk.crash();
        }
        let mut again = request([event("other3", "nobody")]);
        Arc::make_mut(&mut again.request).received = desk.clock.now();
        accepted(desk.record(again.clone()).await);
        assert_eq!(desk.record(again).await, Recorded::Duplicate);
        desk.clock.advance(seconds(86_400));
        desk.journal.retain(noon() + seconds(61)).await.unwrap();
        accepted(desk.record(request([own])).await);
    }
}

/// One event in a request of 20 kB.
fn large(name: &str, to: &str) -> NewRequest {
    let mut request = request([event(name, to)]);
    Arc::make_mut(&mut request.request).body = vec![b'x'; 20_000].into();
    request
}

pub(crate) async fn a_size_is_kept_by_what_is_oldest_and_finished(places: Places<'_>) {
    for memory in [40, 10_000] {
        let mut desk = Desk::new(places(), Bounds { memory, ..Bounds::default() });
        let mut ids = Vec::new();
        for n in 0..400 {
            let to = if n % 50 == 0 { "to.crm" } else { "nobody" };
            ids.extend(accepted(desk.record(large(&n.to_string(), to)).await));
        }
        assert_eq!(desk.journal.shrink(1 << 30).await.unwrap().events, 0, "there is room");
        let shrunk = desk.journal.shrink(6_000_000).await.unwrap();
        assert!(shrunk.events > 100 && !shrunk.over && shrunk.bytes < 6_000_000, "{shrunk:?}");
        let mut kept = Vec::new();
        for (n, id) in ids.iter().enumerate() {
            if desk.journal.event(*id).await.unwrap().is_some() {
                kept.push(n);
            }
        }
        let first = kept.iter().copied().find(|n| n % 50 != 0).unwrap();
        assert!(first > 100 && first < 300, "the oldest go, and not more than must: {first}");
        let expected: Vec<usize> = (0..400).filter(|n| n % 50 == 0 || *n >= first).collect();
        assert_eq!(kept, expected, "what is open stays");
        for _ in 0..2 {
            assert_eq!(desk.record(large("1", "nobody")).await, Recorded::Duplicate, "{memory} keys in memory");
            assert_eq!(desk.record(large("399", "nobody")).await, Recorded::Duplicate);
            assert_eq!(desk.claim("crm").await.len(), 8);
            desk.crash();
        }
        // Once its age has come, it is forgotten.
        desk.clock.advance(seconds(60));
        desk.journal.retain(noon() + seconds(1)).await.unwrap();
        let mut again = large("1", "nobody");
        Arc::make_mut(&mut again.request).received = noon() + seconds(2);
        accepted(desk.record(again).await);
        assert_eq!(desk.record(large("50", "to.crm")).await, Recorded::Duplicate, "it is still open");
    }
}

pub(crate) async fn what_is_open_is_more_than_a_size(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    for n in 0..200 {
        accepted(desk.record(large(&n.to_string(), "to.crm")).await);
    }
    let shrunk = desk.journal.shrink(1_000_000).await.unwrap();
    assert!(shrunk.over && shrunk.events == 0 && shrunk.bytes > 2_000_000, "{shrunk:?}");
    for claimed in desk.claim("crm").await {
        desk.settle(&claimed, Outcome::Delivered).await;
    }
    let shrunk = desk.journal.shrink(1_000_000).await.unwrap();
    assert_eq!((shrunk.events, shrunk.over), (100, true), "a hundred were claimed");
}

pub(crate) async fn poll_state_changes_with_its_events(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let polled = |name: &str, state: &'static str| NewRequest {
        poll_state: Some(("fleet".into(), state.into())),
        ..request([event(name, "to.crm")])
    };
    assert_eq!(desk.journal.poll_state("fleet").await.unwrap(), None);
    accepted(desk.record(polled("a", "first")).await);
    assert_eq!(desk.record(polled("a", "second")).await, Recorded::Duplicate);
    desk.crash();
    assert_eq!(desk.journal.poll_state("fleet").await.unwrap().as_deref(), Some(&b"second"[..]));
    let nothing_new = NewRequest { events: Vec::new(), ..polled("a", "third") };
    assert_eq!(desk.record(nothing_new).await, Recorded::Accepted(Vec::new()));
    assert_eq!(desk.journal.poll_state("fleet").await.unwrap().as_deref(), Some(&b"third"[..]));
    assert_eq!(desk.journal.poll_state("other").await.unwrap(), None);
}

pub(crate) async fn numbers_are_right(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    for n in 0..5 {
        let mut request = request([event(&n.to_string(), "to.crm")]);
        Arc::make_mut(&mut request.request).received = noon() + seconds(n);
        desk.record(request).await;
    }
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Delivered).await;
    desk.settle(&claimed[1], Outcome::Exhausted("gone".into())).await;
    for _ in 0..2 {
        let numbers = desk.journal.stats().await.unwrap();
        assert_eq!((numbers.events, numbers.open, numbers.exhausted), (5, 3, 1));
        assert_eq!(numbers.oldest_open, Some(noon() + seconds(2)));
        assert!(numbers.bytes > 0);
        desk.restart().await;
    }
}

pub(crate) async fn closed_is_closed(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let waiting: Vec<_> = (0..50).map(|n| desk.journal.record(request([event(&n.to_string(), "to.crm")]))).collect();
    desk.journal.close().await.unwrap();
    for recorded in waiting {
        accepted(recorded.await.unwrap());
    }
    let closed = |error| matches!(error, JournalError::Closed);
    assert!(closed(desk.journal.record(request([event("late", "to.crm")])).await.unwrap_err()));
    assert!(closed(desk.journal.events(EventFilter::default()).await.unwrap_err()));
    assert!(closed(desk.journal.retain(noon()).await.unwrap_err()));
    assert!(closed(desk.journal.close().await.unwrap_err()));
}
