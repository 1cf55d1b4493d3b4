//! The disk fills up, or breaks, while events come in: nobody is told that an event is kept, and it goes on by itself.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::journal::sqlite::{Options, Sqlite, open};
use hookport::journal::{EventFilter, Journal, JournalError, Outcome, Recorded, Settled};

use crate::journal_contract::{ByType, accepted, attempt, event, request};

#[test]
fn a_full_disk_is_an_answer_and_not_the_end() {
    run("full", &[]);
}

#[test]
fn a_disk_that_fails_to_write_acknowledges_nothing_and_is_used_again_when_it_writes() {
    run("full", &[("CRASH_ERRNO", "5")]);
}

#[test]
fn a_disk_that_became_read_only_acknowledges_nothing_and_is_used_again_when_it_can_be_written() {
    run("full", &[("CRASH_ERRNO", "30")]);
}

#[test]
fn a_disk_that_cannot_sync_acknowledges_nothing() {
    run("broken", &[]);
}

#[test]
fn a_disk_that_cannot_sync_and_forgets_acknowledges_nothing() {
    run("broken", &[("CRASH_DROPS", "1")]);
}

fn run(trouble: &str, how: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let (shim, data) = (super::shim(folder.path()), folder.path().join("data"));
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::full::goes_on_when_the_trouble_is_over", "--exact", "--nocapture"])
        .env("LD_PRELOAD", &shim)
        .env("CRASH_FOLDER", &data)
        .env("CRASH_LOG", folder.path().join("log"))
        .env("CRASH_FULL", folder.path().join("full"))
        .env("CRASH_BROKEN", folder.path().join("broken"))
        .env("CRASH_TROUBLE", folder.path().join(trouble))
        .envs(how.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&child.stderr));
}

/// The tests above start it in a process of its own, whose disk they break; by itself it is the run without trouble.
#[test]
fn goes_on_when_the_trouble_is_over() {
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("CRASH_FOLDER").map_or(own.path().join("data"), PathBuf::from);
    let trouble = std::env::var_os("CRASH_TROUBLE").map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let again = || open(Options::new(&folder, Clock::default(), Arc::new(ByType))).unwrap();
    let journal = again();
    runtime.block_on(through(&journal, trouble.as_deref()));
    runtime.block_on(journal.close()).unwrap();
    let found = runtime.block_on(again().events(EventFilter::default())).unwrap();
    let names: String = found.iter().map(|event| event.provider_id.clone().unwrap()).collect();
    assert_eq!(names, "cba");
}

async fn through(journal: &Arc<Sqlite>, trouble: Option<&Path>) {
    let record = async |name: &str| journal.record(request([event(name, "to.crm")])).await;
    accepted(record("a").await.unwrap());
    let claimed = journal.claim("crm", 9, Clock::default().now()).await.unwrap().remove(0);
    if let Some(trouble) = trouble {
        File::create(trouble).unwrap();
    }
    let refused = if trouble.is_some() { &["b", "b", "c"][..] } else { &[] };
    for name in refused {
        let refused = record(name).await.unwrap_err();
        let said = refused.to_string();
        assert!(
            matches!(refused, JournalError::Failed { .. }) && said.contains("journal.db") && said.contains("by itself"),
            "{said}"
        );
    }
    let settled =
        Settled { delivery: claimed.delivery, attempt: attempt(&Clock::default()), outcome: Outcome::Delivered };
    let kept = journal.settle(vec![settled.clone()]).await;
    assert!(journal.claim("crm", 9, Clock::default().now()).await.unwrap().is_empty(), "{kept:?}");
    // A disk that could not sync may have written all the same: then what was refused is there, and known as a repeat.
    let found = journal.events(EventFilter::default()).await.unwrap().len();
    assert!((1..=2).contains(&found), "readers go on: {found}");
    if let Some(trouble) = trouble {
        for _ in 0..2 {
            let again = journal.settle(vec![settled.clone()]).await;
            assert_eq!(again.is_err(), kept.is_err(), "not written is never answered with Ok");
        }
        std::fs::remove_file(trouble).unwrap();
    }
    let again = record("b").await.unwrap();
    assert!(matches!(again, Recorded::Accepted(_)) == (found == 1), "{again:?}");
    accepted(record("c").await.unwrap());
    journal.settle(vec![settled]).await.unwrap();
    for _ in 0..1_000 {
        if journal.stats().await.unwrap().open == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the outcome that could not be written was never written: it would be delivered again");
}
