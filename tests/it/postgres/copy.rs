//! An embedded journal moves to PostgreSQL with all that it knows, also where the copy is broken off in the middle.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::journal::postgres::copy::{Copied, CopyError, Target, copy};
use hookport::journal::postgres::{Options, open};
use hookport::journal::{
    CaptureFilter, Content, DeliveryFilter, EventFilter, Journal, NewCapture, NewRejected, NewRequest, Outcome,
    Pausable, Recorded, RejectionFilter, Replay, Replayed, Settled, sqlite,
};
use hookport::reason::{Reason, Rejection};
use tempfile::TempDir;

use super::cluster::{Cluster, Place};
use crate::journal_contract::{ByType, accepted, attempt, event, key, noon, request, seconds};

/// More than one piece of a copy.
const MANY: usize = 1_200;

fn embedded(folder: &Path, clock: &Clock) -> Arc<dyn Journal> {
    sqlite::open(sqlite::Options::new(folder, clock.clone(), Arc::new(ByType))).unwrap()
}

/// Something of everything that a journal keeps.
async fn fill(journal: &dyn Journal, clock: &Clock) {
    let first = accepted(
        journal.record(request([event("a", "to.crm"), event("b", "x"), event("c", "to.crm+log")])).await.unwrap(),
    );
    for n in 0..MANY {
        let mut ordered = event(&format!("o{n}"), "to.bank");
        ordered.subject = Some(format!("key-{}", n % 300));
        accepted(journal.record(request([ordered])).await.unwrap());
    }
    let outcomes = [
        Outcome::Delivered,
        Outcome::Exhausted("gone".into()),
        Outcome::Held("no more tries".into()),
        Outcome::Retry(clock.now() + seconds(3_600)),
    ];
    for destination in ["crm", "bank"] {
        let claimed = journal.claim(destination, 100, clock.now()).await.unwrap();
        let settled = claimed.iter().zip(outcomes.iter().cycle()).map(|(claimed, outcome)| Settled {
            delivery: claimed.delivery,
            attempt: attempt(clock),
            outcome: outcome.clone(),
        });
        journal.settle(settled.collect()).await.unwrap();
    }
    let stored = journal.event(first[1]).await.unwrap().unwrap();
    let added = Replayed { event: stored.event, content: Content::Added(key("added"), stored.request.body.clone()) };
    let replay = Replay { run: clock.now(), events: vec![added], to: vec!["log".into()], dry: false };
    assert_eq!(journal.redeliver(replay).await.unwrap().added, 1);
    let erased = accepted(journal.record(request([event("erased", "x")])).await.unwrap())[0];
    journal.erase(EventFilter { id: Some(erased), ..EventFilter::default() }, false).await.unwrap();
    let stale = Rejection::new(Reason::TimestampExpired, "a day late");
    journal.record(NewRequest { stale: Some(stale), ..request([event("late", "x")]) }).await.unwrap();
    let forged = Rejection::new(Reason::SignatureMismatch, "forged");
    let refused = Arc::unwrap_or_clone(request([event("forged", "x")]).request);
    journal.reject(NewRejected { source: Some("esim".into()), rejection: forged, request: refused });
    let told = NewCapture {
        source: "esim".into(),
        secret: "main".into(),
        value: "s3cret".into(),
        received: noon(),
        peer: None,
    };
    journal.capture(told).await.unwrap();
    let which = CaptureFilter { source: "esim".into(), ..CaptureFilter::default() };
    assert!(journal.confirm(which).await.unwrap().is_some());
    journal.pause(Pausable::Destination, "crm").await.unwrap();
    let polled = NewRequest { poll_state: Some(("fleet".into(), "seen".into())), ..request([event("polled", "x")]) };
    accepted(journal.record(polled).await.unwrap());
}

/// All that a journal shows.
async fn shown(journal: &dyn Journal) -> Vec<String> {
    let limit = 10 * MANY;
    let events = journal.events(EventFilter { limit, ..EventFilter::default() }).await.unwrap();
    let deliveries = journal.deliveries(DeliveryFilter { limit, ..DeliveryFilter::default() }).await.unwrap();
    let rejections = journal.rejections(RejectionFilter { limit, ..RejectionFilter::default() }).await.unwrap();
    let mut shown = Vec::new();
    for event in &events {
        // Those that have something to tell; the others are alike.
        if !event.provider_id.as_deref().is_some_and(|id| id.starts_with('o')) {
            shown.push(format!("{:?}", journal.event(event.id).await.unwrap()));
        }
    }
    shown.extend(events.iter().map(|event| format!("{event:?}")));
    shown.extend(deliveries.iter().map(|delivery| format!("{delivery:?}")));
    shown.extend(rejections.iter().map(|rejected| format!("{rejected:?}")));
    shown.push(format!("{:?}", journal.captures().await.unwrap()));
    shown.push(format!("{:?}", journal.paused().await.unwrap()));
    shown.push(format!("{:?}", journal.poll_state("fleet").await.unwrap()));
    shown.push(format!("{:?}", journal.backlog().await.unwrap()));
    shown
}

/// On a thread of its own, as the command does it; ends with a panic where `until` says so.
fn copied(from: PathBuf, place: &Place, until: u64) -> std::thread::Result<Result<Copied, CopyError>> {
    let target = Target { url: place.url.clone().into(), schema: place.schema.clone() };
    let all = move || {
        copy(&from, &target, noon(), &mut |what, at, _| assert!(what != "requests" || at < until, "broken off at {at}"))
    };
    std::thread::spawn(all).join()
}

fn opened(place: &Place, clock: &Clock) -> Result<Arc<dyn Journal>, String> {
    let options = Options::new(place.url.clone(), place.schema.clone(), clock.clone(), Arc::new(ByType));
    open(Options { connections: 4, ..options })
        .map(|journal| journal as Arc<dyn Journal>)
        .map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_moves_with_all_that_it_knows_also_when_the_copy_is_broken_off() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (clock, place) = (Clock::starting_at(noon()), Cluster::shared().place());
    let (from, all) = (folder.path().to_owned(), u64::MAX);
    let journal = embedded(&from, &clock);
    fill(&*journal, &clock).await;
    let refused = copied(from.clone(), &place, all).unwrap().unwrap_err().to_string();
    assert!(refused.contains("lock"), "a gateway uses it: {refused}");
    let before = shown(&*journal).await;
    journal.close().await.unwrap();
    drop(journal);

    copied(from.clone(), &place, 500).expect_err("it is broken off behind the first piece");
    let half: u64 = Cluster::shared().sql(&format!("SELECT count(*) FROM {}.requests", place.schema)).parse().unwrap();
    assert!(half > 0 && half < MANY as u64, "{half}");
    assert!(opened(&place, &clock).map(|_| ()).unwrap_err().contains("half a copy"));
    embedded(other.path(), &clock).close().await.unwrap();
    let refused = copied(other.path().to_owned(), &place, all).unwrap().unwrap_err().to_string();
    assert!(refused.contains("half a copy of"), "{refused}");

    let done = copied(from.clone(), &place, all).unwrap().unwrap();
    let events: u64 = done.days.values().filter_map(|rows| rows.get("events")).sum();
    assert_eq!(events, MANY as u64 + 6, "{done:?}");
    assert!(done.keys >= events && done.others["rejections"] == 2);

    let journal = opened(&place, &clock).unwrap();
    for (there, here) in before.iter().zip(&shown(&*journal).await) {
        assert_eq!(there, here);
    }
    for name in ["a", "b", "o17", "added", "erased"] {
        assert_eq!(journal.record(request([event(name, "x")])).await.unwrap(), Recorded::Duplicate, "{name}");
    }
    let new = accepted(journal.record(request([event("new", "to.log")])).await.unwrap())[0];
    let newest = journal.events(EventFilter { limit: 1, ..EventFilter::default() }).await.unwrap();
    assert_eq!(newest[0].id, new, "new numbers go on behind the copied ones");
    assert!(!journal.claim("bank", 100, clock.now()).await.unwrap().is_empty());
    journal.close().await.unwrap();
    let refused = copied(from, &place, all).unwrap().unwrap_err().to_string();
    assert!(refused.contains("not empty"), "{refused}");
}
