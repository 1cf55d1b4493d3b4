//! Contract: what a clock that jumps does to deliveries, and from when a deadline counts.

use std::collections::BTreeSet;
use std::time::Duration;

use hookport::journal::{DeliveryFilter, Outcome, Recorded};

use super::{Bounds, Desk, Places, accepted, event, request, seconds};

pub(crate) async fn a_clock_that_goes_back_holds_nothing_up(places: Places<'_>) {
    for memory in [4, 10_000] {
        let mut desk = Desk::new(places(), Bounds { memory, ..Bounds::default() });
        desk.clock.advance(seconds(365 * 86_400));
        desk.event("retried", "crm").await;
        let claimed = desk.claim("crm").await;
        desk.settle(&claimed[0], Outcome::Retry(desk.clock.now() + seconds(60))).await;
        desk.event("new", "crm").await;
        desk.clock.advance(-seconds(365 * 86_400));
        for round in 0..2 {
            desk.event(&format!("later{round}"), "crm").await;
            // The retry was to come a minute later, and does so by the clock of now.
            let (mut found, mut waited) = (BTreeSet::new(), 0);
            while found.len() < 3 + round {
                let claimed = desk.claim("crm").await;
                found.extend(claimed.into_iter().map(|claimed| claimed.delivery));
                desk.clock.advance(seconds(1));
                tokio::time::sleep(Duration::from_millis(5)).await;
                waited += 1;
                assert!(waited < 1_000, "{memory}: {found:?}");
            }
            desk.crash();
        }
    }
}

pub(crate) async fn a_clock_that_jumps_hours_loses_and_holds_up_nothing(places: Places<'_>) {
    for memory in [4, 10_000] {
        let mut desk = Desk::new(places(), Bounds { memory, ..Bounds::default() });
        desk.event("retried", "crm").await;
        let claimed = desk.claim("crm").await;
        desk.settle(&claimed[0], Outcome::Retry(desk.clock.now() + seconds(300))).await;
        // Back by five hours: the retry is still one in five minutes, and what comes is delivered at once.
        desk.clock.advance(-seconds(5 * 3_600));
        desk.event("after", "crm").await;
        let claimed = desk.claim("crm").await;
        assert_eq!(claimed.len(), 1, "{memory}");
        desk.settle(&claimed[0], Outcome::Delivered).await;
        desk.clock.advance(seconds(301));
        let mut claimed = Vec::new();
        while claimed.is_empty() {
            claimed = desk.claim("crm").await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(claimed.iter().map(|claimed| claimed.attempt).collect::<Vec<_>>(), [2], "{memory}");
        desk.settle(&claimed[0], Outcome::Retry(desk.clock.now() + seconds(300))).await;
        // Ahead by ten hours: it is due, and repeats are still known.
        desk.clock.advance(seconds(10 * 3_600));
        assert_eq!(desk.claim("crm").await.len(), 1, "{memory}");
        desk.crash();
        assert_eq!(desk.claim("crm").await.len(), 1, "{memory}");
        assert_eq!(desk.record(request([event("after", "to.crm")])).await, Recorded::Duplicate);
    }
}

pub(crate) async fn what_is_given_back_after_a_jump_is_due_by_the_clock_of_now(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    desk.event("retried", "crm").await;
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Retry(desk.clock.now() + seconds(60))).await;
    desk.clock.advance(seconds(61));
    let claimed = desk.claim("crm").await;
    assert_eq!(claimed.len(), 1);
    desk.clock.advance(-seconds(5 * 3_600));
    assert!(desk.claim("crm").await.is_empty(), "it is in flight");
    // Behind what the claim asked of the writer.
    desk.journal.retry(DeliveryFilter::default()).await.unwrap();
    desk.settle(&claimed[0], Outcome::Released).await;
    let again = desk.claim("crm").await;
    assert_eq!(again.len(), 1, "not in five hours");
    desk.settle(&again[0], Outcome::Delivered).await;
    desk.clock.advance(seconds(6 * 3_600));
    assert!(desk.claim("crm").await.is_empty(), "it is there once");
}

pub(crate) async fn a_deadline_of_what_was_released_counts_from_then(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    desk.clock.advance(seconds(86_400));
    let (recorded, then) = desk.during(|| desk.record(request([event("released", "to.crm")]))).await;
    accepted(recorded);
    for _ in 0..2 {
        let claimed = desk.claim("crm").await;
        assert!(then.contains(&claimed[0].since), "{then:?} {claimed:?}");
        desk.crash();
    }
}
