//! Contract: stored events go out again, as they were or as they are decoded now; failed deliveries by what failed.

use std::sync::Arc;

use bytes::Bytes;
use hookport::event::{Data, Event, EventState};
use hookport::journal::{
    Attempt, Content, Counted, DeliveryFilter, DeliveryState, EventFilter, NewRejected, NewRequest, Outcome, Recorded,
    Redelivered, RejectionFilter, Replay, Replayed, Settled,
};
use hookport::reason::{Reason, Rejection};
use hookport::request::Incoming;
use jiff::Timestamp;
use uuid::Uuid;

use super::{Bounds, Desk, Places, accepted, event, key, request, seconds};

fn to(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

async fn stored(desk: &Desk, id: Uuid) -> Event {
    desk.journal.event(id).await.unwrap().unwrap().event
}

async fn replay(desk: &Desk, run: Timestamp, ids: &[Uuid], names: &[&str]) -> Redelivered {
    let mut events = Vec::new();
    for id in ids {
        events.push(Replayed { event: stored(desk, *id).await, content: Content::Stored });
    }
    desk.journal.redeliver(Replay { run, events, to: to(names), dry: false }).await.unwrap()
}

async fn deliver_all(desk: &Desk, destination: &str) -> usize {
    let claimed = desk.claim(destination).await;
    for claimed in &claimed {
        desk.settle(claimed, Outcome::Delivered).await;
    }
    claimed.len()
}

pub(crate) async fn a_replay_goes_where_it_is_told_or_where_the_plan_says(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let (first, second) = (desk.event("a", "crm").await, desk.event("b", "crm").await);
    assert_eq!(deliver_all(&desk, "crm").await, 2);
    let run = desk.clock.now();
    let done = replay(&desk, run, &[first], &["log", "crm"]).await;
    assert_eq!((done.events, done.deliveries, done.open), (1, 2, 0), "{done:?}");
    let done = replay(&desk, run, &[first, second], &[]).await;
    assert_eq!((done.events, done.deliveries), (1, 1), "what this replay made already is not made again: {done:?}");
    for _ in 0..2 {
        let shown = desk.journal.event(first).await.unwrap().unwrap().deliveries;
        let shown: Vec<_> =
            shown.iter().map(|one| (one.destination.as_str(), one.state, one.replay.is_some())).collect();
        let pending = DeliveryState::Pending;
        let expected = [("crm", DeliveryState::Delivered, false), ("log", pending, true), ("crm", pending, true)];
        assert_eq!(shown, expected);
        let log = desk.claim("log").await;
        assert_eq!((log.len(), log[0].event.id, log[0].attempt), (1, first, 1));
        desk.crash();
    }
    let again: Vec<_> = desk.claim("crm").await.iter().map(|claimed| claimed.event.id).collect();
    assert_eq!(again, [first, second]);
}

pub(crate) async fn a_replay_makes_no_delivery_beside_an_open_one(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let id = desk.event("a", "crm").await;
    let done = replay(&desk, desk.clock.now(), &[id], &["crm", "log"]).await;
    assert_eq!((done.deliveries, done.open), (1, 1));
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Exhausted("gone".into())).await;
    desk.clock.advance(seconds(1));
    let done = replay(&desk, desk.clock.now(), &[id], &["crm", "log"]).await;
    assert_eq!((done.deliveries, done.open), (1, 1));
}

pub(crate) async fn what_was_unrouted_is_routed_by_a_replay(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let unrouted = accepted(desk.record(request([event("a", "nobody")])).await)[0];
    let done = replay(&desk, desk.clock.now(), &[unrouted], &[]).await;
    assert_eq!((done.deliveries, done.unrouted), (0, 1));
    let done = replay(&desk, desk.clock.now(), &[unrouted], &["crm"]).await;
    assert_eq!((done.deliveries, done.unrouted), (1, 0));
    // A plan that has changed since is told by the event's type here.
    let mut changed = stored(&desk, unrouted).await;
    assert_eq!(changed.state, EventState::Unrouted, "no route wants it");
    changed.kind = "to.log".into();
    let events = vec![Replayed { event: changed, content: Content::Stored }];
    let replay = Replay { run: desk.clock.now(), events, to: Vec::new(), dry: false };
    assert_eq!(desk.journal.redeliver(replay).await.unwrap().deliveries, 1);
    assert_eq!(stored(&desk, unrouted).await.state, EventState::Routed);
}

pub(crate) async fn a_dry_replay_says_the_same_and_leaves_nothing(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let id = desk.event("a", "crm").await;
    deliver_all(&desk, "crm").await;
    let make = |event: Event, dry| {
        let content = Content::Replaced(key("other"), Bytes::from_static(b"{}"));
        let events = vec![Replayed { event: Event { kind: "to.new".into(), ..event }, content }];
        Replay { run: desk.clock.now(), events, to: to(&["crm", "new"]), dry }
    };
    let tried = desk.journal.redeliver(make(stored(&desk, id).await, true)).await.unwrap();
    let after = desk.journal.event(id).await.unwrap().unwrap();
    assert_eq!((after.event.kind.as_str(), after.deliveries.len()), ("to.crm", 1));
    assert!(desk.claim("crm").await.is_empty() && desk.claim("new").await.is_empty());
    desk.event("b", "new").await;
    assert_eq!(deliver_all(&desk, "new").await, 1, "names that were only tried are made again");
    let done = desk.journal.redeliver(make(stored(&desk, id).await, false)).await.unwrap();
    assert_eq!((tried, done.deliveries), (done, 2));
}

pub(crate) async fn who_gets_requests_gets_each_once_in_a_replay(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let ids = accepted(desk.record(request([event("a", "to.raw"), event("b", "to.raw"), event("c", "to.raw")])).await);
    let other = desk.event("d", "raw").await;
    assert_eq!(deliver_all(&desk, "raw").await, 2, "one for each request");
    let run = desk.clock.now();
    let mut made = 0;
    for id in [ids[1], ids[2], other] {
        made += replay(&desk, run, &[id], &[]).await.deliveries;
    }
    assert_eq!((made, desk.claim("raw").await.len()), (2, 2), "over the batches of one replay, too");
}

pub(crate) async fn a_new_content_takes_the_old_ones_place(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds { memory: 4, ..Bounds::default() });
    let mut undecoded = event("a", "to.nobody");
    undecoded.undecoded = Some("the decoder panicked".into());
    let sent = request([undecoded]);
    let body = sent.request.body.clone();
    let id = accepted(desk.record(sent).await)[0];
    let pending = desk.event("p", "crm").await;
    for n in 0..20 {
        desk.event(&n.to_string(), "elsewhere").await;
    }
    let old = stored(&desk, id).await;
    let now = |data: &str| Event {
        kind: "to.crm".into(),
        provider_version: "2.0.0".into(),
        subject: None,
        data: Data::Json(data.to_owned().into()),
        state: EventState::Routed,
        warnings: vec!["odd".into()],
        ..old.clone()
    };
    let events = vec![
        Replayed { event: now(r#"{"n":1}"#), content: Content::Replaced(key("a-1"), body.clone()) },
        Replayed { event: now(r#"{"n":2}"#), content: Content::Added(key("a-2"), body.clone()) },
        Replayed { event: now(r#"{"n":3}"#), content: Content::Added(key("7"), body.clone()) },
        Replayed {
            event: Event { data: Data::Json("{\"p\":2}".into()), ..stored(&desk, pending).await },
            content: Content::Replaced(key("p"), body.clone()),
        },
    ];
    let done = desk.journal.redeliver(Replay { run: desk.clock.now(), events, to: Vec::new(), dry: false }).await;
    let done = done.unwrap();
    assert_eq!((done.events, done.deliveries, done.added, done.open), (2, 2, 1, 1), "{done:?}");
    for round in 0..2 {
        let claimed = desk.claim("crm").await;
        let data: Vec<_> = claimed.iter().map(|claimed| claimed.event.data.clone()).collect();
        let expected = [r#"{"p":2}"#, r#"{"n":1}"#, r#"{"n":2}"#].map(|text| Data::Json(text.into()));
        assert_eq!(data, expected, "{round}");
        assert!(claimed.iter().all(|claimed| claimed.request.body.len() > 4), "with the request that they came with");
        assert_eq!((claimed[1].event.id, &*claimed[1].event.provider_version), (id, "2.0.0"));
        assert!(claimed[2].event.id > id && claimed[2].event.state == EventState::Routed);
        desk.restart().await;
    }
    // The new keys are known, also after restarts and beside keys in runs.
    for name in ["a", "a-1", "a-2"] {
        let again = desk.record(request([event(name, "to.crm")])).await;
        assert_eq!(again, Recorded::Duplicate, "{name}");
    }
}

pub(crate) async fn retention_waits_for_what_is_replayed_and_takes_it_along(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let ids = [desk.event("a", "crm").await, desk.event("b", "crm").await];
    assert_eq!(deliver_all(&desk, "crm").await, 2);
    replay(&desk, desk.clock.now(), &ids[..1], &["log"]).await;
    let later = desk.clock.now() + seconds(60);
    assert_eq!(desk.journal.retain(later).await.unwrap(), 1, "the other one is open again");
    assert_eq!(deliver_all(&desk, "log").await, 1);
    assert_eq!(desk.journal.retain(later).await.unwrap(), 1);
    let all = DeliveryFilter { limit: 100, ..DeliveryFilter::default() };
    assert!(desk.journal.deliveries(all.clone()).await.unwrap().is_empty());
    assert_eq!(desk.journal.count(Counted::Deliveries(all)).await.unwrap(), 0);
    assert_eq!(desk.journal.count(Counted::Events(EventFilter::default())).await.unwrap(), 0);
}

pub(crate) async fn what_failed_is_found_by_why_and_tried_again_whatever_is_known(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    for name in ["a", "b", "c", "d"] {
        desk.event(name, "crm").await;
    }
    let fails = [("gone", Some(410), None), ("attempt 3 of 3 failed: status 503", Some(503), Some("status 503"))];
    let claimed = desk.claim("crm").await;
    for (claimed, (reason, status, error)) in claimed[..2].iter().zip(fails) {
        let error = error.map(str::to_owned);
        let attempt = Attempt { at: desk.clock.now(), took_ms: 1, status, error, answer: None };
        let outcome = Outcome::Exhausted(reason.to_owned());
        desk.journal.settle(vec![Settled { delivery: claimed.delivery, attempt, outcome }]).await.unwrap();
    }
    desk.settle(&claimed[2], Outcome::Delivered).await;
    let tomorrow = desk.clock.now() + seconds(86_400);
    desk.settle(&claimed[3], Outcome::Retry(tomorrow)).await;
    let why = |text: &str| DeliveryFilter { reason: Some(text.into()), ..DeliveryFilter::default() };
    for (text, expected) in [("GONE", 1), ("410", 1), ("503", 3), ("status 503", 1), ("refused", 0)] {
        // By its last answer, whatever became of it: the one that was delivered and the one that is retrying have it, too.
        assert_eq!(desk.journal.count(Counted::Deliveries(why(text))).await.unwrap(), expected, "{text}");
    }
    // A repeat of the event is known, and the retry by hand goes out all the same.
    assert_eq!(desk.record(request([event("b", "to.crm")])).await, Recorded::Duplicate);
    assert_eq!(desk.journal.retry(why("503")).await.unwrap(), 1);
    assert_eq!(desk.claim("crm").await[0].delivery, claimed[1].delivery);
    let waiting = DeliveryFilter { state: Some(DeliveryState::Retrying), ..DeliveryFilter::default() };
    assert_eq!(desk.journal.retry(waiting.clone()).await.unwrap(), 1);
    assert_eq!(desk.journal.retry(waiting).await.unwrap(), 0, "once is enough");
    let hurried = desk.claim("crm").await;
    assert_eq!((hurried[0].delivery, hurried[0].attempt), (claimed[3].delivery, 2), "its tries go on");
    let several = DeliveryFilter { ids: vec![claimed[0].delivery, claimed[2].delivery], ..DeliveryFilter::default() };
    assert_eq!(desk.journal.retry(several).await.unwrap(), 1, "what is delivered is left alone");
}

pub(crate) async fn a_flood_of_forgeries_pushes_nothing_authentic_out(places: Places<'_>) {
    let bounds = Bounds { rejections: 20, ..Bounds::default() };
    let mut desk = Desk::new(places(), bounds);
    let stale = Rejection::new(Reason::TimestampExpired, "a day late");
    let late = NewRequest { stale: Some(stale), ..request([event("late", "to.crm")]) };
    assert!(matches!(desk.record(late).await, Recorded::Refused(_)));
    let forged = |n: i64| {
        let rejection = Rejection::new(Reason::SignatureMismatch, format!("forged {n}"));
        let request = Incoming::clone(&request([event("forged", "to.crm")]).request);
        NewRejected { source: Some("esim".into()), rejection, request }
    };
    let all = RejectionFilter { limit: 1_000, ..RejectionFilter::default() };
    for round in 0..4 {
        for n in 0..25 {
            desk.journal.reject(forged(round * 25 + n));
        }
        // What is refused waits for nobody: a record behind it says that it is written.
        desk.event(&format!("after-{round}"), "crm").await;
        if round == 1 {
            desk.restart().await;
        }
    }
    let kept = desk.journal.rejections(all.clone()).await.unwrap();
    let authentic: Vec<_> = kept.iter().filter(|rejected| rejected.authentic).collect();
    assert_eq!((kept.len(), authentic.len()), (21, 1), "each shelf has its own bound");
    let number = authentic[0].id;
    let (_, request) = desk.journal.rejection(number).await.unwrap().unwrap();
    assert!(request.unwrap().body.starts_with(b"{\"id\":\"late\""), "whole");
    let newest = kept[0].id;
    assert_eq!(desk.journal.released(vec![number, newest, 9_999]).await.unwrap(), 2);
    assert_eq!(desk.journal.count(Counted::Rejections(all.clone())).await.unwrap(), 19);
    desk.restart().await;
    desk.journal.reject(forged(1_000));
    desk.event("last", "crm").await;
    let kept = desk.journal.rejections(all).await.unwrap();
    assert!(kept[0].id > newest, "a number is given once");
    assert_eq!(desk.journal.stats().await.unwrap().rejections, 20);
}

pub(crate) async fn pages_go_on_where_the_last_one_ended(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    for n in 0..7 {
        desk.event(&n.to_string(), "crm").await;
    }
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let filter = DeliveryFilter { after: Some(after), limit: 3, ..DeliveryFilter::default() };
        let page = desk.journal.deliveries(filter).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        seen.extend(page.into_iter().map(|delivery| delivery.id));
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
}
