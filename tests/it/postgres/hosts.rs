//! Several hosts on one schema: everything is delivered once, a host that is gone is replaced, and order holds across them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::journal::postgres::open;
use hookport::journal::{Claimed, Journal, NewRequest, Outcome, Recorded, Settled};

use super::cluster::{Cluster, Place};
use super::options;
use crate::journal_contract::{accepted, attempt, event, noon, request};

/// Hosts that share a new place, under one clock.
fn hosts(count: usize) -> (Place, Clock, Vec<Arc<dyn Journal>>) {
    let (place, clock) = (Cluster::shared().place(), Clock::starting_at(noon()));
    let hosts = (0..count).map(|_| -> Arc<dyn Journal> { open(options(&place, &clock)).unwrap() }).collect();
    (place, clock, hosts)
}

fn settled(claimed: &Claimed, clock: &Clock, outcome: Outcome) -> Vec<Settled> {
    vec![Settled { delivery: claimed.delivery, attempt: attempt(clock), outcome }]
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..6_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_hosts_take_every_event_once_and_deliver_every_one_once() {
    let (_place, clock, hosts) = hosts(4);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..800 {
        // Each of 200 events comes to each host.
        let (journal, name) = (hosts[n % 4].clone(), format!("k{}", n / 4));
        tasks.spawn(async move { journal.record(request([event(&name, "to.crm")])).await.unwrap() });
    }
    let mut ids = BTreeSet::new();
    while let Some(recorded) = tasks.join_next().await {
        if let Recorded::Accepted(new) = recorded.unwrap() {
            ids.extend(new);
        }
    }
    assert_eq!(ids.len(), 200);
    let mut tasks = tokio::task::JoinSet::new();
    for journal in hosts {
        let clock = clock.clone();
        tasks.spawn(async move {
            let mut delivered = Vec::new();
            loop {
                let claimed = journal.claim("crm", 7, clock.now()).await.unwrap();
                if claimed.is_empty() {
                    return delivered;
                }
                for one in &claimed {
                    delivered.push(one.event.id);
                    journal.settle(settled(one, &clock, Outcome::Delivered)).await.unwrap();
                }
            }
        });
    }
    let mut all = Vec::new();
    while let Some(delivered) = tasks.join_next().await {
        all.extend(delivered.unwrap());
    }
    assert_eq!((all.len(), all.into_iter().collect::<BTreeSet<_>>()), (200, ids), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_had_that_does_not_say_that_it_lives_is_another_s() {
    let (place, clock, hosts) = hosts(2);
    accepted(hosts[0].record(request([event("a", "to.crm")])).await.unwrap());
    let mine = hosts[0].claim("crm", 10, clock.now()).await.unwrap();
    assert!(mine.len() == 1 && hosts[1].claim("crm", 10, clock.now()).await.unwrap().is_empty());
    Cluster::shared().sql(&format!(
        "UPDATE {}.hosts SET beat = '-infinity' WHERE id = (SELECT host FROM {}.queue)",
        place.schema, place.schema
    ));
    // A host that comes frees what it finds; so do the others when they say that they live.
    let third: Arc<dyn Journal> = open(options(&place, &clock)).unwrap();
    let theirs = third.claim("crm", 10, clock.now()).await.unwrap();
    assert_eq!((theirs[0].delivery, theirs[0].attempt), (mine[0].delivery, 1));
    // What the first one says of it now is nobody's business.
    hosts[0].settle(settled(&mine[0], &clock, Outcome::Exhausted("too late".into()))).await.unwrap();
    third.settle(settled(&theirs[0], &clock, Outcome::Delivered)).await.unwrap();
    let shown = third.deliveries(hookport::journal::DeliveryFilter::default()).await.unwrap();
    assert_eq!((shown[0].state, shown[0].attempts), (hookport::journal::DeliveryState::Delivered, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_goes_in_good_order_leaves_its_flights_at_once() {
    let (_place, clock, hosts) = hosts(2);
    accepted(hosts[0].record(request([event("a", "to.crm")])).await.unwrap());
    assert_eq!(hosts[0].claim("crm", 10, clock.now()).await.unwrap().len(), 1);
    let due = hosts[1].due("crm");
    hosts[0].close().await.unwrap();
    until("the other host is never told", || async {
        let _ = tokio::time::timeout(Duration::from_millis(100), due.notified()).await;
        hosts[1].claim("crm", 10, clock.now()).await.unwrap().len() == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_of_another_host_is_woken() {
    let (_place, clock, hosts) = hosts(2);
    // The first look is over when this is known there.
    accepted(hosts[0].record(request([event("first", "to.crm")])).await.unwrap());
    until("the other host never knows", || async { hosts[1].next_due("crm").is_some() }).await;
    assert_eq!(hosts[1].claim("crm", 10, clock.now()).await.unwrap().len(), 1);
    assert_eq!(hosts[1].next_due("crm"), None);
    accepted(hosts[0].record(request([event("second", "to.crm")])).await.unwrap());
    until("the other host is never woken", || async { hosts[1].next_due("crm").is_some() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_holds_whoever_records_and_whoever_delivers() {
    let (_place, clock, hosts) = hosts(3);
    let about = |subject: usize, n: usize| -> NewRequest {
        let mut event = event(&format!("{subject}-{n}"), "to.bank");
        event.subject = Some(format!("account {subject}"));
        request([event])
    };
    let mut recorded = vec![Vec::new(); 4];
    for n in 0..20 {
        for (subject, recorded) in recorded.iter_mut().enumerate() {
            recorded.extend(accepted(hosts[(n + subject) % 3].record(about(subject, n)).await.unwrap()));
        }
    }
    let mut delivered: Vec<Vec<_>> = vec![Vec::new(); 4];
    let (mut left, mut turn) = (80, 0);
    while left > 0 {
        let journal = &hosts[turn % 3];
        turn += 1;
        assert!(turn < 10_000, "{left} are never due");
        for one in journal.claim("bank", 3, clock.now()).await.unwrap() {
            let subject: usize = one.event.subject.as_deref().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
            if turn % 5 == 0 {
                journal.settle(settled(&one, &clock, Outcome::Retry(clock.now()))).await.unwrap();
                continue;
            }
            delivered[subject].push(one.event.id);
            journal.settle(settled(&one, &clock, Outcome::Delivered)).await.unwrap();
            left -= 1;
        }
    }
    assert_eq!(delivered, recorded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_elsewhere_is_recalled_here() {
    let (_place, clock, hosts) = hosts(2);
    accepted(hosts[0].record(request([event("a", "to.crm")])).await.unwrap());
    let claimed = hosts[0].claim("crm", 10, clock.now()).await.unwrap();
    assert!(!hosts[0].recalled(claimed[0].delivery));
    assert_eq!(hosts[1].cancel(hookport::journal::DeliveryFilter::default()).await.unwrap(), 1);
    until("it is never recalled", || async { hosts[0].recalled(claimed[0].delivery) }).await;
    hosts[0].settle(settled(&claimed[0], &clock, Outcome::Released)).await.unwrap();
    assert!(hosts[1].claim("crm", 10, clock.now()).await.unwrap().is_empty());
}
