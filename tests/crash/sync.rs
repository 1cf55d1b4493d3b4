//! A sync fails, and the system forgets what was not on the disk: nothing that is acknowledged later may lie behind the hole.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::journal::sqlite::{Options, Sqlite, open};
use hookport::journal::{Journal, Outcome, Recorded, Settled};

use super::child::ACKS;
use super::model::{self, Unsynced, after_crash};
use crate::journal_contract::{ByType, attempt, event, request};

#[test]
fn what_is_acknowledged_after_a_sync_that_failed_outlives_a_power_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (shim, log, data) = (super::shim(folder.path()), folder.path().join("log"), folder.path().join("data"));
    std::fs::create_dir(&data).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::sync::goes_on_after_syncs_that_failed", "--exact", "--nocapture"])
        .env("LD_PRELOAD", &shim)
        .env("CRASH_FOLDER", &data)
        .env("CRASH_LOG", &log)
        .env("CRASH_BROKEN", folder.path().join("broken"))
        .env("CRASH_DROPS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let operations = model::read(&log);
    let acks: Vec<usize> = (0..operations.len()).filter(|n| super::is_ack(&operations[*n])).map(|n| n + 1).collect();
    assert!(acks.len() > 60, "{}", acks.len());
    for (n, at) in acks.into_iter().enumerate().filter(|(n, _)| n % 4 == 0) {
        let acknowledged = super::acknowledged(&operations[..at]);
        for unsynced in [Unsynced::Dropped, Unsynced::ByChance(n as u64 * 6_151 + 3)] {
            let lost = super::lost(&after_crash(&operations, at, unsynced), &acknowledged);
            assert_eq!(
                lost,
                Ok(std::collections::BTreeSet::new()),
                "operation {at} of {}, {unsynced:?}",
                operations.len()
            );
        }
    }
}

/// The test above starts it in a process of its own, whose disk it breaks; by itself it is the run without trouble.
#[test]
fn goes_on_after_syncs_that_failed() {
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("CRASH_FOLDER").map_or(own.path().to_owned(), PathBuf::from);
    let broken = std::env::var_os("CRASH_BROKEN").map(PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let journal = open(Options::new(&folder, Clock::default(), Arc::new(ByType))).unwrap();
    let mut acks = OpenOptions::new().create(true).append(true).open(folder.join(ACKS)).unwrap();
    runtime.block_on(async {
        for round in 0..4 {
            for n in 0..10 {
                keep(&journal, &mut acks, &format!("{round}-{n}")).await;
            }
            // Not synced: these lie in the log when the sync fails.
            again(&journal).await;
            if let Some(broken) = &broken {
                File::create(broken).unwrap();
                for _ in 0..3 {
                    let refused = journal.record(request([event(&format!("{round}-x"), "to.crm")])).await;
                    assert!(refused.is_err(), "nothing is acknowledged: {refused:?}");
                    assert!(journal.ready().await.is_err());
                }
                std::fs::remove_file(broken).unwrap();
            }
            for n in 10..20 {
                keep(&journal, &mut acks, &format!("{round}-{n}")).await;
            }
        }
    });
}

async fn keep(journal: &Sqlite, acks: &mut File, key: &str) {
    let recorded = journal.record(request([event(key, "to.crm")])).await;
    let Ok(Recorded::Accepted(ids)) = recorded else { panic!("{key}: {recorded:?}") };
    acks.write_all(format!("{key} {}\n", ids[0]).as_bytes()).unwrap();
}

/// What can be claimed is tried again later.
async fn again(journal: &Sqlite) {
    let clock = Clock::default();
    for claimed in journal.claim("crm", 8, clock.now()).await.unwrap() {
        let outcome = Outcome::Retry(clock.now() + Duration::from_secs(3_600));
        let settled = Settled { delivery: claimed.delivery, attempt: attempt(&clock), outcome };
        journal.settle(vec![settled]).await.unwrap();
    }
}
