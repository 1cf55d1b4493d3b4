//! What was replaced, let go or erased is nowhere in the file, and what is left of a request still knows its bytes.

use std::path::Path;
use std::sync::Arc;

use hookport::clock::Clock;
use hookport::event::{Data, Event, EventState};
use hookport::journal::sqlite::{Limits, Options, open};
use hookport::journal::{Content, EventFilter, Journal, NewRejected, RejectionFilter, Replay, Replayed};
use hookport::reason::{Reason, Rejection};
use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;

use super::options;
use super::sealed::{found, with};
use crate::journal_contract::{accepted, event, key, noon, request, seconds};

/// Larger than a page, with a mark at its end.
fn large(mark: &str) -> String {
    format!(r#"{{"filler":"{}","mark":"{mark}"}}"#, "x".repeat(20_000))
}

fn raw(folder: &Path) -> Connection {
    Connection::open(folder.join("journal.db")).unwrap()
}

async fn events(journal: &dyn Journal) -> Vec<Event> {
    journal.events(EventFilter { limit: 99, after: Some(Uuid::nil()), ..EventFilter::default() }).await.unwrap()
}

#[tokio::test]
async fn what_a_replay_replaced_is_in_no_file_any_more() {
    for keys in [&[][..], &[1][..]] {
        let folder = TempDir::new().unwrap();
        let journal = open(with(folder.path(), keys)).unwrap();
        let mut new = request([event("a", "nobody"), event("b", "nobody")]);
        new.events[0].data = Data::Json(large("mark-old").into());
        let id = accepted(journal.record(new).await.unwrap())[0];
        let wrapped = || -> Option<Vec<u8>> {
            raw(folder.path()).query_row("SELECT seal FROM events WHERE id = 1", [], |row| row.get(0)).unwrap()
        };
        let old_key = wrapped();
        assert_eq!(old_key.is_some(), !keys.is_empty());
        // So that the row lies in the file, and not in its log only.
        journal.close().await.unwrap();
        let journal = open(with(folder.path(), keys)).unwrap();
        let stored = journal.event(id).await.unwrap().unwrap().event;
        let event = Event { data: Data::Json(r#"{"n":1}"#.into()), ..stored };
        let content = Content::Replaced(key("a"), bytes::Bytes::new());
        let events = vec![Replayed { event, content }];
        journal.redeliver(Replay { run: noon(), events, to: vec!["crm".into()], dry: false }).await.unwrap();
        journal.close().await.unwrap();
        assert_eq!(found(folder.path(), &["mark-old"]), [""; 0], "keys {keys:?}");
        let file = std::fs::read(folder.path().join("journal.db")).unwrap();
        let holds = |key: Vec<u8>| file.windows(key.len()).any(|window| window == key);
        assert!(!old_key.is_some_and(holds), "what opens the old content is still there");
    }
}

#[tokio::test]
async fn a_rejection_that_a_newer_one_pushed_out_is_in_no_file_any_more() {
    let folder = TempDir::new().unwrap();
    let limits = Limits { rejections: 1, ..Limits::default() };
    let mut journal = open(Options { limits: limits.clone(), ..options(folder.path()) }).unwrap();
    for mark in ["mark-old", "mark-new"] {
        let mut refused = Arc::unwrap_or_clone(request([]).request);
        refused.body = large(mark).into();
        let rejection = Rejection::new(Reason::SignatureMismatch, "wrong");
        journal.reject(NewRejected { source: None, rejection, request: refused });
        journal.close().await.unwrap();
        journal = open(Options { limits: limits.clone(), ..options(folder.path()) }).unwrap();
    }
    assert_eq!(journal.rejections(RejectionFilter::default()).await.unwrap().len(), 1);
    journal.close().await.unwrap();
    assert_eq!(found(folder.path(), &["mark-old", "mark-new"]), ["mark-new"]);
}

#[tokio::test]
async fn what_was_deleted_before_goes_with_the_next_erasure() {
    let folder = TempDir::new().unwrap();
    let journal = open(options(folder.path())).unwrap();
    journal.record(request([event("a", "nobody")])).await.unwrap();
    journal.close().await.unwrap();
    let conn = raw(folder.path());
    conn.execute_batch("PRAGMA secure_delete = OFF; CREATE TABLE gone (text TEXT)").unwrap();
    conn.execute("INSERT INTO gone VALUES (?)", [large("mark-old").repeat(100)]).unwrap();
    conn.execute_batch("DROP TABLE gone").unwrap();
    drop(conn);
    assert_eq!(found(folder.path(), &["mark-old"]), ["mark-old"]);
    let journal = open(options(folder.path())).unwrap();
    let all = EventFilter { source: Some("esim".into()), ..EventFilter::default() };
    assert_eq!(journal.erase(all.clone(), true).await.unwrap().erased, 1);
    assert_eq!(found(folder.path(), &["mark-old"]), ["mark-old"], "a dry run changes nothing");
    assert_eq!(journal.erase(all, false).await.unwrap().erased, 1);
    journal.close().await.unwrap();
    assert_eq!(found(folder.path(), &["mark-old"]), [""; 0]);
}

#[tokio::test]
async fn what_stays_of_a_request_is_still_checked_for_damage() {
    let folder = TempDir::new().unwrap();
    let journal = open(options(folder.path())).unwrap();
    let mut new = request(["a", "b", "c", "d"].map(|name| event(name, "nobody")));
    // One that leans on the request, and one that has nothing to say.
    new.events[1].data = Data::Json(new.request.body.clone());
    new.events[3].data = Data::None;
    let ids = accepted(journal.record(new).await.unwrap());
    journal.close().await.unwrap();
    let change = |id: i64| {
        raw(folder.path()).execute("UPDATE events SET provider_id = 'changed' WHERE id = ?", [id]).unwrap();
    };
    change(3);
    let journal = open(options(folder.path())).unwrap();
    let one = EventFilter { id: Some(ids[0]), ..EventFilter::default() };
    assert_eq!(journal.erase(one, false).await.unwrap().erased, 1);
    let damaged = |events: Vec<Event>| events.iter().map(|event| !event.warnings.is_empty()).collect::<Vec<_>>();
    let left = events(&*journal).await;
    assert_eq!(
        (left[0].state, &left[1].data),
        (EventState::Erased, &Data::Json(request([event("a", "x")]).request.body.clone()))
    );
    assert_eq!(damaged(left), [false, false, true, false], "what was damaged says so still");
    journal.close().await.unwrap();
    [2, 4].into_iter().for_each(change);
    let journal = open(options(folder.path())).unwrap();
    assert_eq!(damaged(events(&*journal).await), [false, true, true, true]);
}

/// The same file as layout 4 had it, which knew nothing of copies.
fn as_layout_4_left_it(folder: &Path, erased: bool) {
    let conn = raw(folder);
    conn.execute_batch(
        "PRAGMA secure_delete = ON; DROP TABLE plugins; ALTER TABLE requests DROP COLUMN plugin; DROP INDEX requests_copies; ALTER TABLE requests DROP COLUMN copy_of;
         ALTER TABLE requests DROP COLUMN erased; PRAGMA user_version = 4;",
    )
    .unwrap();
    if erased {
        conn.execute_batch(
            "UPDATE requests SET seal = NULL, sum = NULL, target = '', headers = x'', body = x'' WHERE id = 1;
             UPDATE events SET state = 3, form = 0, head = 0, tail = 0, data = NULL, sum = NULL WHERE id = 1;",
        )
        .unwrap();
    }
}

#[tokio::test]
async fn copies_that_an_older_layout_made_go_with_their_request() {
    for (keys, erased) in [(&[][..], false), (&[][..], true), (&[1][..], false), (&[1][..], true)] {
        let folder = TempDir::new().unwrap();
        // A replay comes long after its events.
        let clock = Clock::starting_at(noon());
        let options = || Options { clock: clock.clone(), ..with(folder.path(), keys) };
        let journal = open(options()).unwrap();
        let body = large("mark-body");
        // Another one of the same moment, which says something else.
        for (name, text) in [("a", body.clone()), ("other", large("mark-other"))] {
            let mut new = request([event(name, "nobody")]);
            Arc::make_mut(&mut new.request).body = text.clone().into();
            new.events[0].data = Data::Json(text.into());
            journal.record(new).await.unwrap();
        }
        clock.advance(seconds(60));
        let stored = events(&*journal).await.remove(0);
        let added = |name: &str, data: &str| {
            let event = Event { data: Data::Json(data.to_owned().into()), ..stored.clone() };
            Replayed { event, content: Content::Added(key(name), body.clone().into()) }
        };
        let lean = &body[..body.len() - 20];
        let events_of_now = vec![added("b", r#"{"n":2}"#), added("c", lean)];
        let replay = Replay { run: clock.now(), events: events_of_now, to: vec!["nowhere".into()], dry: false };
        assert_eq!(journal.redeliver(replay).await.unwrap().added, 2);
        for claimed in journal.claim("nowhere", 9, clock.now()).await.unwrap() {
            let attempt = crate::journal_contract::attempt(&clock);
            let outcome = hookport::journal::Outcome::Delivered;
            let settled = hookport::journal::Settled { delivery: claimed.delivery, attempt, outcome };
            journal.settle(vec![settled]).await.unwrap();
        }
        journal.close().await.unwrap();
        as_layout_4_left_it(folder.path(), erased);
        let journal = open(options()).unwrap();
        if !erased {
            let one = EventFilter { id: Some(stored.id), ..EventFilter::default() };
            assert_eq!(journal.erase(one, false).await.unwrap().erased, 1);
        }
        let left = events(&*journal).await;
        let data: Vec<_> = left.iter().map(|event| event.data.clone()).collect();
        let json = |text: &str| Data::Json(text.to_owned().into());
        assert_eq!(data, [Data::None, json(&large("mark-other")), json(r#"{"n":2}"#), json(lean)], "{keys:?} {erased}");
        assert!(left.iter().all(|event| event.warnings.is_empty()));
        journal.close().await.unwrap();
        let blank = "SELECT group_concat(length(body) = 0 AND seal IS NULL AND erased, '') FROM requests ORDER BY id";
        let blank: String = raw(folder.path()).query_row(blank, [], |row| row.get(0)).unwrap();
        assert_eq!((blank.as_str(), found(folder.path(), &["mark-body"])), ("1011", Vec::new()), "{keys:?} {erased}");
    }
}
