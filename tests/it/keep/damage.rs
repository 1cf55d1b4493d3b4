//! Damage in every kind of place: it is reported, nothing is silently shorter, and what can be read is.

use std::fs;
use std::path::Path;

use hookport::journal::{DeliveryFilter, EventFilter, Journal};
use tempfile::TempDir;

use super::{opened, options, places, refusal};
use crate::journal_contract::{accepted, event, request};

/// What a killed process leaves of a journal with so many events, all in the log.
async fn killed(events: usize) -> TempDir {
    let (folder, left) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let journal = opened(folder.path());
    for n in 0..events {
        accepted(journal.record(request([event(&format!("e{n}"), "to.crm")])).await.unwrap());
    }
    for name in ["journal.db", "journal.db-wal", "journal.mark"] {
        fs::copy(folder.path().join(name), left.path().join(name)).unwrap();
    }
    left
}

/// A journal that was closed, with all in one file.
async fn closed(events: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    let journal = opened(folder.path());
    for n in 0..events {
        accepted(journal.record(request([event(&format!("e{n}"), "to.crm")])).await.unwrap());
    }
    journal.close().await.unwrap();
    folder
}

async fn count(folder: &Path) -> usize {
    let journal = opened(folder);
    journal.events(EventFilter { limit: 10_000, ..Default::default() }).await.unwrap().len()
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_log_that_is_missing_is_reported_and_not_taken_for_the_end() {
    let left = killed(40).await;
    let (log, away) = (left.path().join("journal.db-wal"), left.path().join("away"));
    fs::rename(&log, &away).unwrap();
    let refused = refusal(left.path());
    assert!(refused.contains("lacks the events 1 to 40") && refused.contains("journal.mark"), "{refused}");
    // Nothing was touched: with the log in its place everything is there.
    fs::rename(&away, &log).unwrap();
    assert_eq!(count(left.path()).await, 40);
}

#[tokio::test]
async fn a_log_that_lost_its_end_or_a_byte_is_reported() {
    let left = killed(40).await;
    let log = left.path().join("journal.db-wal");
    let whole = fs::read(&log).unwrap();
    let half = whole.len() / 2;
    fs::write(&log, &whole[..half]).unwrap();
    assert!(refusal(left.path()).contains("to 40, which were acknowledged"));
    let mut changed = whole.clone();
    changed[half] ^= 1;
    fs::write(&log, &changed).unwrap();
    assert!(refusal(left.path()).contains("to 40, which were acknowledged"));
    // What a crash leaves in the middle of a write was never acknowledged.
    fs::write(&log, [&whole[..], &whole[32..3_000]].concat()).unwrap();
    assert_eq!(count(left.path()).await, 40);
}

#[tokio::test]
async fn an_older_copy_in_the_place_of_the_file_is_reported_and_taken_when_the_operator_says_so() {
    let folder = closed(3).await;
    let old = fs::read(folder.path().join("journal.db")).unwrap();
    let journal = opened(folder.path());
    accepted(journal.record(request([event("late", "to.crm")])).await.unwrap());
    journal.close().await.unwrap();
    fs::write(folder.path().join("journal.db"), old).unwrap();
    assert!(refusal(folder.path()).contains("lacks the events 4 to 4"));
    fs::remove_file(folder.path().join("journal.mark")).unwrap();
    assert_eq!(count(folder.path()).await, 3);
}

#[tokio::test]
async fn an_event_whose_bytes_changed_is_never_delivered_and_holds_up_no_other() {
    let folder = closed(20).await;
    let file = folder.path().join("journal.db");
    // In the body of the request: SQLite sees nothing wrong in it.
    change(&file, |bytes| {
        let found = places(bytes, br#"{"id":"e7","sign""#);
        assert_eq!(found.len(), 1);
        bytes[found[0] + 8] = b'8';
    });
    let journal = opened(folder.path());
    let claimed = journal.claim("crm", 100, options(folder.path()).clock.now()).await.unwrap();
    let names: Vec<_> = claimed.iter().map(|claimed| claimed.event.provider_id.clone().unwrap()).collect();
    assert_eq!(names.len(), 19);
    assert!(!names.contains(&"e7".to_owned()));
    let mut given_up = Vec::new();
    while given_up.is_empty() {
        let exhausted = Some(hookport::journal::DeliveryState::Exhausted);
        given_up = journal.deliveries(DeliveryFilter { state: exhausted, ..Default::default() }).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(given_up[0].reason.as_ref().unwrap().contains("the file is damaged here"), "{given_up:?}");
    let listed = journal.events(EventFilter::default()).await.unwrap();
    let damaged: Vec<_> = listed.iter().filter(|event| !event.warnings.is_empty()).collect();
    assert_eq!((listed.len(), damaged.len()), (20, 1), "it is listed, with a warning and without its data");
    let shown = journal.event(damaged[0].id).await.unwrap_err().to_string();
    assert!(shown.contains("are not those that were recorded"), "{shown}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_holds_its_key_where_its_destination_says_so() {
    let folder = TempDir::new().unwrap();
    let journal = opened(folder.path());
    let mut ids = Vec::new();
    for name in ["e1", "e2"] {
        let ordered = hookport::event::NewEvent { subject: Some("account".into()), ..event(name, "to.bank") };
        ids.extend(accepted(journal.record(request([ordered])).await.unwrap()));
    }
    journal.close().await.unwrap();
    change(&folder.path().join("journal.db"), |bytes| {
        let found = places(bytes, br#"{"id":"e1","sign""#);
        bytes[found[0] + 8] = b'8';
    });
    let journal = opened(folder.path());
    let claim = || journal.claim("bank", 100, options(folder.path()).clock.now());
    assert!(claim().await.unwrap().is_empty());
    let first = DeliveryFilter { event: Some(ids[0]), ..DeliveryFilter::default() };
    let mut state = String::new();
    for _ in 0..6_000 {
        state = journal.deliveries(first.clone()).await.unwrap()[0].reason.clone().unwrap_or_default();
        if !state.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(state.contains("the file is damaged") && state.contains("it holds its key"), "{state}");
    assert!(claim().await.unwrap().is_empty(), "the next one waits for an operator");
    assert_eq!(journal.cancel(first).await.unwrap(), 1);
    assert_eq!(claim().await.unwrap()[0].event.id, ids[1]);
}

#[tokio::test]
async fn a_file_that_lost_its_end_its_head_or_a_table_is_refused_with_the_way_out() {
    let folder = closed(200).await;
    let file = folder.path().join("journal.db");
    let whole = fs::read(&file).unwrap();
    let refused_with = |bytes: &[u8], words: &str| {
        fs::write(&file, bytes).unwrap();
        let refused = refusal(folder.path());
        assert!(refused.contains(words) && refused.contains("backup"), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), bytes, "it is left as it was");
    };
    refused_with(&whole[..whole.len() / 8192 * 4096], "malformed; the file is damaged");
    let mut headless = whole.clone();
    headless[..100].fill(0);
    refused_with(&headless, "not a database; the file is damaged");
    fs::write(&file, &whole).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("DROP TABLE deliveries").unwrap();
    let refused = refusal(folder.path());
    assert!(refused.contains("has no index deliveries_failed") && refused.contains("backup"), "{refused}");
}
