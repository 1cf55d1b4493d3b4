//! Pauses and backlogs: what an operator stopped stays stopped, and what waits is counted for each destination.

use hookport::journal::{Outcome, Pausable};

use super::order::{bank, claim, end, shown};
use super::{Bounds, Desk, Places, seconds};

pub(crate) async fn a_pause_holds_over_a_crash_until_it_is_ended(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    let since = desk.journal.pause(Pausable::Destination, "crm").await.unwrap();
    desk.clock.advance(seconds(60));
    assert_eq!(desk.journal.pause(Pausable::Destination, "crm").await.unwrap(), since, "a second one changes nothing");
    desk.journal.pause(Pausable::Source, "crm").await.unwrap();
    desk.crash();
    let paused = desk.journal.paused().await.unwrap();
    let named: Vec<_> = paused.iter().map(|paused| (paused.kind, paused.name.as_str())).collect();
    assert_eq!(named, [(Pausable::Destination, "crm"), (Pausable::Source, "crm")]);
    assert_eq!(paused[0].since, since);
    assert!(desk.journal.resume(Pausable::Destination, "crm").await.unwrap());
    assert!(!desk.journal.resume(Pausable::Destination, "crm").await.unwrap());
    desk.crash();
    assert_eq!(desk.journal.paused().await.unwrap().len(), 1, "the source of that name is another matter");
}

pub(crate) async fn what_waits_is_counted_for_each_destination(places: Places<'_>) {
    let desk = Desk::new(places(), Bounds::default());
    for (name, to) in [("a", "crm+log"), ("b", "crm"), ("c", "log")] {
        desk.event(name, to).await;
    }
    let claimed = desk.claim("crm").await;
    desk.settle(&claimed[0], Outcome::Exhausted("gone".into())).await;
    for claimed in desk.claim("log").await {
        desk.settle(&claimed, Outcome::Delivered).await;
    }
    let backlog = desk.journal.backlog().await.unwrap();
    let counted: Vec<_> = backlog.iter().map(|one| (one.destination.as_str(), one.open, one.exhausted)).collect();
    assert_eq!(counted, [("crm", 1, 1)]);
    assert_eq!(backlog[0].oldest_open, Some(claimed[1].event.received));
}

pub(crate) async fn what_waits_behind_a_held_key_is_the_oldest(places: Places<'_>) {
    let desk = bank(places, &["a1", "a2", "a3"]).await;
    let claimed = claim(&desk, "a1").await;
    let second = shown(&desk, "a2").await;
    end(&desk, &claimed, "a1", Outcome::Held("over".into())).await;
    let received = desk.journal.event(second.event).await.unwrap().unwrap().event.received;
    let backlog = desk.journal.backlog().await.unwrap();
    assert_eq!((backlog[0].open, backlog[0].exhausted, backlog[0].oldest_open), (2, 1, Some(received)));
}

pub(crate) async fn a_deadline_counts_from_the_end_of_a_pause(places: Places<'_>) {
    let mut desk = Desk::new(places(), Bounds::default());
    desk.event("before", "crm+log").await;
    desk.journal.pause(Pausable::Destination, "crm").await.unwrap();
    desk.clock.advance(seconds(3_600));
    let (_, resumed) = desk.during(|| desk.journal.resume(Pausable::Destination, "crm")).await;
    desk.clock.advance(seconds(5));
    for _ in 0..2 {
        let (crm, log) = (desk.claim("crm").await, desk.claim("log").await);
        assert!(resumed.contains(&crm[0].since), "{resumed:?} {crm:?}");
        assert_eq!(log[0].since, log[0].event.received, "that one was not paused");
        desk.crash();
    }
}
