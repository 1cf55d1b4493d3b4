//! Contract: what is new, what is known, what is refused.

use std::sync::Arc;

use hookport::event::DedupKey;
use hookport::journal::{EventFilter, NewRequest, Recorded, RejectionFilter};
use hookport::reason::{Reason, Rejection};

use super::{Bounds, Desk, Places, accepted, event, key, request, seconds};

pub(crate) async fn a_repeat_is_a_duplicate(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let ids = accepted(desk.record(request([event("a", "to.crm")])).await);
    assert_eq!(ids.len(), 1);
    assert_eq!(desk.record(request([event("a", "to.crm")])).await, Recorded::Duplicate);
    let found = desk.journal.events(EventFilter::default()).await.unwrap();
    assert_eq!(found.iter().map(|event| event.id).collect::<Vec<_>>(), ids);
    assert_eq!(desk.claim("crm").await.len(), 1, "a repeat is not delivered again");
}

pub(crate) async fn one_batch_decides_each_of_its_events(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    desk.event("b", "crm").await;
    let batch = ["a", "b", "c", "c"].map(|name| event(name, "to.crm"));
    let ids = accepted(desk.record(request(batch.clone())).await);
    assert_eq!(ids.len(), 2, "b was known, and c comes twice in one request");
    assert_eq!(desk.record(request(batch)).await, Recorded::Duplicate);
    let names: Vec<_> =
        desk.claim("crm").await.iter().map(|claimed| claimed.event.provider_id.clone().unwrap()).collect();
    assert_eq!(names, ["b", "a", "c"]);
}

pub(crate) async fn a_stale_request_is_refused_unless_it_is_a_repeat(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    let expired = Rejection::new(Reason::TimestampExpired, "two days old");
    let stale = |events: &[&str]| NewRequest {
        stale: Some(expired.clone()),
        ..request(events.iter().map(|name| event(name, "to.crm")))
    };
    desk.event("known", "crm").await;
    assert_eq!(desk.record(stale(&["known"])).await, Recorded::Duplicate);
    assert_eq!(desk.record(stale(&["known", "new"])).await, Recorded::Refused(expired.clone()));
    let kept = desk.journal.rejections(RejectionFilter::default()).await.unwrap();
    assert_eq!((kept.len(), kept[0].reason, kept[0].detail.as_str()), (1, Reason::TimestampExpired, "two days old"));
    let (_, whole) = desk.journal.rejection(kept[0].id).await.unwrap().unwrap();
    assert_eq!(whole.unwrap().body, stale(&["known", "new"]).request.body, "kept so that it can be released");
    accepted(desk.record(request([event("new", "to.crm")])).await);
}

pub(crate) async fn a_nonce_serves_once(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let with_nonce = |name: &str| NewRequest { nonce: Some(key("nonce")), ..request([event(name, "to.crm")]) };
    accepted(desk.record(with_nonce("a")).await);
    assert_eq!(desk.record(with_nonce("a")).await, Recorded::Duplicate, "a repeat is acknowledged again");
    for _ in 0..2 {
        let Recorded::Refused(refused) = desk.record(with_nonce("b")).await else { panic!("taken twice") };
        assert_eq!(refused.reason, Reason::ReplayedNonce);
        desk.crash();
    }
    assert_eq!(desk.journal.rejections(RejectionFilter::default()).await.unwrap().len(), 2);
}

pub(crate) async fn a_nonce_may_be_the_same_text_as_a_key(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    desk.event("same", "crm").await;
    let other = NewRequest { nonce: Some(key("same")), ..request([event("other", "to.crm")]) };
    accepted(desk.record(other).await);
}

pub(crate) async fn keys_outlive_restart_and_crash(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    desk.event("a", "crm").await;
    desk.restart().await;
    desk.event("b", "crm").await;
    desk.crash();
    desk.event("c", "crm").await;
    for name in ["a", "b", "c"] {
        assert_eq!(desk.record(request([event(name, "to.crm")])).await, Recorded::Duplicate, "{name}");
    }
}

pub(crate) async fn a_key_holds_until_its_time(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let day = |desk: &Desk| {
        let mut event = event("a", "to.crm");
        event.key = DedupKey { until: Some(desk.clock.now() + seconds(86_400)), ..event.key };
        request([event])
    };
    accepted(desk.record(day(&desk)).await);
    desk.clock.advance(seconds(86_000));
    assert_eq!(desk.record(day(&desk)).await, Recorded::Duplicate);
    desk.clock.advance(seconds(1_000));
    accepted(desk.record(day(&desk)).await);
    desk.clock.advance(seconds(1_000));
    desk.crash();
    assert_eq!(desk.record(day(&desk)).await, Recorded::Duplicate, "the second one holds, not the first");
}

pub(crate) async fn one_of_many_at_once_is_accepted(places: Places<'_>) {
    let desk = Arc::new(Desk::new(places(), Bounds::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..400 {
        let desk = desk.clone();
        tasks.spawn(async move { (n % 100, desk.record(request([event(&format!("k{}", n % 100), "to.crm")])).await) });
    }
    let mut accepted = vec![0; 100];
    while let Some(done) = tasks.join_next().await {
        let (name, recorded) = done.unwrap();
        match recorded {
            Recorded::Accepted(ids) => accepted[name] += ids.len(),
            Recorded::Duplicate => {}
            Recorded::Refused(refused) => panic!("{refused:?}"),
        }
    }
    assert_eq!(accepted, [1; 100]);
    let found = desk.journal.events(EventFilter { limit: 1_000, ..EventFilter::default() }).await.unwrap();
    assert_eq!(found.len(), 100);
    assert!(found.windows(2).all(|pair| pair[0].id > pair[1].id), "newest first, and ids grow");
}

pub(crate) async fn keys_beyond_memory_are_known(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds { memory: 64, ..Bounds::default() });
    let batch = |n: usize| request((0..50).map(|m| event(&format!("{n}-{m}"), "nobody")));
    for n in 0..12 {
        assert_eq!(accepted(desk.record(batch(n)).await).len(), 50);
        if n % 5 == 4 {
            desk.crash();
        }
    }
    for n in 0..12 {
        assert_eq!(desk.record(batch(n)).await, Recorded::Duplicate, "{n}");
    }
    assert_eq!(accepted(desk.record(batch(12)).await).len(), 50);
}

pub(crate) async fn a_clock_that_was_ahead_does_not_forget_what_comes(places: Places<'_>) {
    for memory in [4, 10_000] {
        let mut desk = Desk::new(places(), Bounds { memory, ..Bounds::default() });
        let (year, day) = (seconds(365 * 86_400), seconds(86_400));
        desk.event("open", "crm").await;
        desk.clock.advance(year);
        desk.journal.retain(desk.clock.now() - day).await.unwrap();
        assert_eq!(
            desk.record(request([event("open", "to.crm")])).await,
            Recorded::Duplicate,
            "its event is still there"
        );
        desk.clock.advance(-year);
        for _ in 0..2 {
            let fresh = (0..20).map(|n| event(&format!("fresh{n}"), "nobody"));
            let recorded = desk.record(request(fresh)).await;
            assert!(desk.clock.now() < super::noon() + day);
            if let Recorded::Accepted(ids) = &recorded {
                assert_eq!(ids.len(), 20);
            }
            assert_eq!(desk.record(request([event("fresh7", "nobody")])).await, Recorded::Duplicate, "{memory}");
            desk.restart().await;
            assert_eq!(desk.record(request([event("fresh7", "nobody")])).await, Recorded::Duplicate, "{memory}");
            assert_eq!(desk.record(request([event("open", "to.crm")])).await, Recorded::Duplicate, "{memory}");
            desk.journal.retain(desk.clock.now() - day).await.unwrap();
        }
    }
}
