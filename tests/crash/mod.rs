//! The power fails: what was acknowledged must be there, whatever the disk had not written yet.
//!
//! A child process records events with every file operation written down (`shim.c`); the model rebuilds the disk as it was
//! at many instants, and the journal is opened on it. With syncs turned down the same test must lose events.

mod child;
mod full;
pub(crate) mod model;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::journal::sqlite::{Options, Synced, open};
use hookport::journal::{DeliveryFilter, EventFilter, Journal, Recorded};
use uuid::Uuid;

use self::model::{Operation, Unsynced, after_crash};
use crate::journal_contract::{ByType, event, request};

/// Instants at which the power fails.
const CRASHES: usize = 60;

#[test]
fn no_acknowledged_event_is_lost_when_the_power_fails() {
    let operations = operations(Synced::Full);
    let (acks, syncs) = (acknowledged(&operations).len(), synced(&operations, "journal.db"));
    assert!(acks > 500 && syncs > 4, "{acks} acks and {syncs} checkpoints are too few to prove anything");
    for (n, at) in instants(&operations).into_iter().enumerate() {
        let acknowledged = acknowledged(&operations[..at]);
        for unsynced in [Unsynced::Dropped, Unsynced::ByChance(n as u64 * 7_919 + 11)] {
            let lost = lost(&after_crash(&operations, at, unsynced), &acknowledged);
            assert_eq!(lost, Ok(BTreeSet::new()), "operation {at} of {}, {unsynced:?}", operations.len());
        }
    }
}

#[test]
fn the_same_test_sees_the_loss_when_commits_are_not_synced() {
    for down in [Synced::Normal, Synced::Off] {
        let operations = operations(down);
        let lose = |at: &usize| {
            let lost = lost(&after_crash(&operations, *at, Unsynced::Dropped), &acknowledged(&operations[..*at]));
            lost.is_err() || lost.is_ok_and(|lost| !lost.is_empty())
        };
        let losses = instants(&operations).iter().filter(|at| lose(at)).count();
        assert!(losses > CRASHES / 3, "{down:?}: only {losses} of {CRASHES} crashes lost something");
    }
}

/// Runs the child and reads what it did.
fn operations(synced: Synced) -> Vec<Operation> {
    let folder = tempfile::tempdir().unwrap();
    let (shim, log, data) = (shim(folder.path()), folder.path().join("log"), folder.path().join("data"));
    std::fs::create_dir(&data).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::child::what_many_producers_record_is_acknowledged_each", "--exact", "--nocapture"])
        .env("LD_PRELOAD", &shim)
        .env("CRASH_FOLDER", &data)
        .env("CRASH_LOG", &log)
        .env("CRASH_SYNCED", format!("{synced:?}"))
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    model::read(&log)
}

/// Compiles the shim.
pub(crate) fn shim(into: &Path) -> PathBuf {
    let (shim, source) = (into.join("shim.so"), Path::new(env!("CARGO_MANIFEST_DIR")).join("crash/shim.c"));
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl").output();
    let compiled = compiled.expect("the crash tests need a C compiler called cc");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    shim
}

/// Instants spread over the run, and those right after an acknowledgement, when the least may be missing.
fn instants(operations: &[Operation]) -> Vec<usize> {
    let acks: Vec<usize> = (0..operations.len()).filter(|n| is_ack(&operations[*n])).map(|n| n + 1).collect();
    let spread = (1..=CRASHES / 2).map(|n| n * operations.len() / (CRASHES / 2 + 1));
    let after_acks = (1..=CRASHES / 2).map(|n| acks[n * (acks.len() - 1) / (CRASHES / 2)]);
    spread.chain(after_acks).collect()
}

fn is_ack(operation: &Operation) -> bool {
    matches!(operation, Operation::Write { file, .. } if file == child::ACKS)
}

/// The keys and ids that the child had been given.
fn acknowledged(operations: &[Operation]) -> BTreeMap<String, Uuid> {
    let acks = operations.iter().filter_map(|operation| match operation {
        Operation::Write { file, bytes, .. } if file == child::ACKS => Some(std::str::from_utf8(bytes).unwrap()),
        _ => None,
    });
    acks.map(|line| line.trim().split_once(' ').unwrap()).map(|(key, id)| (key.into(), id.parse().unwrap())).collect()
}

fn synced(operations: &[Operation], name: &str) -> usize {
    operations.iter().filter(|operation| matches!(operation, Operation::SyncBegin { file, .. } if file == name)).count()
}

/// Opens the journal on what the disk held, and says which acknowledged events are not there, not known as repeats, or
/// will never be delivered.
fn lost(files: &BTreeMap<String, Vec<u8>>, acknowledged: &BTreeMap<String, Uuid>) -> Result<BTreeSet<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with("-shm")) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let options = Options::new(folder.path(), Clock::default(), Arc::new(ByType));
    let journal = open(options).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lost = runtime.block_on(missing(&*journal, acknowledged)).map_err(|error| error.to_string())?;
    drop(journal);
    let file = rusqlite::Connection::open(folder.path().join("journal.db")).map_err(|error| error.to_string())?;
    let whole: String =
        file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(|error| error.to_string())?;
    if whole == "ok" { Ok(lost) } else { Err(whole) }
}

async fn missing(
    journal: &dyn Journal,
    acknowledged: &BTreeMap<String, Uuid>,
) -> Result<BTreeSet<String>, hookport::journal::JournalError> {
    let events = journal.events(EventFilter { limit: usize::MAX, ..Default::default() }).await?;
    let events: BTreeMap<Uuid, bool> =
        events.iter().map(|event| (event.id, event.data == child::data(event))).collect();
    let deliveries = journal.deliveries(DeliveryFilter { limit: usize::MAX, ..Default::default() }).await?;
    let delivered: BTreeSet<Uuid> = deliveries.iter().map(|delivery| delivery.event).collect();
    let mut lost = BTreeSet::new();
    for (key, id) in acknowledged {
        let here = events.get(id).copied().unwrap_or(false) && delivered.contains(id);
        if !here || journal.record(request([event(key, "to.crm")])).await? != Recorded::Duplicate {
            lost.insert(key.clone());
        }
    }
    Ok(lost)
}
