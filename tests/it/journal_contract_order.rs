//! Contract: order per key.

use std::time::Duration;

use hookport::journal::{Claimed, Delivery, DeliveryFilter, DeliveryState, Outcome};

use super::{Bounds, Desk, Places, accepted, event, request, seconds};

/// An event for the bank; its key is the name's letters.
pub(crate) fn about(name: &str) -> hookport::event::NewEvent {
    let mut event = event(name, "to.bank");
    event.subject = Some(name.trim_end_matches(char::is_numeric).into());
    event
}

pub(crate) async fn bank(places: Places<'_>, names: &[&str]) -> Desk {
    let desk = Desk::new(places(), Bounds::default());
    record(&desk, names).await;
    desk
}

pub(crate) async fn record(desk: &Desk, names: &[&str]) {
    for name in names {
        accepted(desk.record(request([about(name)])).await);
    }
}

pub(crate) fn name(claimed: &Claimed) -> &str {
    claimed.event.provider_id.as_deref().unwrap()
}

pub(crate) fn names(claimed: &[Claimed]) -> String {
    claimed.iter().map(name).collect::<Vec<_>>().join(" ")
}

/// Claims exactly these.
pub(crate) async fn claim(desk: &Desk, expected: &str) -> Vec<Claimed> {
    let claimed = desk.claim("bank").await;
    assert_eq!(names(&claimed), expected);
    claimed
}

pub(crate) async fn end(desk: &Desk, claimed: &[Claimed], wanted: &str, outcome: Outcome) {
    let claimed = claimed.iter().find(|claimed| name(claimed) == wanted).unwrap();
    desk.settle(claimed, outcome).await;
}

pub(crate) async fn shown(desk: &Desk, wanted: &str) -> Delivery {
    let filter = DeliveryFilter { provider_id: Some(wanted.into()), ..DeliveryFilter::default() };
    let mut found = desk.journal.deliveries(filter).await.unwrap();
    assert_eq!(found.len(), 1, "{wanted}");
    found.remove(0)
}

pub(crate) fn of(name: &str) -> DeliveryFilter {
    DeliveryFilter { provider_id: Some(name.into()), ..DeliveryFilter::default() }
}

pub(crate) fn retry(desk: &Desk, wait: i64) -> Outcome {
    Outcome::Retry(desk.clock.now() + seconds(wait))
}

pub(crate) async fn one_retry_keeps_the_order_whatever_the_states(places: Places<'_>) {
    let bank = |ids: Vec<u64>| DeliveryFilter { ids, destination: Some("bank".into()), ..DeliveryFilter::default() };
    let desk = self::bank(places, &["a1", "a2", "a3"]).await;
    for named in [false, true] {
        assert_eq!(desk.journal.cancel(of("a1")).await.unwrap(), 1);
        let claimed = claim(&desk, "a2").await;
        end(&desk, &claimed, "a2", Outcome::Exhausted("over".into())).await;
        assert_eq!(desk.journal.cancel(of("a3")).await.unwrap(), 1);
        let ids = if named { vec![3, 2, 1] } else { Vec::new() };
        assert_eq!(desk.journal.retry(bank(ids)).await.unwrap(), 3);
    }
    for name in ["a1", "a2", "a3"] {
        let claimed = claim(&desk, name).await;
        end(&desk, &claimed, name, Outcome::Delivered).await;
    }
}

pub(crate) async fn one_of_a_key_goes_after_the_other(places: Places<'_>) {
    let desk = bank(places, &["a1", "a2", "b1", "a3"]).await;
    let claimed = claim(&desk, "a1 b1").await;
    let due = desk.journal.due("bank");
    end(&desk, &claimed, "a1", Outcome::Delivered).await;
    tokio::time::timeout(Duration::from_secs(60), due.notified()).await.expect("the next one wakes its destination");
    let claimed = claim(&desk, "a2").await;
    record(&desk, &["a4"]).await;
    claim(&desk, "").await;
    end(&desk, &claimed, "a2", Outcome::Delivered).await;
    for name in ["a3", "a4"] {
        let claimed = claim(&desk, name).await;
        end(&desk, &claimed, name, Outcome::Delivered).await;
    }
    record(&desk, &["a5"]).await;
    claim(&desk, "a5").await;
}

pub(crate) async fn those_of_one_request_are_in_order_too(places: Places<'_>) {
    let desk = bank(places, &[]).await;
    accepted(desk.record(request(["a1", "a2", "b1"].map(about))).await);
    let claimed = claim(&desk, "a1 b1").await;
    end(&desk, &claimed, "a1", Outcome::Delivered).await;
    claim(&desk, "a2").await;
}

pub(crate) async fn a_key_waits_for_nobody_else(places: Places<'_>) {
    let desk = bank(places, &["a1", "a2", "b1", "b2"]).await;
    let claimed = claim(&desk, "a1 b1").await;
    end(&desk, &claimed, "a1", retry(&desk, 6 * 3_600)).await;
    end(&desk, &claimed, "b1", Outcome::Delivered).await;
    let claimed = claim(&desk, "b2").await;
    end(&desk, &claimed, "b2", Outcome::Delivered).await;
    record(&desk, &["b3", "a3"]).await;
    claim(&desk, "b3").await;
    desk.clock.advance(seconds(6 * 3_600 + 1));
    let claimed = claim(&desk, "a1").await;
    assert_eq!(claimed[0].attempt, 2);
    end(&desk, &claimed, "a1", Outcome::Delivered).await;
    claim(&desk, "a2").await;
}

pub(crate) async fn exhausted_releases_its_key(places: Places<'_>) {
    let desk = bank(places, &["a1", "a2"]).await;
    let claimed = claim(&desk, "a1").await;
    end(&desk, &claimed, "a1", Outcome::Exhausted("gone".into())).await;
    claim(&desk, "a2").await;
    assert_eq!(shown(&desk, "a1").await.reason.as_deref(), Some("gone"));
}

pub(crate) async fn held_keeps_its_key_until_an_operator_decides(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "b1", "b2"]).await;
    let claimed = claim(&desk, "a1 b1").await;
    for name in ["a1", "b1"] {
        end(&desk, &claimed, name, Outcome::Held("no more tries".into())).await;
    }
    for later in ["a3", "a4"] {
        claim(&desk, "").await;
        record(&desk, &[later]).await;
        let held = shown(&desk, "a1").await;
        assert_eq!(held.state, DeliveryState::Exhausted);
        assert!(held.reason.unwrap().starts_with("no more tries; it holds its key"));
        let exhausted = DeliveryFilter { state: Some(DeliveryState::Exhausted), ..DeliveryFilter::default() };
        assert_eq!(desk.journal.deliveries(exhausted).await.unwrap().len(), 2);
        assert_eq!(desk.journal.stats().await.unwrap().exhausted, 2);
        desk.restart().await;
    }
    assert_eq!(desk.journal.retry(of("a1")).await.unwrap(), 1);
    let claimed = claim(&desk, "a1").await;
    end(&desk, &claimed, "a1", Outcome::Delivered).await;
    assert_eq!(desk.journal.cancel(of("b1")).await.unwrap(), 1);
    claim(&desk, "a2 b2").await;
    assert_eq!(shown(&desk, "b1").await.state, DeliveryState::Cancelled);
}

pub(crate) async fn order_outlives_restart_and_crash(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "a3", "a4", "b1", "b2"]).await;
    for expected in ["a1 b1", "a2 b1", "a3 b1", "a4 b1"] {
        desk.crash();
        let claimed = claim(&desk, expected).await;
        desk.restart().await;
        assert_eq!(names(&claimed), expected, "what was in flight is due again, and nothing else");
        let claimed = claim(&desk, expected).await;
        desk.settle(&claimed[0], Outcome::Delivered).await;
    }
    claim(&desk, "").await;
    desk.crash();
    claim(&desk, "b1").await;
}

pub(crate) async fn what_is_tried_again_by_hand_goes_first(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "a3"]).await;
    let claimed = claim(&desk, "a1").await;
    end(&desk, &claimed, "a1", Outcome::Exhausted("gone".into())).await;
    let claimed = claim(&desk, "a2").await;
    end(&desk, &claimed, "a2", retry(&desk, 3_600)).await;
    assert_eq!(desk.journal.retry(of("a1")).await.unwrap(), 1);
    assert_eq!(shown(&desk, "a2").await.state, DeliveryState::Waiting, "also one that had begun");
    desk.restart().await;
    let claimed = claim(&desk, "a1").await;
    end(&desk, &claimed, "a1", Outcome::Delivered).await;
    claim(&desk, "").await;
    assert_eq!(shown(&desk, "a2").await.state, DeliveryState::Retrying, "it goes on with its time and its tries");
    desk.clock.advance(seconds(3_601));
    assert_eq!(claim(&desk, "a2").await[0].attempt, 2);
}

pub(crate) async fn what_is_in_flight_ends_its_try_before_one_by_hand(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "a3"]).await;
    let claimed = claim(&desk, "a1").await;
    end(&desk, &claimed, "a1", Outcome::Exhausted("gone".into())).await;
    let claimed = claim(&desk, "a2").await;
    assert_eq!(desk.journal.retry(of("a1")).await.unwrap(), 1);
    claim(&desk, "").await;
    end(&desk, &claimed, "a2", retry(&desk, 0)).await;
    let claimed = claim(&desk, "a1").await;
    desk.crash();
    end(&desk, &claim(&desk, "a1").await, "a1", Outcome::Exhausted("gone".into())).await;
    assert_eq!(names(&claimed), "a1");
    claim(&desk, "a2").await;
    assert_eq!(desk.journal.retry(of("a1")).await.unwrap(), 1);
    desk.crash();
    claim(&desk, "a1").await;
}

pub(crate) async fn what_waits_is_shown_and_kept(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2"]).await;
    let claimed = claim(&desk, "a1").await;
    let waiting = DeliveryFilter { state: Some(DeliveryState::Waiting), ..DeliveryFilter::default() };
    let listed = desk.journal.deliveries(waiting).await.unwrap();
    assert_eq!(
        listed.iter().map(|delivery| (delivery.state, delivery.next)).collect::<Vec<_>>(),
        [(DeliveryState::Waiting, None)]
    );
    let numbers = desk.journal.stats().await.unwrap();
    assert_eq!((numbers.open, numbers.waiting), (2, 1));
    assert_eq!(desk.journal.retry(of("a2")).await.unwrap(), 0, "it has not ended");
    end(&desk, &claimed, "a1", Outcome::Held("no more tries".into())).await;
    assert_eq!(desk.journal.retain(desk.clock.now() + seconds(1)).await.unwrap(), 0, "one holds, one waits");
    desk.restart().await;
    assert!(desk.journal.stats().await.unwrap().oldest_open.is_some());
    assert_eq!(desk.journal.cancel(of("a1")).await.unwrap(), 1);
    assert_eq!(desk.journal.retain(desk.clock.now() + seconds(1)).await.unwrap(), 1);
    claim(&desk, "a2").await;
}

pub(crate) async fn a_deadline_counts_from_when_its_key_is_free(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "a3"]).await;
    let claimed = claim(&desk, "a1").await;
    assert_eq!(claimed[0].since, claimed[0].event.received);
    end(&desk, &claimed, "a1", Outcome::Held("no more tries".into())).await;
    desk.clock.advance(seconds(3_600));
    let (cancelled, freed) = desk.during(|| desk.journal.cancel(of("a1"))).await;
    assert_eq!(cancelled.unwrap(), 1);
    for _ in 0..2 {
        assert!(freed.contains(&claim(&desk, "a2").await[0].since));
        desk.crash();
    }
    let claimed = claim(&desk, "a2").await;
    desk.clock.advance(seconds(60));
    end(&desk, &claimed, "a2", retry(&desk, 0)).await;
    let claimed = claim(&desk, "a2").await;
    assert!(freed.contains(&claimed[0].since), "its tries have begun");
    let ((), freed) = desk.during(|| end(&desk, &claimed, "a2", Outcome::Delivered)).await;
    assert!(freed.contains(&claim(&desk, "a3").await[0].since));
}

pub(crate) async fn without_a_key_nothing_waits_or_holds(places: Places<'_>) {
    let desk = bank(places, &[]).await;
    for name in ["a1", "a2"] {
        let mut free = about(name);
        free.subject = None;
        accepted(desk.record(request([free])).await);
    }
    let claimed = claim(&desk, "a1 a2").await;
    end(&desk, &claimed, "a1", Outcome::Held("no more tries".into())).await;
    assert_eq!(shown(&desk, "a1").await.reason.as_deref(), Some("no more tries"));
    assert_eq!(desk.journal.cancel(of("a1")).await.unwrap(), 0);
}
