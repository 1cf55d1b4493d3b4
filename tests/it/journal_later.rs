//! What the writer could not write, and nobody would ask for again, is tried again by itself.

use std::path::Path;
use std::sync::{Arc, Mutex};

use hookport::journal::sqlite::open;
use hookport::journal::{DeliveryFilter, DeliveryState, Journal, Lost, Outcome, Settled, Why};
use rusqlite::Connection;
use tempfile::TempDir;

use super::options;
use crate::journal_contract::{accepted, attempt, event, noon, request};

/// A disk that refuses some rows, until they are taken.
fn refuse(folder: &Path, when: &str) {
    let sql = format!("CREATE TRIGGER refused {when} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END");
    Connection::open(folder.join("journal.db")).unwrap().execute_batch(&sql).unwrap();
}

fn take(folder: &Path) {
    Connection::open(folder.join("journal.db")).unwrap().execute_batch("DROP TRIGGER refused").unwrap();
}

async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..6_000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

#[tokio::test]
async fn what_has_nothing_to_send_ends_when_the_disk_takes_it() {
    let folder = TempDir::new().unwrap();
    let journal = open(options(folder.path())).unwrap();
    let id = accepted(journal.record(request([event("a", "to.crm")])).await.unwrap())[0];
    journal.close().await.unwrap();
    let conn = Connection::open(folder.path().join("journal.db")).unwrap();
    conn.execute("UPDATE events SET provider_id = 'changed'", []).unwrap();
    drop(conn);
    let journal = open(options(folder.path())).unwrap();
    let heard = Arc::<Mutex<Vec<Lost>>>::default();
    let hears = heard.clone();
    journal.listen(Box::new(move |lost| hears.lock().unwrap().push(lost)));
    refuse(folder.path(), "BEFORE INSERT ON attempts");
    assert!(journal.claim("crm", 9, noon()).await.unwrap().is_empty());
    // It was tried before this was answered, or is tried after it.
    journal.record(request([event("b", "to.log")])).await.unwrap();
    take(folder.path());
    let exhausted = DeliveryFilter { state: Some(DeliveryState::Exhausted), ..DeliveryFilter::default() };
    until("it is given up", || async { journal.deliveries(exhausted.clone()).await.unwrap().len() == 1 }).await;
    let lost = heard.lock().unwrap().clone();
    let told: Vec<_> = lost.iter().map(|lost| (lost.event, &*lost.source, &*lost.destination, lost.why)).collect();
    assert_eq!(told, [(id, "esim", "crm", Why::Damaged)], "it is told once");
}

#[tokio::test]
async fn a_key_goes_on_when_the_disk_takes_that_its_first_one_left() {
    let folder = TempDir::new().unwrap();
    let journal = open(options(folder.path())).unwrap();
    for name in ["a", "b"] {
        let mut new = request([event(name, "to.bank")]);
        new.events[0].subject = Some("account".into());
        journal.record(new).await.unwrap();
    }
    let first = journal.claim("bank", 9, noon()).await.unwrap();
    assert_eq!(first.len(), 1);
    let one = DeliveryFilter { id: Some(first[0].delivery), ..DeliveryFilter::default() };
    assert_eq!(journal.cancel(one).await.unwrap(), 1);
    refuse(folder.path(), "BEFORE UPDATE ON deliveries WHEN old.state = 7");
    let attempt = attempt(&hookport::clock::Clock::default());
    let released = Settled { delivery: first[0].delivery, attempt, outcome: Outcome::Released };
    journal.settle(vec![released]).await.unwrap();
    journal.ready().await.unwrap();
    take(folder.path());
    until("the next one is due", || async { !journal.claim("bank", 9, noon()).await.unwrap().is_empty() }).await;
}
