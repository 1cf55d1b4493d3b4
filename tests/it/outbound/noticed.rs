//! What lanes notice becomes an event, also when the journal could not keep anything for a while.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hookport::clock::Clock;
use hookport::event::Event;
use hookport::journal::{JournalError, Plan};
use hookport::notices::Recording;
use hookport::outbound::{self, Gates, Means};
use tokio::sync::watch;

use super::ledger::Ledger;
use super::receiver::{Receiver, Say};
use super::{AsItIs, event, local, plain_request, until};

/// Wants everything of the gateway's own but resumptions.
struct Own;

impl Plan for Own {
    fn plan(&self, event: &Event, _: &mut Vec<String>) -> Vec<Arc<str>> {
        assert_eq!(&*event.source, "hookport");
        if event.kind.ends_with(".exhausted") { Vec::new() } else { vec!["ops".into()] }
    }
}

#[tokio::test]
async fn a_breaker_that_opens_and_closes_is_told_and_what_no_route_wants_is_not_kept() {
    let receiver = Receiver::start([Say::Status(500), Say::Status(500), Say::Status(200)]).await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..5 {
        ledger.add("crm", event(number), plain_request());
    }
    let clock = Clock::default();
    let (notices, recording) = Recording::begin(ledger.clone(), Arc::new(Own), clock.clone());
    let (gates, opener) = (Arc::<Gates>::default(), Arc::new(AsItIs));
    let means = Means { journal: ledger.clone(), opener, clock, gates, notices, traces: Arc::default() };
    let more = "concurrency = 1\nbreaker = { failures = 2, pause = '10ms' }\nretry = { attempts = 1 }";
    let (stop, stopped) = watch::channel(false);
    let running = outbound::run(means, vec![local("crm", &receiver.url(), more)], stopped);
    until("all have ended", || ledger.rows().iter().all(|row| row.due.is_none())).await;
    stop.send(true).unwrap();
    running.await.unwrap();
    recording.end().await;
    assert_eq!(ledger.recorded(), ["hookport.breaker.opened", "hookport.breaker.closed"]);
}

#[tokio::test]
async fn a_journal_that_could_not_says_so_when_it_can_again() {
    let ledger = Arc::new(Ledger::default());
    let (notices, recording) = Recording::begin(ledger.clone(), Arc::new(Own), Clock::default());
    let failed = JournalError::Failed { place: "memory".into(), message: "on demand".into() };
    for round in 1..=2 {
        ledger.failures.store(2, Ordering::SeqCst);
        for _ in 0..3 {
            notices.journal_failed(Clock::default().now(), &failed);
        }
        until("it was told", || ledger.recorded().len() == round * 2).await;
    }
    recording.end().await;
    let told = ["hookport.journal.not_durable", "hookport.journal.durable"];
    assert_eq!(ledger.recorded(), [told, told].concat());
}
