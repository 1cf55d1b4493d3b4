//! A disk that fills up or breaks beneath a running gateway: senders are asked to come again, operators are told, and it
//! goes on by itself.

use std::fs::{File, remove_file};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::crash::shim;
use crate::process::{Folder, PATIENCE, Process};
use crate::tally::{body, request_with};

async fn send(gateway: &Process, id: &str) -> u16 {
    gateway.ask(request_with("connection: close\r\n", &body(id))).await.status
}

pub(super) async fn readiness_becomes(gateway: &Process, status: u16) {
    let end = Instant::now() + PATIENCE;
    while gateway.get("/readyz").await.status != status {
        assert!(Instant::now() < end, "/readyz does not become {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn goes_through(trouble: &str, told: &str, how: &[(&str, &str)]) {
    let folder =
        Folder::new("destinations.lines = { kind = \"file\", path = \"lines.jsonl\" }\n[[routes]]\nto = [\"lines\"]\n");
    let environment = [
        ("LD_PRELOAD", shim(&folder.path(""))),
        ("CRASH_FOLDER", folder.path("data")),
        ("CRASH_LOG", folder.path("operations")),
        ("CRASH_FULL", folder.path("full")),
        ("CRASH_BROKEN", folder.path("broken")),
        ("CRASH_DROPS", "1".into()),
    ];
    let how = how.iter().map(|(name, value)| (*name, PathBuf::from(value)));
    let environment: Vec<_> = environment.into_iter().chain(how).collect();
    let gateway = folder.serve_with(&environment);
    readiness_becomes(&gateway, 200).await;
    assert_eq!(send(&gateway, "before").await, 202);
    File::create(folder.path(trouble)).unwrap();
    for id in ["a", "b", "a"] {
        assert_eq!(send(&gateway, id).await, 503, "nothing is acknowledged that is not on the disk");
    }
    readiness_becomes(&gateway, 503).await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    assert_eq!(gateway.get("/v1/events").await.status, 200, "what is kept can be read");
    remove_file(folder.path(trouble)).unwrap();
    readiness_becomes(&gateway, 200).await;
    for id in ["a", "b"] {
        assert_eq!(send(&gateway, id).await, 202, "it is new, because it was never kept");
    }
    let end = Instant::now() + PATIENCE;
    loop {
        let lines = std::fs::read_to_string(folder.path("lines.jsonl")).unwrap_or_default();
        let has = |id: &str| lines.contains(&format!("\"id\":\"{id}\",\"type\":\"counted\""));
        if ["before", "a", "b"].into_iter().all(has) {
            break;
        }
        assert!(Instant::now() < end, "{lines}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ended = gateway.stop();
    assert!(ended.code == Some(0) && ended.said.contains(told), "{ended:?}");
    let checked = folder.run(&["journal", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_answered_503_told_by_readyz_and_recovered_from_without_help() {
    goes_through("full", "can be written again", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_whose_syncs_fail_is_answered_503_told_by_readyz_and_recovered_from_without_help() {
    goes_through("broken", "is on the disk again", &[]).await;
}
