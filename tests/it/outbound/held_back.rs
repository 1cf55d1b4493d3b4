//! Lanes that are held back: by an operator, by the breaker, by a rate, by a deadline. What waits keeps its attempts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookport::clock::Clock;
use hookport::journal::Outcome;

use super::ledger::{Ledger, Row};
use super::receiver::{Receiver, Say};
use super::{Running, event, local, plain_request, run, until};

const HOUR: &str = "retry = { first = '1h', jitter = 0.0 }";

fn deliveries(to: &[&str], count: u64) -> Arc<Ledger> {
    let ledger = Arc::new(Ledger::default());
    for number in 0..count {
        for name in to {
            ledger.add(name, event(number), plain_request());
        }
    }
    ledger
}

fn rows(running: &Running, destination: &str) -> Vec<Row> {
    running.ledger.rows().into_iter().filter(|row| row.destination == destination).collect()
}

fn all_delivered(running: &Running, destination: &str) -> bool {
    rows(running, destination).iter().all(|row| row.outcomes.last() == Some(&Outcome::Delivered))
}

fn breaker(running: &Running) -> &'static str {
    running.gates.shown("crm", Clock::default().now()).breaker
}

#[tokio::test]
async fn a_dead_destination_is_left_alone_and_what_waits_keeps_its_attempts() {
    let dead = Receiver::start([Say::Status(500)]).await;
    let quick = Receiver::start([Say::Status(200)]).await;
    let ledger = deliveries(&["crm", "quick"], 50);
    let more = format!("concurrency = 1\nbreaker = {{ failures = 3, pause = '1h', max_pause = '1h' }}\n{HOUR}");
    let running = run(ledger, vec![local("crm", &dead.url(), &more), local("quick", &quick.url(), "")]);
    until("the breaker is open", || breaker(&running) == "open").await;
    until("the other one has all", || all_delivered(&running, "quick")).await;
    running.ledger.add("crm", event(99), plain_request());
    until("nothing is held in flight", || rows(&running, "crm").iter().all(|row| !row.in_flight)).await;
    let shown = running.gates.shown("crm", Clock::default().now());
    assert!(shown.since.is_some() && shown.next_probe.is_some_and(|at| at > Clock::default().now()), "{shown:?}");
    assert_eq!(dead.got().len(), 3);
    let untouched = rows(&running, "crm").into_iter().filter(|row| row.attempts.is_empty()).count();
    assert_eq!(untouched, 48, "what waits was not tried");
    running.stop().await;
}

#[tokio::test]
async fn a_probe_that_arrives_lets_all_go_on() {
    let mut script = vec![Say::Status(503); 5];
    script.push(Say::Status(200));
    let receiver = Receiver::start(script).await;
    let ledger = deliveries(&["crm"], 40);
    let more = "concurrency = 1\nbreaker = { failures = 3, pause = '20ms', max_pause = '40ms' }";
    let running = run(ledger, vec![local("crm", &receiver.url(), more)]);
    until("all are delivered", || all_delivered(&running, "crm")).await;
    assert_eq!(
        (breaker(&running), receiver.got().len()),
        ("closed", 45),
        "three failures, two probes in vain, and all"
    );
    running.stop().await;
}

#[tokio::test]
async fn while_it_is_half_open_one_probe_is_under_way() {
    let mut script = vec![Say::Status(500); 2];
    script.push(Say::Nothing);
    let receiver = Receiver::start(script).await;
    let more = "timeout = '60s'\nconcurrency = 2\nbreaker = { failures = 1, pause = '10ms', max_pause = '10ms' }\n\
                retry = { first = '1h' }";
    let running = run(deliveries(&["crm"], 30), vec![local("crm", &receiver.url(), more)]);
    until("the probe is under way", || receiver.got().len() == 3).await;
    running.ledger.add("crm", event(99), plain_request());
    until("the rest is given back", || rows(&running, "crm").iter().filter(|row| row.in_flight).count() == 1).await;
    assert_eq!((breaker(&running), receiver.got().len()), ("half_open", 3));
}

#[tokio::test]
async fn refusals_of_single_events_do_not_open_it() {
    let receiver = Receiver::start([Say::Status(422)]).await;
    let more = "breaker = { failures = 2, pause = '1h', max_pause = '1h' }\nretry = { attempts = 1 }";
    let running = run(deliveries(&["crm"], 30), vec![local("crm", &receiver.url(), more)]);
    until("all have ended", || rows(&running, "crm").iter().all(|row| row.due.is_none())).await;
    assert_eq!((breaker(&running), receiver.got().len()), ("closed", 30));
    running.stop().await;
}

#[tokio::test]
async fn a_rate_is_kept_and_nothing_is_claimed_that_may_not_go() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let begun = Instant::now();
    let running = run(deliveries(&["crm"], 25), vec![local("crm", &receiver.url(), "rate = '50/s'")]);
    until("all are delivered", || all_delivered(&running, "crm")).await;
    // Five at once, and twenty more one each 20 ms: it can take longer, but not less.
    assert!(begun.elapsed() >= Duration::from_millis(380), "{:?}", begun.elapsed());
    running.stop().await;

    let running = run(deliveries(&["crm"], 25), vec![local("crm", &receiver.url(), "rate = '2/h'")]);
    until("one is delivered", || rows(&running, "crm").iter().any(|row| row.due.is_none())).await;
    let waiting = rows(&running, "crm").into_iter().filter(|row| !row.in_flight && row.outcomes.is_empty()).count();
    assert_eq!(waiting, 24);
    running.stop().await;
}

#[tokio::test]
async fn a_paused_destination_ends_what_is_under_way_and_begins_nothing() {
    let receiver = Receiver::start([Say::After(Duration::from_secs(2), 200)]).await;
    let other = Receiver::start([Say::Status(200)]).await;
    let destinations = vec![local("crm", &receiver.url(), "concurrency = 2"), local("other", &other.url(), "")];
    let running = run(deliveries(&["crm"], 20), destinations);
    until("two are under way", || receiver.got().len() == 2).await;
    running.gates.pause("crm", Clock::default().now());
    let ended = || rows(&running, "crm").iter().filter(|row| row.due.is_none()).count();
    until("they have ended", || ended() == 2).await;
    for number in 0..50 {
        running.ledger.add("other", event(number), plain_request());
    }
    until("another destination has all", || all_delivered(&running, "other")).await;
    until("nothing is held in flight", || rows(&running, "crm").iter().all(|row| !row.in_flight)).await;
    assert_eq!((receiver.got().len(), ended()), (2, 2));
    assert!(running.gates.shown("crm", Clock::default().now()).paused.is_some());
    running.gates.resume("crm");
    until("it goes on", || all_delivered(&running, "crm")).await;
    assert!(rows(&running, "crm").iter().all(|row| row.attempts.len() == 1), "a pause costs no attempt");
    running.stop().await;
}

#[tokio::test]
async fn after_the_deadline_nothing_is_tried_again() {
    let receiver = Receiver::start([Say::Status(500)]).await;
    // The event is months old.
    let more = "retry = { waits = ['10ms', '20ms'], attempts = 9, deadline = '30d' }";
    let running = run(deliveries(&["crm"], 1), vec![local("crm", &receiver.url(), more)]);
    until("it has ended", || rows(&running, "crm")[0].due.is_none()).await;
    let row = running.ledger.row(0);
    let Some(Outcome::Exhausted(reason)) = row.outcomes.last() else { panic!("{row:?}") };
    assert!(reason.contains("deadline of 30days") || reason.contains("deadline of 1month"), "{reason}");
    assert_eq!(receiver.got().len(), 1, "but once it was tried");
    running.stop().await;
}
