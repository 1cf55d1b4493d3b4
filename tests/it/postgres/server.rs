//! The server itself: gone and back again, and servers and schemas that are refused, in words.

use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::journal::postgres::{Options, open};
use hookport::journal::{Journal, Outcome, Recorded, Settled};

use super::cluster::{Cluster, Place};
use super::options;
use crate::journal_contract::{accepted, attempt, event, noon, request};

fn refusal(options: Options) -> String {
    open(options).map(|_| ()).unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_loses_nothing_and_is_found_again() {
    let mut cluster = Cluster::new();
    let (place, clock) = (cluster.place(), Clock::starting_at(noon()));
    let journal: Arc<dyn Journal> = open(options(&place, &clock)).unwrap();
    let mut known = Vec::new();
    for round in 0..2 {
        for n in 0..20 {
            let name = format!("{round}-{n}");
            accepted(journal.record(request([event(&name, "to.crm")])).await.unwrap());
            known.push(name);
        }
        let claimed = journal.claim("crm", 5, clock.now()).await.unwrap();
        cluster.kill();
        // Nobody is told that it is kept, and nobody waits for ever.
        for n in 0..5 {
            assert!(journal.record(request([event(&format!("away{round}-{n}"), "to.crm")])).await.is_err());
        }
        assert!(journal.ready().await.is_err());
        let settled = claimed.iter().map(|claimed| Settled {
            delivery: claimed.delivery,
            attempt: attempt(&clock),
            outcome: Outcome::Delivered,
        });
        let settled: Vec<_> = settled.collect();
        assert!(journal.settle(settled.clone()).await.is_err(), "it is settled later");
        cluster.start(None);
        let mut tries = 0;
        while journal.ready().await.is_err() {
            tries += 1;
            assert!(tries < 600, "it is not found again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        journal.settle(settled).await.unwrap();
    }
    for name in &known {
        let repeat = journal.record(request([event(name, "to.crm")])).await.unwrap();
        assert_eq!(repeat, Recorded::Duplicate, "{name} was acknowledged");
    }
    let stats = journal.stats().await.unwrap();
    assert_eq!((stats.events, stats.open), (40, 30), "what arrived is not tried again");
    let mut delivered = 0;
    while delivered < 30 {
        let claimed = journal.claim("crm", 100, clock.now()).await.unwrap();
        assert!(!claimed.is_empty(), "{delivered} of 30: something is stuck in flight");
        delivered += claimed.len();
        let all = claimed.iter().map(|claimed| Settled {
            delivery: claimed.delivery,
            attempt: attempt(&clock),
            outcome: Outcome::Delivered,
        });
        journal.settle(all.collect()).await.unwrap();
    }
    journal.close().await.unwrap();
}

#[test]
fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let cluster = Cluster::new();
    let place = cluster.place();
    for setting in ["synchronous_commit", "fsync", "full_page_writes"] {
        cluster.set(setting, "off");
        let refused = refusal(options(&place, &Clock::default()));
        assert!(refused.contains(&format!("{setting} = off")), "{refused}");
        cluster.set(setting, "on");
    }
    drop(open(options(&place, &Clock::default())).unwrap());
}

#[test]
fn what_cannot_be_opened_says_why_and_never_the_password() {
    let cluster = Cluster::shared();
    let place = cluster.place();
    let at = |url: String| Options { url: url.clone().into(), ..options(&place, &Clock::default()) };
    let wrong = refusal(at(place.url.replace("of-the-tests-only", "hunter-two")));
    assert!(wrong.contains("password authentication failed") && !wrong.contains("hunter-two"), "{wrong}");
    assert!(wrong.contains(&format!("127.0.0.1:{}/postgres, schema {}", cluster.port, place.schema)), "{wrong}");
    let away = refusal(at("postgres://somebody:hunter-two@127.0.0.1:1/x".into()));
    assert!(away.contains("is the server running") && !away.contains("hunter-two"), "{away}");
    let none = refusal(at("mysql://hunter-two".into()));
    assert!(none.contains("journal.url") && !none.contains("hunter-two"), "{none}");

    cluster.sql(&format!("CREATE SCHEMA {0}; CREATE TABLE {0}.theirs (id int)", place.schema));
    assert!(refusal(options(&place, &Clock::default())).contains("tables of another program"));

    let newer = cluster.place();
    drop(open(options(&newer, &Clock::default())).unwrap());
    cluster.sql(&format!("INSERT INTO {}.layout (version, usable_from) VALUES (98, 1)", newer.schema));
    drop(open(options(&newer, &Clock::default())).unwrap());
    cluster.sql(&format!("INSERT INTO {}.layout (version, usable_from) VALUES (99, 99)", newer.schema));
    let refused = refusal(options(&newer, &Clock::default()));
    assert!(refused.contains("newer hookport (layout 99, this one knows 1)"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_begin_at_once_make_one_schema() {
    let place: Place = Cluster::shared().place();
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let place = place.clone();
        opening.spawn_blocking(move || open(options(&place, &Clock::default())).unwrap());
    }
    let mut hosts = Vec::new();
    while let Some(journal) = opening.join_next().await {
        hosts.push(journal.unwrap());
    }
    for (n, journal) in hosts.iter().enumerate() {
        accepted(journal.record(request([event(&n.to_string(), "to.crm")])).await.unwrap());
    }
    assert_eq!(hosts[0].stats().await.unwrap().events, 4);
}
