//! The embedded journal: the contract of every engine, and what only a file has.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::journal::sqlite::{Limits, Options, open};
use hookport::journal::{Journal, JournalError, NewCapture, NewRejected, Recorded};
use hookport::reason::{Reason, Rejection};
use tempfile::TempDir;

use crate::journal_contract::{Bounds, ByType, Engine, event, request};

#[path = "journal_later.rs"]
mod later;
#[path = "journal_observed.rs"]
mod observed;
#[path = "journal_sealed.rs"]
mod sealed;
#[path = "journal_wiped.rs"]
mod wiped;

crate::journal_contract::contract!(crate::journal::place);

/// A folder of its own, gone with the last engine that uses it.
struct Place {
    folder: TempDir,
}

fn place() -> Box<dyn Engine> {
    Box::new(Place { folder: TempDir::new().unwrap() })
}

fn limits(bounds: Bounds) -> Limits {
    Limits {
        rejections: bounds.rejections,
        rejection_bytes: bounds.rejection_bytes,
        run: bounds.memory,
        due: bounds.memory,
        ..Limits::default()
    }
}

impl Engine for Place {
    fn open(&self, clock: &Clock, bounds: Bounds) -> Arc<dyn Journal> {
        let limits = limits(bounds);
        open(Options { limits, ..Options::new(self.folder.path(), clock.clone(), Arc::new(ByType)) }).unwrap()
    }

    fn crash(&self) -> Box<dyn Engine> {
        let folder = TempDir::new().unwrap();
        copy(self.folder.path(), folder.path());
        Box::new(Place { folder })
    }
}

/// What kill -9 leaves: the files as they are, without the index, which is rebuilt, and without the lock.
fn copy(from: &Path, to: &Path) {
    for name in ["journal.db", "journal.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

fn options(folder: &Path) -> Options {
    Options::new(folder, Clock::default(), Arc::new(ByType))
}

fn refusal(folder: &Path) -> String {
    open(options(folder)).map(|_| ()).unwrap_err().to_string()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn everything_on_disk_is_private_also_what_was_open_before() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("deep/data");
    for _ in 0..2 {
        let journal = open(options(&folder)).unwrap();
        let recorded = journal.record(request([event("a", "to.crm")])).await;
        assert!(recorded.is_ok(), "{recorded:?}");
        assert_eq!(mode(&folder), 0o700);
        for file in ["journal.db", "journal.db-wal", "journal.db-shm", "journal.lock"] {
            assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
        }
        journal.close().await.unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(folder.join("journal.db"), Permissions::from_mode(0o644)).unwrap();
    }
    std::fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
    assert!(refusal(&folder).contains("open to others (mode 1777)"), "everybody's folder is not ours to close");
}

#[tokio::test]
async fn one_process_per_journal_and_the_holder_is_named() {
    let folder = TempDir::new().unwrap();
    let journal = open(options(folder.path())).unwrap();
    let refused = refusal(folder.path());
    let (holder, lock) = (format!("process {}", std::process::id()), folder.path().join("journal.lock"));
    assert!(refused.contains(&holder) && refused.contains(&lock.display().to_string()), "{refused}");
    drop(journal);
    let journal = open(options(folder.path())).unwrap();
    journal.close().await.unwrap();
    open(options(folder.path())).unwrap();
}

#[test]
fn what_cannot_be_opened_says_why_and_is_left_as_it_was() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("journal.db");
    std::fs::write(&file, vec![b'x'; 10_000]).unwrap();
    assert!(
        refusal(folder.path()).contains("journal.db cannot be opened: file is not a database; the file is damaged")
    );
    assert_eq!(std::fs::read(&file).unwrap(), vec![b'x'; 10_000]);

    std::fs::remove_file(&file).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE theirs (id)").unwrap();
    assert!(refusal(folder.path()).contains("a database of another program"));

    std::fs::remove_file(&file).unwrap();
    drop(open(options(folder.path())).unwrap());
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let newer = refusal(folder.path());
    assert!(newer.contains("newer hookport (layout 99, this one knows "), "{newer}");

    let below_a_file = refusal(&file.join("data"));
    assert!(below_a_file.contains("cannot be used") && below_a_file.contains("journal.path"), "{below_a_file}");
}

/// The same rows in a file of the first layout.
fn as_the_first_version_left_it(file: &Path) {
    let newer = file.with_extension("newer");
    std::fs::rename(file, &newer).unwrap();
    let conn = rusqlite::Connection::open(file).unwrap();
    conn.execute_batch(include_str!("../../host/src/journal/sqlite/schema.sql")).unwrap();
    conn.execute_batch("PRAGMA application_id = 0x486b5074; PRAGMA user_version = 1").unwrap();
    conn.execute("ATTACH ? AS newer", [newer.to_str().unwrap()]).unwrap();
    for table in ["meta", "origins", "destinations", "requests", "events", "deliveries", "keys", "runs"] {
        let columns = "SELECT group_concat(name) FROM pragma_table_info(?)";
        let columns: String = conn.query_row(columns, [table], |row| row.get(0)).unwrap();
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}");
        conn.execute_batch(&copy).unwrap();
    }
}

#[tokio::test]
async fn a_file_of_an_older_layout_gets_what_it_lacks_and_keeps_what_it_has() {
    let folder = TempDir::new().unwrap();
    let journal = open(options(folder.path())).unwrap();
    let recorded = journal.record(request([event("a", "to.crm")])).await.unwrap();
    journal.close().await.unwrap();
    as_the_first_version_left_it(&folder.path().join("journal.db"));
    let journal = open(options(folder.path())).unwrap();
    let Recorded::Accepted(ids) = recorded else { panic!("{recorded:?}") };
    assert!(journal.event(ids[0]).await.unwrap().is_some());
    let value = "told".to_owned().into();
    let received = jiff::Timestamp::UNIX_EPOCH;
    let told = NewCapture { source: "notes".into(), secret: "main".into(), value, received, peer: None };
    journal.capture(told).await.unwrap();
    journal.close().await.unwrap();
    let journal = open(options(folder.path())).unwrap();
    assert_eq!(journal.captures().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_queue_is_busy_at_once_and_nothing_accepted_is_lost() {
    let folder = TempDir::new().unwrap();
    let limits = Limits { queue: 20, ..Limits::default() };
    let journal = open(Options { limits, ..options(folder.path()) }).unwrap();
    // Somebody else holds the file for a moment: the writer waits, and so does everything behind it.
    let other = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..200).map(|n| journal.record(request([event(&n.to_string(), "to.crm")]))).collect();
    for n in 0..2_000 {
        let request = Arc::unwrap_or_clone(request([]).request);
        let rejection = Rejection::new(Reason::SignatureMismatch, n.to_string());
        journal.reject(NewRejected { source: None, rejection, request });
    }
    other.execute_batch("COMMIT").unwrap();
    let (mut accepted, mut busy) = (0, 0);
    for recorded in waiting {
        match recorded.await {
            Ok(Recorded::Accepted(_)) => accepted += 1,
            Err(JournalError::Busy) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(accepted >= 20 && busy > 100, "{accepted} accepted, {busy} busy");
    let numbers = journal.stats().await.unwrap();
    assert_eq!(numbers.events, accepted);
    assert!(numbers.rejections_dropped > 1_000, "{numbers:?}");
}

#[tokio::test]
async fn space_comes_back_and_the_log_stays_small() {
    let folder = TempDir::new().unwrap();
    let limits = Limits { checkpoint_pages: 16, ..Limits::default() };
    let journal = open(Options { limits, ..options(folder.path()) }).unwrap();
    let mut log = 0;
    for round in 0..60 {
        let batch = |n: usize| {
            let mut request = request([event(&format!("{round}-{n}"), "nobody")]);
            Arc::make_mut(&mut request.request).body = vec![b'x'; 20_000].into();
            journal.record(request)
        };
        let waiting: Vec<_> = (0..20).map(batch).collect();
        for recorded in waiting {
            recorded.await.unwrap();
        }
        log = log.max(std::fs::metadata(folder.path().join("journal.db-wal")).unwrap().len());
    }
    // 24 MB went through it; how far copying lags behind is the disk's.
    assert!(log < 10 << 20, "the log grew to {log} bytes");
    assert!(journal.stats().await.unwrap().bytes > 24_000_000);
    assert_eq!(journal.retain(jiff::Timestamp::MAX).await.unwrap(), 1_200);
    let mut left = u64::MAX;
    for _ in 0..500 {
        left = std::fs::metadata(folder.path().join("journal.db")).unwrap().len();
        if left < 2_000_000 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{left} bytes stayed");
}
