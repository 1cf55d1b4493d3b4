//! The lanes: isolation, concurrency, a journal that fails, panics, shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::event::Event;
use hookport::journal::Outcome;
use hookport::outbound::Open;

use super::ledger::Ledger;
use super::receiver::{Receiver, Say};
use super::{event, local, plain_request, run, run_with, until};

#[tokio::test]
async fn a_destination_that_hangs_does_not_hold_up_the_others() {
    let hanging = Receiver::start([Say::Nothing]).await;
    let quick = Receiver::start([Say::Status(200)]).await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..100 {
        ledger.add("hanging", event(number), plain_request());
        ledger.add("quick", event(number), plain_request());
    }
    let destinations =
        vec![local("hanging", &hanging.url(), "timeout = '60s'"), local("quick", &quick.url(), "timeout = '60s'")];
    let running = run(ledger, destinations);
    let has_all = |name: &str| {
        let rows = running.ledger.rows();
        rows.iter().filter(|row| row.destination == name).all(|row| row.outcomes == [Outcome::Delivered])
    };
    until("the quick one has all", || has_all("quick")).await;
    assert!(running.ledger.rows().iter().all(|row| row.destination == "quick" || row.outcomes.is_empty()));
    until("the hanging one has as many as it takes at once", || hanging.got().len() == 16).await;
}

#[tokio::test]
async fn no_more_than_the_set_number_is_sent_at_once() {
    let receiver = Receiver::start([Say::After(Duration::from_millis(20), 200)]).await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..60 {
        ledger.add("crm", event(number), plain_request());
    }
    let running = run(ledger, vec![local("crm", &receiver.url(), "concurrency = 3")]);
    until("all are delivered", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    assert_eq!(receiver.most_at_once(), 3);
    assert_eq!(receiver.got().len(), 60);
    running.stop().await;
}

#[tokio::test]
async fn what_is_cancelled_before_it_begins_is_given_back_and_not_sent() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let ledger = Arc::new(Ledger::default());
    let rows: Vec<_> = (0..12).map(|number| ledger.add("crm", event(number), plain_request())).collect();
    rows[3..].iter().for_each(|row| ledger.recall(*row));
    let running = run(ledger, vec![local("crm", &receiver.url(), "concurrency = 4")]);
    until("all have ended", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    let ended = running.ledger.rows();
    assert!(ended[..3].iter().all(|row| row.outcomes == [Outcome::Delivered]));
    assert!(ended[3..].iter().all(|row| row.outcomes == [Outcome::Released] && row.attempts.is_empty()));
    assert_eq!(receiver.got().len(), 3);
    running.stop().await;
}

#[tokio::test]
async fn what_comes_later_wakes_a_lane_that_sleeps() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let running = run(Arc::new(Ledger::default()), vec![local("crm", &receiver.url(), "")]);
    for number in 0..20 {
        running.ledger.add("crm", event(number), plain_request());
        until("it is delivered", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    }
    assert_eq!(receiver.got().len(), 20);
    running.stop().await;
}

#[tokio::test]
async fn a_journal_that_fails_is_asked_again_and_nothing_is_lost() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let ledger = Arc::new(Ledger::default());
    ledger.failures.store(3, Ordering::SeqCst);
    for number in 0..30 {
        ledger.add("crm", event(number), plain_request());
    }
    let running = run(ledger, vec![local("crm", &receiver.url(), "")]);
    until("something arrived", || !receiver.got().is_empty()).await;
    running.ledger.failures.store(3, Ordering::SeqCst);
    until("all are delivered", || running.ledger.rows().iter().all(|row| row.outcomes == [Outcome::Delivered])).await;
    assert_eq!(receiver.got().len(), 30);
    running.stop().await;
}

/// Panics on the first event that it sees.
struct Fragile(AtomicBool);

impl Open for Fragile {
    fn opens(&self, _: &Event) -> bool {
        true
    }

    fn hides(&self, _: &Event) -> bool {
        false
    }

    fn open(&self, _: &Event) -> (Bytes, Vec<String>) {
        assert!(self.0.swap(true, Ordering::SeqCst), "the first one breaks");
        (Bytes::from_static(b"{}"), Vec::new())
    }
}

#[tokio::test]
async fn a_panic_costs_one_attempt() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..5 {
        ledger.add("crm", event(number), plain_request());
    }
    let destinations = vec![local("crm", &receiver.url(), "")];
    let running = run_with(ledger, destinations, Fragile(AtomicBool::new(false)), Clock::default());
    until("all are delivered", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    let rows = running.ledger.rows();
    let broken: Vec<_> = rows.iter().filter(|row| row.attempts.len() == 2).collect();
    assert_eq!(broken.len(), 1);
    assert!(broken[0].attempts[0].error.as_deref().unwrap().contains("panicked"));
    running.stop().await;
}

#[tokio::test]
async fn shutdown_lets_attempts_end_and_begins_no_more() {
    let receiver = Receiver::start([Say::After(Duration::from_millis(500), 200)]).await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..50 {
        ledger.add("crm", event(number), plain_request());
    }
    let running = run(ledger.clone(), vec![local("crm", &receiver.url(), "concurrency = 2")]);
    until("two are under way", || receiver.got().len() >= 2).await;
    running.stop().await;
    let rows = ledger.rows();
    assert!(rows.iter().all(|row| !row.in_flight), "nothing stays in flight");
    let delivered = rows.iter().filter(|row| row.outcomes == [Outcome::Delivered]).count();
    assert_eq!(delivered, receiver.got().len());
    assert!(delivered < 50);
    let is_untouched = |outcomes: &[Outcome]| matches!(outcomes, [] | [Outcome::Released]);
    assert_eq!(rows.iter().filter(|row| is_untouched(&row.outcomes)).count(), 50 - delivered);
}

#[tokio::test]
async fn shutdown_breaks_off_what_hangs_and_gives_it_back() {
    let receiver = Receiver::start([Say::Nothing]).await;
    let ledger = Arc::new(Ledger::default());
    ledger.add("crm", event(1), plain_request());
    let running = run(ledger.clone(), vec![local("crm", &receiver.url(), "timeout = '60s'")]);
    until("it is under way", || receiver.got().len() == 1).await;
    let stopping = tokio::time::timeout(Duration::from_secs(60), running.stop());
    stopping.await.expect("a drain ends long before the attempt's own time");
    let row = ledger.row(0);
    assert_eq!((row.outcomes, row.attempts.len(), row.in_flight), (vec![Outcome::Released], 0, false));
}

#[tokio::test]
async fn what_is_given_back_at_the_end_is_given_back_once_although_the_journal_fails() {
    let receiver = Receiver::start([Say::After(Duration::from_millis(500), 200)]).await;
    let ledger = Arc::new(Ledger::default());
    for number in 0..50 {
        ledger.add("crm", event(number), plain_request());
    }
    let running = run(ledger.clone(), vec![local("crm", &receiver.url(), "concurrency = 2")]);
    until("two are under way", || receiver.got().len() == 2).await;
    ledger.failures.store(3, Ordering::SeqCst);
    running.stop().await;
    let rows = ledger.rows();
    assert!(rows.iter().all(|row| !row.in_flight && row.outcomes.len() <= 1), "{rows:?}");
    let delivered = rows.iter().filter(|row| row.outcomes == [Outcome::Delivered]).count();
    assert_eq!(delivered, receiver.got().len());
}
