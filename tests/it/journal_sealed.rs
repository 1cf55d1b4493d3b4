//! An encrypted journal: the whole contract once more, and what its files show to somebody without the key.

use std::path::Path;
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::journal::sqlite::{Checked, Options, Vault, check, open};
use hookport::journal::{
    Attempt, DeliveryFilter, EventFilter, Journal, NewCapture, NewRejected, NewRequest, Outcome, RejectionFilter,
    Settled,
};
use hookport::reason::{Reason, Rejection};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use tempfile::TempDir;

use super::{copy, limits, options};
use crate::journal_contract::{Bounds, ByType, Engine, attempt, event, noon, request};

crate::journal_contract::contract!(crate::journal::sealed::place);

struct Place {
    folder: TempDir,
}

fn place() -> Box<dyn Engine> {
    Box::new(Place { folder: TempDir::new().unwrap() })
}

fn vault(keys: &[u8]) -> Option<Vault> {
    let keys: Vec<_> = keys.iter().map(|key| SecretBox::new(Box::new([*key; 32]))).collect();
    Vault::new(&keys)
}

impl Engine for Place {
    fn open(&self, clock: &Clock, bounds: Bounds) -> Arc<dyn Journal> {
        let limits = limits(bounds);
        let options = Options::new(self.folder.path(), clock.clone(), Arc::new(ByType));
        open(Options { limits, vault: vault(&[1]), ..options }).unwrap()
    }

    fn crash(&self) -> Box<dyn Engine> {
        let folder = TempDir::new().unwrap();
        copy(self.folder.path(), folder.path());
        Box::new(Place { folder })
    }
}

pub(super) fn with(folder: &Path, keys: &[u8]) -> Options {
    Options { vault: vault(keys), ..options(folder) }
}

/// Which of these texts lie in the journal's files.
pub(super) fn found(folder: &Path, texts: &[&str]) -> Vec<String> {
    let files = ["journal.db", "journal.db-wal"].map(|name| std::fs::read(folder.join(name)).unwrap_or_default());
    let holds = |text: &str| files.iter().any(|file| file.windows(text.len()).any(|window| window == text.as_bytes()));
    texts.iter().filter(|text| holds(text)).map(|text| (*text).to_owned()).collect()
}

/// A request whose target, header and body hold marks.
fn marked(key: &str) -> NewRequest {
    let mut new = request([event(key, "to.crm")]);
    let incoming = Arc::make_mut(&mut new.request);
    incoming.target = "/hooks?token=mark-target".into();
    incoming.headers.insert("x-mark", "mark-header".parse().unwrap());
    incoming.body = format!(r#"{{"mark":"mark-body","key":"{key}"}}"#).into();
    new.events[0].data = hookport::event::Data::Json(r#"{"other":"mark-data"}"#.into());
    new
}

const MARKS: [&str; 5] = ["mark-target", "mark-header", "mark-body", "mark-data", "mark-answer"];

/// Records, delivers, rejects and captures.
async fn fill(journal: &dyn Journal, key: &str) {
    journal.record(marked(key)).await.unwrap();
    for claimed in journal.claim("crm", 9, noon()).await.unwrap() {
        let attempt = Attempt { answer: Some("mark-answer".into()), ..attempt(&Clock::default()) };
        let settled = Settled { delivery: claimed.delivery, attempt, outcome: Outcome::Delivered };
        journal.settle(vec![settled]).await.unwrap();
    }
    let rejection = Rejection::new(Reason::SignatureMismatch, "wrong");
    journal.reject(NewRejected { source: None, rejection, request: (*marked(key).request).clone() });
    let captured = NewCapture {
        source: "esim".into(),
        secret: "main".into(),
        value: SecretString::from("mark-captured".to_owned()),
        received: noon(),
        peer: None,
    };
    journal.capture(captured).await.unwrap();
}

#[tokio::test]
async fn without_the_key_nothing_of_the_content_can_be_read() {
    let all = [&MARKS[..], &["mark-captured"]].concat();
    for (keys, expected) in [(&[][..], all.len()), (&[1][..], 0)] {
        let folder = TempDir::new().unwrap();
        let journal = open(with(folder.path(), keys)).unwrap();
        fill(&*journal, "one").await;
        assert_eq!(found(folder.path(), &all).len(), expected, "while it is open, keys {keys:?}");
        journal.close().await.unwrap();
        assert_eq!(found(folder.path(), &all).len(), expected, "closed, keys {keys:?}");
        let journal = open(with(folder.path(), keys)).unwrap();
        let rejected = journal.rejections(RejectionFilter::default()).await.unwrap();
        let (_, shown) = journal.rejection(rejected[0].id).await.unwrap().unwrap();
        assert_eq!(shown.unwrap().headers["x-mark"], "mark-header");
        assert_eq!(rejected[0].line, "POST /hooks?token=mark-target");
    }
}

#[tokio::test]
async fn what_was_erased_is_in_no_file_any_more() {
    for keys in [&[][..], &[1][..]] {
        let folder = TempDir::new().unwrap();
        let journal = open(with(folder.path(), keys)).unwrap();
        journal.record(marked("one")).await.unwrap();
        for claimed in journal.claim("crm", 9, noon()).await.unwrap() {
            let attempt = Attempt { answer: Some("mark-answer".into()), ..attempt(&Clock::default()) };
            let settled = Settled { delivery: claimed.delivery, attempt, outcome: Outcome::Delivered };
            journal.settle(vec![settled]).await.unwrap();
        }
        let seal = || -> Option<Vec<u8>> {
            let conn = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
            conn.query_row("SELECT seal FROM requests", [], |row| row.get(0)).unwrap()
        };
        let wrapped = seal();
        let filter = EventFilter { source: Some("esim".into()), ..EventFilter::default() };
        assert_eq!(journal.erase(filter, false).await.unwrap().erased, 1);
        assert_eq!(found(folder.path(), &MARKS), [""; 0], "keys {keys:?}");
        assert_eq!(seal(), None);
        let Some(wrapped) = wrapped else { continue };
        for name in ["journal.db", "journal.db-wal"] {
            let file = std::fs::read(folder.path().join(name)).unwrap_or_default();
            assert!(!file.windows(wrapped.len()).any(|window| window == wrapped), "its key is still in {name}");
        }
    }
}

#[tokio::test]
async fn a_rejection_that_was_erased_is_in_no_file_any_more() {
    for keys in [&[][..], &[1][..]] {
        let folder = TempDir::new().unwrap();
        let journal = open(with(folder.path(), keys)).unwrap();
        for source in ["gone", "stays"] {
            let rejection = Rejection::new(Reason::SignatureMismatch, "mark-detail");
            let request = (*marked("one").request).clone();
            journal.reject(NewRejected { source: Some(source.into()), rejection, request });
        }
        // Nobody waits for a rejection.
        let mut waited = 0;
        while journal.rejections(RejectionFilter::default()).await.unwrap().len() < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            waited += 1;
            assert!(waited < 6_000, "they are never kept");
        }
        let gone = RejectionFilter { source: Some("gone".into()), ..RejectionFilter::default() };
        let ids: Vec<u64> = journal.rejections(gone).await.unwrap().iter().map(|rejected| rejected.id).collect();
        assert_eq!((ids.len(), journal.erase_rejections(ids.clone()).await.unwrap()), (1, 1));
        assert_eq!(journal.erase_rejections(ids).await.unwrap(), 0);
        let left = journal.rejections(RejectionFilter::default()).await.unwrap();
        assert_eq!((left.len(), left[0].source.as_deref()), (1, Some("stays")));
        assert_eq!(journal.stats().await.unwrap().rejections, 1);
        journal.erase_rejections(vec![left[0].id]).await.unwrap();
        assert_eq!(found(folder.path(), &["mark-detail"]), [""; 0], "keys {keys:?}");
    }
}

#[tokio::test]
async fn a_wrong_or_missing_key_is_refused_and_changes_nothing() {
    let folder = TempDir::new().unwrap();
    open(with(folder.path(), &[1])).unwrap().close().await.unwrap();
    let refusal = |keys: &[u8]| open(with(folder.path(), keys)).map(|_| ()).unwrap_err().to_string();
    assert!(refusal(&[]).contains("is encrypted and journal.key is not set"), "{}", refusal(&[]));
    assert!(refusal(&[2]).contains("a key that journal.key does not name"), "{}", refusal(&[2]));
    open(with(folder.path(), &[1])).unwrap();
}

#[tokio::test]
async fn a_key_is_replaced_while_the_old_one_still_opens() {
    let folder = TempDir::new().unwrap();
    let journal = open(with(folder.path(), &[1])).unwrap();
    journal.record(marked("one")).await.unwrap();
    journal.close().await.unwrap();
    let journal = open(with(folder.path(), &[2, 1])).unwrap();
    journal.record(marked("two")).await.unwrap();
    let claimed = journal.claim("crm", 9, noon()).await.unwrap();
    assert_eq!(claimed.len(), 2, "what the old key sealed is delivered");
    journal.close().await.unwrap();
    let refused = open(with(folder.path(), &[2])).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("still holds content under an older key"), "{refused}");
}

#[tokio::test]
async fn a_key_may_be_added_later_and_what_was_plain_stays_readable() {
    let folder = TempDir::new().unwrap();
    let journal = open(with(folder.path(), &[])).unwrap();
    journal.record(marked("one")).await.unwrap();
    journal.close().await.unwrap();
    let journal = open(with(folder.path(), &[1])).unwrap();
    journal.record(marked("two")).await.unwrap();
    let claimed = journal.claim("crm", 9, noon()).await.unwrap();
    let bodies: Vec<_> = claimed.iter().map(|claimed| claimed.request.body.clone()).collect();
    assert_eq!(bodies, [marked("one").request.body.clone(), marked("two").request.body.clone()]);
}

#[tokio::test]
async fn what_was_told_opens_by_the_new_key_when_the_old_one_is_gone() {
    let folder = TempDir::new().unwrap();
    let journal = open(with(folder.path(), &[1])).unwrap();
    let value = SecretString::from("mark-captured".to_owned());
    let told = NewCapture { source: "esim".into(), secret: "main".into(), value, received: noon(), peer: None };
    journal.capture(told).await.unwrap();
    journal.close().await.unwrap();
    open(with(folder.path(), &[2, 1])).unwrap().close().await.unwrap();
    let journal = open(with(folder.path(), &[2])).unwrap();
    assert_eq!(journal.captures().await.unwrap()[0].value.expose_secret(), "mark-captured");
}

#[tokio::test]
async fn a_changed_byte_costs_its_own_event_and_no_list() {
    let folder = TempDir::new().unwrap();
    let journal = open(with(folder.path(), &[1])).unwrap();
    for key in ["one", "two", "three"] {
        journal.record(marked(key)).await.unwrap();
    }
    journal.close().await.unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    let body: Vec<u8> = conn.query_row("SELECT body FROM requests WHERE id = 2", [], |row| row.get(0)).unwrap();
    let changed: Vec<u8> = body.iter().map(|byte| byte ^ 1).collect();
    conn.execute("UPDATE requests SET body = ? WHERE id = 2", [changed]).unwrap();
    drop(conn);
    let journal = open(with(folder.path(), &[1])).unwrap();
    let events = journal.events(EventFilter::default()).await.unwrap();
    let warned: Vec<bool> = events.iter().map(|event| !event.warnings.is_empty()).collect();
    assert_eq!(warned, [false, true, false], "{events:?}");
    assert_eq!(journal.claim("crm", 9, noon()).await.unwrap().len(), 2, "the others are delivered");
}

#[tokio::test]
async fn what_was_erased_is_not_sent_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(with(folder.path(), &[1])).unwrap();
    journal.record(marked("one")).await.unwrap();
    for claimed in journal.claim("crm", 9, noon()).await.unwrap() {
        let attempt = attempt(&Clock::default());
        let settled = Settled { delivery: claimed.delivery, attempt, outcome: Outcome::Exhausted("gone".into()) };
        journal.settle(vec![settled]).await.unwrap();
    }
    let all = EventFilter { source: Some("esim".into()), ..EventFilter::default() };
    assert_eq!(journal.erase(all, false).await.unwrap().erased, 1);
    assert_eq!(journal.retry(DeliveryFilter::default()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_check_opens_what_is_sealed_and_says_what_it_could_not_open() {
    let folder = TempDir::new().unwrap();
    let journal = open(with(folder.path(), &[1])).unwrap();
    fill(&*journal, "one").await;
    fill(&*journal, "two").await;
    journal.close().await.unwrap();
    let checked = |keys: &[u8]| check(folder.path(), false, vault(keys).as_ref(), &mut |_, _, _| {}).unwrap();
    let sealed = |checked: &Checked| -> Vec<(u64, u64)> {
        ["requests", "events", "rejections", "captures"]
            .map(|table| (checked.rows[table].good, checked.rows[table].sealed))
            .to_vec()
    };
    let (opened, closed) = (checked(&[1]), checked(&[]));
    assert!(opened.whole && closed.whole, "{opened:?} {closed:?}");
    assert_eq!(sealed(&opened), [(2, 0), (2, 0), (2, 0), (1, 0)]);
    assert_eq!(sealed(&closed), [(0, 2), (0, 2), (0, 2), (0, 1)]);
    let other = check(folder.path(), false, vault(&[2]).as_ref(), &mut |_, _, _| {}).unwrap_err().to_string();
    assert!(other.contains("a key that journal.key does not name"), "it is not damaged: {other}");
    assert!(check(folder.path(), true, vault(&[2]).as_ref(), &mut |_, _, _| {}).unwrap().whole, "no row is opened");

    let conn = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    let body: Vec<u8> = conn.query_row("SELECT body FROM requests WHERE id = 2", [], |row| row.get(0)).unwrap();
    let changed: Vec<u8> = body.iter().map(|byte| byte ^ 1).collect();
    conn.execute("UPDATE requests SET body = ? WHERE id = 2", [changed]).unwrap();
    drop(conn);
    assert!(checked(&[]).whole, "nobody can tell without the key");
    let found = checked(&[1]);
    assert_eq!(found.problems.len(), 1, "{found:?}");
    assert!(found.problems[0].place == "requests 2" && found.problems[0].what.contains("was changed where it is kept"));
}
