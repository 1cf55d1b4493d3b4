//! The process that loses its power: records, delivers, retains and opens again, and writes down every acknowledgement.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::event::{Data, Event};
use hookport::journal::sqlite::{Limits, Options, Synced, open};
use hookport::journal::{Journal, Outcome, Recorded, Settled};
use jiff::Timestamp;

use crate::journal_contract::{ByType, accepted, attempt, event, request};

/// The file of acknowledgements; the shim records it in one order with everything else.
pub(crate) const ACKS: &str = "acks";
const PRODUCERS: usize = 8;
const EVENTS: usize = 60;

/// The crash tests start it in a process of its own, whose disk they watch; by itself it is the run that nothing disturbs.
#[test]
fn what_many_producers_record_is_acknowledged_each() {
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("CRASH_FOLDER").map_or(own.path().to_owned(), PathBuf::from);
    let synced = match std::env::var("CRASH_SYNCED").as_deref() {
        Ok("Normal") => Synced::Normal,
        Ok("Off") => Synced::Off,
        _ => Synced::Full,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for session in 0..2 {
        // Small bounds: checkpoints, key runs and readings again all happen within a second.
        let limits =
            Limits { synced, checkpoint_pages: 16, run: 100, due: 40, cache_bytes: 20_000, ..Limits::default() };
        let journal = open(Options { limits, ..Options::new(&folder, Clock::default(), Arc::new(ByType)) }).unwrap();
        let acks = OpenOptions::new().create(true).append(true).open(folder.join(ACKS)).unwrap();
        runtime.block_on(session_of(journal.clone(), session, Arc::new(acks)));
        if session == 0 {
            runtime.block_on(journal.close()).unwrap();
        }
    }
    let acks = std::fs::read_to_string(folder.join(ACKS)).unwrap();
    assert_eq!(acks.lines().count(), 2 * PRODUCERS * EVENTS);
}

async fn session_of(journal: Arc<dyn Journal>, session: usize, acks: Arc<File>) {
    let mut tasks = tokio::task::JoinSet::new();
    for producer in 0..PRODUCERS {
        let (journal, acks) = (journal.clone(), acks.clone());
        tasks.spawn(async move {
            for n in 0..EVENTS {
                let key = format!("{session}-{producer}-{n}");
                let recorded = journal.record(request([event(&key, "to.crm")])).await.unwrap();
                let Recorded::Accepted(ids) = recorded else { panic!("{recorded:?}") };
                (&*acks).write_all(format!("{key} {}\n", ids[0]).as_bytes()).unwrap();
                old(&*journal, &key).await;
            }
        });
    }
    let deliveries = tokio::spawn(deliver(journal.clone()));
    while tasks.join_next().await.is_some() {
        journal.retain("2000-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
    }
    deliveries.abort();
}

/// Events of another time, which retention deletes meanwhile.
async fn old(journal: &dyn Journal, key: &str) {
    let mut old = request([event(&format!("old-{key}"), "nobody")]);
    Arc::make_mut(&mut old.request).received = Timestamp::UNIX_EPOCH;
    accepted(journal.record(old).await.unwrap());
}

async fn deliver(journal: Arc<dyn Journal>) {
    let clock = Clock::default();
    loop {
        let claimed = journal.claim("crm", 5, clock.now()).await.unwrap();
        if claimed.is_empty() {
            journal.due("crm").notified().await;
        }
        let settled = claimed.iter().map(|claimed| {
            let later = Outcome::Retry(clock.now());
            let outcome = if claimed.attempt % 2 == 0 { Outcome::Delivered } else { later };
            Settled { delivery: claimed.delivery, attempt: attempt(&clock), outcome }
        });
        journal.settle(settled.collect()).await.unwrap();
    }
}

/// What an event must still say.
pub(crate) fn data(of: &Event) -> Data {
    event(of.provider_id.as_deref().unwrap_or_default(), "to.crm").data
}
