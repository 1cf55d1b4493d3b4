//! What the embedded engine tells whoever counts.

use std::sync::{Arc, Mutex};

use hookport::journal::sqlite::{Options, open};
use hookport::journal::{Committed, Journal, JournalError, Observer, Recorded};
use rusqlite::Connection;
use tempfile::TempDir;

use super::options;
use crate::journal_contract::{event, request};

#[derive(Default)]
struct Heard(Mutex<Vec<Option<Committed>>>);

impl Observer for Heard {
    fn committed(&self, group: Committed) {
        self.0.lock().unwrap().push(Some(group));
    }

    fn failed(&self) {
        self.0.lock().unwrap().push(None);
    }
}

#[tokio::test]
async fn who_counts_hears_of_every_group_that_is_durable_and_of_every_one_that_failed() {
    let folder = TempDir::new().unwrap();
    let heard = Arc::new(Heard::default());
    let journal = open(Options { observer: heard.clone(), ..options(folder.path()) }).unwrap();
    let (first, second) = (journal.record(request([event("a", "to.crm")])), journal.record(request([event("b", "x")])));
    assert!(matches!((first.await, second.await), (Ok(Recorded::Accepted(_)), Ok(Recorded::Accepted(_)))));
    let counted = |heard: &Heard| {
        let heard = heard.0.lock().unwrap();
        let requests = heard.iter().flatten().map(|group| group.requests).sum::<usize>();
        assert!(heard.iter().flatten().all(|group| group.requests > 0 && !group.took.is_zero()), "{heard:?}");
        (requests, heard.iter().filter(|group| group.is_none()).count())
    };
    assert_eq!(counted(&heard), (2, 0));

    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = journal.record(request([event("c", "to.crm")])).await;
    assert!(matches!(refused, Err(JournalError::Failed { .. })), "{refused:?}");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(counted(&heard), (2, 1), "somebody else held the file");
    let again = journal.record(request([event("c", "to.crm")])).await;
    assert!(matches!(again, Ok(Recorded::Accepted(_))), "{again:?}");
    assert_eq!(counted(&heard), (3, 1));
}
