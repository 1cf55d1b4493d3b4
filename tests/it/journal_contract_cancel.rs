//! Contract: giving up by hand.

use std::time::Duration;

use hookport::journal::{DeliveryFilter, DeliveryState, Outcome};

use super::order::{about, bank, claim, end, names, of, record, retry, shown};
use super::{Bounds, Desk, Places, accepted, event, request, seconds};

pub(crate) async fn cancelled_is_given_up_and_releases_its_key(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "a3", "a4"]).await;
    let claimed = claim(&desk, "a1").await;
    end(&desk, &claimed, "a1", retry(&desk, 3_600)).await;
    for name in ["a3", "a1"] {
        assert_eq!(desk.journal.cancel(of(name)).await.unwrap(), 1);
        let gone = shown(&desk, name).await;
        assert_eq!((gone.state, gone.next), (DeliveryState::Cancelled, None));
        assert_eq!(gone.reason.as_deref(), Some("cancelled by an operator"));
    }
    assert_eq!(desk.journal.cancel(of("a1")).await.unwrap(), 0, "once");
    let claimed = claim(&desk, "a2").await;
    end(&desk, &claimed, "a2", Outcome::Delivered).await;
    desk.restart().await;
    let claimed = claim(&desk, "a4").await;
    end(&desk, &claimed, "a4", Outcome::Delivered).await;
    let all = DeliveryFilter { state: Some(DeliveryState::Cancelled), ..DeliveryFilter::default() };
    assert_eq!(desk.journal.retry(all).await.unwrap(), 2, "an operator may think better of it");
    let claimed = claim(&desk, "a1").await;
    end(&desk, &claimed, "a1", Outcome::Delivered).await;
    claim(&desk, "a3").await;
}

pub(crate) async fn cancelled_in_flight_ends_with_its_try(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "b1", "b2", "c1", "c2"]).await;
    let claimed = claim(&desk, "a1 b1 c1").await;
    for name in ["a1", "b1", "c1"] {
        assert_eq!(desk.journal.cancel(of(name)).await.unwrap(), 1);
        assert_eq!(shown(&desk, name).await.state, DeliveryState::Cancelled);
    }
    claim(&desk, "").await;
    record(&desk, &["a3"]).await;
    claim(&desk, "").await;
    end(&desk, &claimed, "a1", retry(&desk, 5)).await;
    end(&desk, &claimed, "b1", Outcome::Delivered).await;
    let states = [shown(&desk, "a1").await, shown(&desk, "b1").await].map(|shown| (shown.state, shown.attempts));
    assert_eq!(states, [(DeliveryState::Cancelled, 1), (DeliveryState::Delivered, 1)], "what arrived, arrived");
    assert_eq!(desk.journal.retry(of("c1")).await.unwrap(), 1);
    end(&desk, &claimed, "c1", retry(&desk, 5)).await;
    let claimed = claim(&desk, "a2 b2").await;
    assert_eq!(shown(&desk, "c1").await.state, DeliveryState::Retrying, "it was taken back in time");
    assert_eq!(desk.journal.cancel(of("a2")).await.unwrap(), 1);
    desk.crash();
    assert_eq!(names(&claimed), "a2 b2");
    assert_eq!(shown(&desk, "a2").await.state, DeliveryState::Cancelled);
    claim(&desk, "b2 a3").await;
}

pub(crate) async fn what_is_cancelled_in_flight_and_given_back_is_gone(places: Places<'_>) {
    let desk = bank(places, &["a1", "a2"]).await;
    desk.event("free", "crm").await;
    let (ordered, free) = (claim(&desk, "a1").await, desk.claim("crm").await);
    assert_eq!(desk.journal.cancel(DeliveryFilter { limit: 9, ..of("a1") }).await.unwrap(), 1);
    assert!(!desk.journal.recalled(free[0].delivery), "it may be tried");
    assert_eq!(desk.journal.cancel(of("free")).await.unwrap(), 1);
    assert!(desk.journal.recalled(free[0].delivery) && desk.journal.recalled(ordered[0].delivery));
    assert_eq!(desk.journal.retry(of("free")).await.unwrap(), 1);
    assert!(!desk.journal.recalled(free[0].delivery), "somebody thought better of it");
    assert_eq!(desk.journal.cancel(of("free")).await.unwrap(), 1);
    end(&desk, &ordered, "a1", Outcome::Released).await;
    desk.settle(&free[0], Outcome::Released).await;
    assert!(desk.claim("crm").await.is_empty());
    let mut waited = 0;
    while desk.journal.next_due("bank").is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        waited += 1;
        assert!(waited < 2_000, "a2 is never due");
    }
    claim(&desk, "a2").await;
    let states = [shown(&desk, "a1").await, shown(&desk, "free").await].map(|shown| (shown.state, shown.attempts));
    assert_eq!(states, [(DeliveryState::Cancelled, 0), (DeliveryState::Cancelled, 0)]);
}

pub(crate) async fn a_destination_that_is_gone_can_be_cleared(places: Places<'_>) {
    let mut desk = bank(places, &["a1", "a2", "a3"]).await;
    desk.event("x", "crm").await;
    desk.restart().await;
    let gone = DeliveryFilter { destination: Some("bank".into()), ..DeliveryFilter::default() };
    assert_eq!(desk.journal.retain(desk.clock.now() + seconds(1)).await.unwrap(), 0);
    assert_eq!(desk.journal.cancel(gone).await.unwrap(), 3);
    assert_eq!(desk.journal.stats().await.unwrap().open, 1);
    assert_eq!(desk.journal.retain(desk.clock.now() + seconds(1)).await.unwrap(), 3);
}

pub(crate) async fn cancelling_in_bulk_leaves_others_alone(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds { memory: 16, ..Bounds::default() });
    for n in 0..700 {
        let mut ordered = about(&format!("a{n}"));
        ordered.kind = if n % 7 == 6 { "to.bank+crm".into() } else { "to.bank".into() };
        let free = event(&format!("free{n}"), if n % 2 == 0 { "to.crm" } else { "to.log" });
        accepted(desk.record(request([ordered, free])).await);
    }
    let first = claim(&desk, "a0").await;
    assert_eq!(desk.journal.stats().await.unwrap().waiting, 699);
    let some = DeliveryFilter { kind: Some("to.bank".into()), ..DeliveryFilter::default() };
    assert_eq!(desk.journal.cancel(some).await.unwrap(), 600);
    end(&desk, &first, "a0", retry(&desk, 1)).await;
    for n in (6..30).step_by(7) {
        let claimed = claim(&desk, &format!("a{n}")).await;
        desk.settle(&claimed[0], Outcome::Delivered).await;
    }
    let all = DeliveryFilter { destination: Some("crm".into()), ..DeliveryFilter::default() };
    assert_eq!(desk.journal.cancel(DeliveryFilter { limit: 50, ..all.clone() }).await.unwrap(), 50);
    assert_eq!(desk.journal.cancel(all).await.unwrap(), 400);
    assert!(desk.claim("crm").await.is_empty());
    assert_eq!(desk.journal.stats().await.unwrap().open, 350 + 96);
    assert_eq!(desk.journal.retry(DeliveryFilter::default()).await.unwrap(), 600 + 450);
    claim(&desk, "a0").await;
}
