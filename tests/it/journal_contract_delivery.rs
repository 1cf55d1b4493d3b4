//! Contract: from the plan to the last attempt.

use std::collections::BTreeSet;
use std::time::Duration;

use hookport::event::{Data, EventState};
use hookport::journal::{DeliveryFilter, DeliveryState, NewRequest, Outcome};

use super::{Bounds, Desk, Places, accepted, event, request, seconds};

pub(crate) async fn events_go_where_the_plan_says(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let mut undecoded = event("c", "to.crm");
    undecoded.undecoded = Some("the decoder panicked".into());
    let batch = request([event("a", "to.crm+log"), event("b", "nobody.warn"), undecoded]);
    let ids = accepted(desk.record(batch).await);
    let mut seen = Vec::new();
    for id in &ids {
        let detail = desk.journal.event(*id).await.unwrap().unwrap();
        let to: Vec<_> = detail.deliveries.iter().map(|delivery| delivery.destination.clone()).collect();
        seen.push((detail.event.state, to.join("+"), detail.event.warnings.join(",")));
    }
    let expected = [
        (EventState::Routed, "crm+log".into(), String::new()),
        (EventState::Unrouted, String::new(), "a rule failed".into()),
        (EventState::Undecoded, String::new(), "the decoder panicked".into()),
    ];
    assert_eq!(seen, expected);
    assert_eq!((desk.claim("crm").await.len(), desk.claim("log").await.len()), (1, 1));
}

pub(crate) async fn what_is_claimed_is_as_recorded(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let mut text = event("t", "to.crm");
    text.data = Data::Bytes("plain".into(), "text/plain".into());
    let mut nothing = event("n", "to.crm");
    (nothing.data, nothing.time, nothing.subject) = (Data::None, None, None);
    let sent = request([event("a", "to.crm.warn"), event("a2", "to.crm"), text, nothing]);
    let expected = sent.clone();
    desk.record(NewRequest { events: vec![event("b", "to.crm")], ..sent.clone() }).await;
    accepted(desk.record(sent).await);
    for from in ["memory", "file"] {
        let claimed = desk.claim("crm").await;
        assert_eq!(claimed.len(), 4, "one went to nobody called crm.warn");
        for (claimed, sent) in claimed[1..].iter().zip(&expected.events[1..]) {
            let got = &claimed.event;
            assert_eq!((&got.data, &got.kind, &got.subject), (&sent.data, &sent.kind, &sent.subject), "from {from}");
            assert_eq!(
                (got.time, &got.provider_id, got.received),
                (sent.time, &sent.provider_id, expected.request.received)
            );
            assert_eq!((&*got.source, &*got.provider, &*got.provider_version), ("esim", "eiotclub", "1.0.0"));
            assert_eq!(
                (&claimed.request.body, &claimed.request.headers),
                (&expected.request.body, &expected.request.headers)
            );
            assert_eq!(
                (&claimed.request.target, claimed.request.peer),
                (&expected.request.target, expected.request.peer)
            );
        }
        desk.crash();
    }
}

pub(crate) async fn claims_are_exclusive_and_oldest_first(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(desk.event(&n.to_string(), "crm").await);
    }
    let now = desk.clock.now() + seconds(1);
    let (first, second, third) = tokio::join!(
        desk.journal.claim("crm", 4, now),
        desk.journal.claim("crm", 4, now),
        desk.journal.claim("crm", 4, now)
    );
    let [first, second, third] = [first, second, third].map(Result::unwrap);
    let all: Vec<_> = [first, second, third].concat().iter().map(|claimed| claimed.event.id).collect();
    assert_eq!(all, ids);
}

pub(crate) async fn in_flight_is_due_again_after_a_crash(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let id = desk.event("a", "crm").await;
    assert_eq!(desk.claim("crm").await.len(), 1);
    assert!(desk.claim("crm").await.is_empty());
    desk.crash();
    let again = desk.claim("crm").await;
    assert_eq!((again[0].event.id, again[0].attempt), (id, 1));
    desk.restart().await;
    assert_eq!(desk.claim("crm").await.len(), 1);
}

pub(crate) async fn a_retry_waits_for_its_time(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    desk.event("a", "crm").await;
    for tried in 1..=3 {
        let claimed = desk.claim("crm").await;
        assert_eq!(claimed[0].attempt, tried);
        let at = desk.clock.now() + seconds(60);
        desk.settle(&claimed[0], Outcome::Retry(at)).await;
        assert!(desk.claim("crm").await.is_empty());
        let shown = desk.journal.deliveries(DeliveryFilter { id: Some(claimed[0].delivery), ..Default::default() });
        let shown = shown.await.unwrap().remove(0);
        assert_eq!((shown.state, shown.attempts, shown.tries.len()), (DeliveryState::Retrying, tried, tried as usize));
        assert_eq!((shown.tries[0].status, shown.tries[0].answer.as_deref()), (Some(503), Some("come again")));
        assert_eq!(desk.journal.next_due("crm").unwrap().as_millisecond(), at.as_millisecond());
        if tried == 2 {
            desk.restart().await;
        }
        desk.clock.advance(seconds(61));
    }
}

pub(crate) async fn what_was_settled_stays_settled(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    for name in ["a", "b"] {
        desk.event(name, "crm").await;
    }
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Delivered).await;
    desk.settle(&claimed[1], Outcome::Exhausted("gone".into())).await;
    for _ in 0..2 {
        assert!(desk.claim("crm").await.is_empty() && desk.journal.next_due("crm").is_none());
        let shown = desk.journal.deliveries(DeliveryFilter::default()).await.unwrap();
        let shown: Vec<_> = shown.iter().map(|delivery| (delivery.state, delivery.reason.as_deref())).collect();
        assert_eq!(shown, [(DeliveryState::Exhausted, Some("gone")), (DeliveryState::Delivered, None)]);
        desk.restart().await;
    }
}

pub(crate) async fn exhausted_is_due_again_only_by_hand(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    for name in ["a", "b", "c"] {
        desk.event(name, "crm").await;
    }
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Delivered).await;
    desk.settle(&claimed[1], Outcome::Retry(desk.clock.now())).await;
    let failed = DeliveryFilter { state: Some(DeliveryState::Retrying), ..DeliveryFilter::default() };
    let failed = desk.journal.deliveries(failed).await.unwrap();
    assert_eq!(failed[0].reason.as_deref(), Some("503"), "a list says why it was not delivered so far");
    for claimed in [&desk.claim("crm").await[0], &claimed[2]] {
        desk.settle(claimed, Outcome::Exhausted("no more tries".into())).await;
    }
    assert!(claimed.iter().all(|claimed| claimed.since == claimed.event.received));
    desk.clock.advance(seconds(3600));
    let one = DeliveryFilter { id: Some(claimed[1].delivery), ..DeliveryFilter::default() };
    assert_eq!(desk.journal.retry(one).await.unwrap(), 1);
    assert_eq!(
        desk.journal.retry(DeliveryFilter::default()).await.unwrap(),
        1,
        "what is due or delivered is left alone"
    );
    for _ in 0..2 {
        let again = desk.claim("crm").await;
        assert!(
            again.iter().all(|claimed| claimed.since.duration_since(claimed.event.received) >= seconds(3600)),
            "and a deadline counts from now"
        );
        let again: Vec<_> = again.iter().map(|claimed| (claimed.delivery, claimed.attempt)).collect();
        assert_eq!(again, [(claimed[1].delivery, 1), (claimed[2].delivery, 1)], "the policy starts again");
        desk.crash();
    }
    let again = desk.claim("crm").await;
    desk.settle(&again[0], Outcome::Delivered).await;
    let shown =
        desk.journal.deliveries(DeliveryFilter { id: Some(again[0].delivery), ..Default::default() }).await.unwrap();
    assert_eq!((shown[0].attempts, shown[0].tries.len()), (3, 3), "no attempt is forgotten");
}

pub(crate) async fn released_is_not_an_attempt(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    desk.event("a", "crm").await;
    desk.event("b", "crm").await;
    for _ in 0..3 {
        let claimed = desk.claim("crm").await;
        assert_eq!(claimed.iter().map(|claimed| claimed.attempt).collect::<Vec<_>>(), [1, 1]);
        assert!(claimed[0].event.id < claimed[1].event.id, "it keeps its place");
        desk.settle(&claimed[1], Outcome::Released).await;
        desk.settle(&claimed[0], Outcome::Released).await;
    }
    let shown = desk.journal.deliveries(DeliveryFilter::default()).await.unwrap();
    assert!(shown.iter().all(|delivery| (delivery.state, delivery.attempts) == (DeliveryState::Pending, 0)));
}

pub(crate) async fn a_destination_that_is_gone_keeps_its_deliveries(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let id = desk.event("a", "gone+crm").await;
    for _ in 0..2 {
        desk.restart().await;
        assert_eq!(desk.claim("crm").await.len(), 1);
    }
    assert_eq!(desk.journal.stats().await.unwrap().open, 2);
    assert_eq!(desk.claim("gone").await[0].event.id, id, "back in the configuration");
}

pub(crate) async fn due_is_notified(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let due = desk.journal.due("crm");
    let soon = Duration::from_secs(60);
    desk.event("a", "crm").await;
    tokio::time::timeout(soon, due.notified()).await.expect("a new delivery wakes its destination");
    let claimed = desk.claim("crm").await;
    let waiting = tokio::spawn(async move { due.notified().await });
    desk.settle(&claimed[0], Outcome::Retry(desk.clock.now())).await;
    tokio::time::timeout(soon, waiting).await.expect("so does one that is to be tried again").unwrap();
}

pub(crate) async fn more_than_memory_holds_is_delivered_once(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds { memory: 16, ..Bounds::default() });
    let mut expected = BTreeSet::new();
    for n in 0..10 {
        let batch = request((0..20).map(|m| event(&format!("{n}-{m}"), "to.crm")));
        expected.extend(accepted(desk.record(batch).await));
    }
    desk.crash();
    let (mut delivered, mut tried) = (BTreeSet::new(), 0);
    while delivered.len() < expected.len() {
        let due = desk.journal.due("crm");
        let claimed = desk.journal.claim("crm", 7, desk.clock.now()).await.unwrap();
        if claimed.is_empty() {
            assert!(desk.journal.next_due("crm").is_some(), "{} of {}", delivered.len(), expected.len());
            desk.clock.advance(seconds(5));
            let _ = tokio::time::timeout(Duration::from_millis(200), due.notified()).await;
        }
        for claimed in claimed {
            tried += 1;
            let outcome = match tried % 3 {
                0 => Outcome::Retry(desk.clock.now() + seconds(3)),
                1 if tried % 5 == 0 => Outcome::Released,
                _ => Outcome::Delivered,
            };
            if outcome == Outcome::Delivered {
                assert!(delivered.insert(claimed.event.id), "delivered twice");
            }
            desk.settle(&claimed, outcome).await;
        }
        assert!(tried < 2_000);
    }
    assert_eq!(delivered, expected);
    assert_eq!((desk.journal.stats().await.unwrap().open, desk.journal.next_due("crm")), (0, None));
}

pub(crate) async fn settling_twice_counts_once(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    desk.event("a", "crm").await;
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Delivered).await;
    desk.settle(&claimed[0], Outcome::Exhausted("late".into())).await;
    let shown =
        desk.journal.deliveries(DeliveryFilter { id: Some(claimed[0].delivery), ..Default::default() }).await.unwrap();
    assert_eq!((shown[0].state, shown[0].tries.len()), (DeliveryState::Delivered, 1));
}

pub(crate) async fn a_claim_that_nobody_reads_is_due_again(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    for n in 0..20 {
        desk.event(&n.to_string(), "crm").await;
    }
    for from in ["memory", "file"] {
        for _ in 0..50 {
            drop(desk.journal.claim("crm", 100, desk.clock.now()));
        }
        let (mut claimed, mut waited) = (Vec::new(), 0);
        while claimed.len() < 20 {
            claimed.extend(desk.claim("crm").await);
            tokio::time::sleep(Duration::from_millis(10)).await;
            waited += 1;
            assert!(waited < 1_000, "{} of 20 from {from}", claimed.len());
        }
        desk.crash();
    }
}
