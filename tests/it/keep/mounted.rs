//! Small file systems that are really there, mounted for the gateway alone: one fills up under it, one turns read-only.
//!
//! Mounting needs root, or a kernel that lets everybody do it in a namespace. Where neither is given, a test says so past the
//! test harness and makes do with the library that pretends (`disk`).

use std::fs::{File, OpenOptions, remove_file};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::disk::{goes_through, readiness_becomes};
use super::mount::Mount;
use crate::process::{Folder, PATIENCE, Process};
use crate::tally::request_with;

const DELIVERED: &str =
    "destinations.lines = { kind = \"file\", path = \"lines.jsonl\" }\n[[routes]]\nto = [\"lines\"]\n";

/// Large enough that a small disk is soon full, also where the log has room that was used before.
fn body(id: &str) -> Vec<u8> {
    format!(r#"{{"id":"{id}","type":"counted","padding":"{}"}}"#, "x".repeat(30_000)).into_bytes()
}

async fn send(gateway: &Process, id: &str) -> u16 {
    gateway.ask(request_with("connection: close\r\n", &body(id))).await.status
}

/// Sends until one is refused, and gives the ids of those that were not.
async fn send_until_refused(gateway: &Process, name: &str) -> Vec<String> {
    let mut kept = Vec::new();
    for n in 0..2_000 {
        let id = format!("{name}-{n}");
        match send(gateway, &id).await {
            202 => kept.push(id),
            503 => return kept,
            other => panic!("{id} is answered {other}"),
        }
    }
    panic!("the disk takes everything");
}

async fn arrive(folder: &Folder, ids: &[String]) {
    let end = Instant::now() + PATIENCE;
    loop {
        let lines = std::fs::read_to_string(folder.path("lines.jsonl")).unwrap_or_default();
        let missing: Vec<_> = ids.iter().filter(|id| !lines.contains(&format!("\"id\":\"{id}\","))).collect();
        if missing.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "acknowledged and not delivered: {missing:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Takes every byte that there is.
fn fill(file: &Path) {
    let mut filler = File::create(file).expect("a file on the small disk");
    for size in [1 << 16, 1 << 12, 1] {
        let bytes = vec![0; size];
        loop {
            match filler.write(&bytes) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Past the harness, which keeps what tests print to itself unless they fail.
fn not_permitted(what: &str, why: &str) {
    let warning = format!("\nWARNING: {what} cannot be tested on this machine ({why}); a library pretends instead\n");
    std::io::stderr().write_all(warning.as_bytes()).expect("somebody listens");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_disk_that_fills_up_is_answered_503_and_gone_on_with_when_there_is_room() {
    let folder = Folder::new(DELIVERED);
    let disk = match Mount::memory(&folder.path("data"), "16m") {
        Ok(disk) => disk,
        Err(why) => {
            not_permitted("a full file system", &why);
            return goes_through("full", "can be written again", &[]).await;
        }
    };
    let gateway = folder.serve_under(&disk.inside());
    let mut kept = vec!["before".to_owned()];
    assert_eq!(send(&gateway, "before").await, 202);
    for round in ["first", "second"] {
        fill(&disk.seen("filler"));
        kept.extend(send_until_refused(&gateway, round).await);
        readiness_becomes(&gateway, 503).await;
        assert_eq!(gateway.get("/healthz").await.status, 200);
        assert_eq!(gateway.get("/v1/events").await.status, 200, "what is kept can be read");
        remove_file(disk.seen("filler")).expect("it is there");
        readiness_becomes(&gateway, 200).await;
        let id = format!("after-{round}");
        assert_eq!(send(&gateway, &id).await, 202);
        kept.push(id);
    }
    arrive(&folder, &kept).await;
    let ended = gateway.stop();
    assert!(ended.code == Some(0) && ended.said.contains("can be written again"), "{ended:?}");
    let checked = folder.run_under(&disk.inside(), &["journal", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_on_a_disk_that_is_mounted_read_only_says_so_and_opens_when_it_is_not() {
    let folder = Folder::new(DELIVERED);
    let disk = match Mount::memory(&folder.path("data"), "16m") {
        Ok(disk) => disk,
        Err(why) => {
            not_permitted("a file system that is mounted read-only", &why);
            return goes_through("full", "can be written again", &[("CRASH_ERRNO", "30")]).await;
        }
    };
    let gateway = folder.serve_under(&disk.inside());
    assert_eq!(send(&gateway, "before").await, 202);
    arrive(&folder, &["before".to_owned()]).await;
    assert_eq!(gateway.stop().code, Some(0));
    disk.remount("ro").expect("nobody has a file open there");
    let refused = folder.run_under(&disk.inside(), &["serve"]);
    assert!(refused.code == Some(1) && refused.said.to_lowercase().contains("read-only"), "{refused:?}");
    disk.remount("rw").expect("it was so before");
    let gateway = folder.serve_under(&disk.inside());
    assert_eq!(send(&gateway, "before").await, 200, "it is known");
    assert_eq!(send(&gateway, "after").await, 202);
    arrive(&folder, &["after".to_owned()]).await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_turns_read_only_under_the_gateway_is_answered_503_and_loses_nothing() {
    let folder = Folder::new(DELIVERED);
    let prepared = Mount::image(&folder.path("data"), &folder.path("disk.img")).and_then(|disk| {
        let trigger = disk.trigger()?;
        Ok((disk, trigger))
    });
    let (disk, trigger) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => {
            not_permitted("a file system that turns read-only", &why);
            return goes_through("full", "can be written again", &[("CRASH_ERRNO", "30")]).await;
        }
    };
    let gateway = folder.serve_under(&disk.inside());
    let mut kept = Vec::new();
    for n in 0..5 {
        let id = format!("before-{n}");
        assert_eq!(send(&gateway, &id).await, 202);
        kept.push(id);
    }
    // As the kernel does when it finds a file system broken: errors=remount-ro.
    OpenOptions::new().write(true).open(trigger).and_then(|mut file| file.write_all(b"a test")).expect("it is taken");
    kept.extend(send_until_refused(&gateway, "during").await);
    readiness_becomes(&gateway, 503).await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    assert_eq!(gateway.get("/v1/events").await.status, 200, "what is kept can be read");
    gateway.kill();
    disk.mend(&folder.path("disk.img"));
    let gateway = folder.serve_under(&disk.inside());
    assert_eq!(send(&gateway, "after").await, 202);
    kept.push("after".to_owned());
    arrive(&folder, &kept).await;
    assert_eq!(gateway.stop().code, Some(0));
    let checked = folder.run_under(&disk.inside(), &["journal", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}
