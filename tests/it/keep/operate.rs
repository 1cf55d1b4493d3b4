//! `hookport journal` beside a gateway and without one, and a restore from what it copied.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::places;
use crate::process::{Folder, PATIENCE, Process};
use crate::tally::{body, request_with};

const TO_A_FILE: &str = "destinations.lines = { kind = \"file\", path = \"lines.jsonl\" }\n\
    [[routes]]\nto = [\"lines\"]\n";

async fn send(gateway: &Process, id: &str) -> u16 {
    gateway.ask(request_with("connection: close\r\n", &body(id))).await.status
}

/// How often events came to the destination, once so many are there.
async fn delivered(folder: &Folder, lines: usize) -> Vec<String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(folder.path("lines.jsonl")).unwrap_or_default();
        if text.lines().count() >= lines {
            let id =
                |line: &str| serde_json::from_str::<Value>(line).unwrap()["data"]["id"].as_str().unwrap().to_owned();
            return text.lines().map(id).collect();
        }
        assert!(Instant::now() < end, "{} lines", text.lines().count());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn all_settled(gateway: &Process) {
    let end = Instant::now() + PATIENCE;
    loop {
        let stats: Value = serde_json::from_slice(&gateway.get("/v1/stats").await.body).unwrap();
        if stats["open"] == 0 {
            return;
        }
        assert!(Instant::now() < end, "{stats}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_a_busy_gateway_is_whole_private_and_restores_everything_without_delivering_it_again() {
    let folder = Folder::new(TO_A_FILE);
    let gateway = folder.serve();
    for n in 0..30 {
        assert_eq!(send(&gateway, &format!("e{n}")).await, 202);
    }
    delivered(&folder, 30).await;
    all_settled(&gateway).await;
    // Events go on coming while it is copied.
    let (copied, _) =
        tokio::join!(async { tokio::task::block_in_place(|| folder.run(&["journal", "backup", "copy.db"])) }, async {
            for n in 0..30 {
                assert_eq!(send(&gateway, &format!("later{n}")).await, 202);
            }
        });
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let mode = std::fs::metadata(folder.path("copy.db")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let again = folder.run(&["journal", "backup", "copy.db"]);
    assert!(again.code == Some(1) && again.said.contains("is not overwritten"), "{again:?}");
    let checked = folder.run(&["journal", "check", "--path", "copy.db"]);
    assert!(checked.code == Some(0) && checked.said.contains("is as it was written"), "{checked:?}");
    delivered(&folder, 60).await;
    assert_eq!(gateway.stop().code, Some(0));

    // As config/README.md says: stopped, put into an empty folder, started.
    std::fs::rename(folder.path("data"), folder.path("lost")).unwrap();
    std::fs::create_dir(folder.path("data")).unwrap();
    std::fs::copy(folder.path("copy.db"), folder.path("data/journal.db")).unwrap();
    std::fs::remove_file(folder.path("lines.jsonl")).unwrap();
    let gateway = folder.serve();
    assert_eq!(send(&gateway, "e7").await, 200, "a repeat is known");
    assert_eq!(send(&gateway, "new").await, 202);
    let mut lines = delivered(&folder, 1).await;
    all_settled(&gateway).await;
    lines.extend(delivered(&folder, 1).await);
    assert!(lines.iter().all(|id| !id.starts_with('e')), "what was delivered is not delivered again: {lines:?}");
    let stats: Value = serde_json::from_slice(&gateway.get("/v1/stats").await.body).unwrap();
    assert!(stats["events"].as_u64().unwrap() >= 31, "{stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_from_the_gateway_or_from_the_files() {
    let folder = Folder::new("");
    let gateway = folder.serve();
    for id in ["a", "b"] {
        assert_eq!(send(&gateway, id).await, 202);
    }
    let admin = format!("http://{}", gateway.admin);
    let asked = folder.run(&["journal", "stats", "--admin", &admin, "--json"]);
    let stats: Value = serde_json::from_str(&asked.said).unwrap();
    assert_eq!((stats["events"].as_u64(), stats["open"].as_u64()), (Some(2), Some(0)), "{asked:?}");
    assert!(stats["oldest"].is_string() && stats["log_bytes"].as_u64() > Some(0), "{stats}");
    let beside = folder.run(&["journal", "stats", "--path", "data"]);
    assert!(beside.code == Some(0) && beside.said.contains("events                 2"), "{beside:?}");
    gateway.stop();
    let alone = folder.run(&["journal", "stats"]);
    assert!(
        alone.said.contains("no gateway was asked") && alone.said.contains("events                 2"),
        "{alone:?}"
    );
    let nothing = folder.run(&["journal", "stats", "--path", "elsewhere"]);
    assert!(nothing.code == Some(1) && nothing.said.contains("there is no journal at elsewhere"), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn space_is_given_back_by_the_gateway_and_without_one() {
    let folder = Folder::new("");
    let gateway = folder.serve();
    assert_eq!(send(&gateway, "a").await, 202);
    let admin = format!("http://{}", gateway.admin);
    let online = folder.run(&["journal", "vacuum", "--admin", &admin]);
    assert!(online.code == Some(0) && online.said.contains("are free in the file now"), "{online:?}");
    gateway.stop();
    // As after a deletion: pages that nothing is in.
    let file = rusqlite::Connection::open(folder.path("data/journal.db")).unwrap();
    file.execute_batch("CREATE TABLE wide (text); INSERT INTO wide VALUES (zeroblob(4000000)); DROP TABLE wide")
        .unwrap();
    drop(file);
    let size = || std::fs::metadata(folder.path("data/journal.db")).unwrap().len();
    assert!(size() > 4_000_000);
    let packed = folder.run(&["journal", "vacuum"]);
    assert!(packed.code == Some(0) && size() < 1_000_000, "{packed:?} {}", size());
    let mode = std::fs::metadata(folder.path("data/journal.db")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let checked = folder.run(&["journal", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let gateway = folder.serve();
    assert_eq!(send(&gateway, "a").await, 200, "it is all there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_what_is_damaged_and_counts_what_is_good() {
    let folder = Folder::new("");
    let gateway = folder.serve();
    for n in 0..200 {
        assert_eq!(send(&gateway, &format!("event-{n:03}")).await, 202);
    }
    let running = folder.run(&["journal", "check"]);
    assert_eq!(running.code, Some(0), "beside the running gateway: {running:?}");
    gateway.stop();
    let file = folder.path("data/journal.db");
    let whole = std::fs::read(&file).unwrap();
    let check = |bytes: &[u8]| -> (Option<i32>, Value) {
        std::fs::write(&file, bytes).unwrap();
        let checked = folder.run(&["journal", "check", "--json"]);
        (checked.code, serde_json::from_str(&checked.said).unwrap_or_else(|_| panic!("{checked:?}")))
    };

    let mut changed = whole.clone();
    let at = places(&whole, br#"{"id":"event-077","type""#)[0];
    changed[at + 10] ^= 1;
    let (code, found) = check(&changed);
    assert_eq!((code, &found["whole"]), (Some(1), &Value::Bool(false)));
    assert_eq!(found["problems"][0]["what"], "the bytes are not those that were recorded", "{found}");
    assert_eq!(
        (found["rows"]["requests"]["good"].as_u64(), found["rows"]["requests"]["bad"].as_u64()),
        (Some(199), Some(1))
    );

    // A page of rows becomes noise.
    let mut noise = whole.clone();
    let page = at / 4096 * 4096;
    noise[page..page + 4096].iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * 7) as u8);
    let (code, found) = check(&noise);
    assert_eq!(code, Some(1));
    let said = found["problems"].to_string();
    assert!(said.contains("cannot be read") || said.contains("malformed"), "{said}");
    let good = found["rows"]["requests"]["good"].as_u64().unwrap();
    assert!(good > 100 && good < 200, "what is on other pages is readable: {good}");

    let (code, found) = check(&whole[..whole.len() - 8192]);
    assert_eq!(code, Some(1), "{found}");
    std::fs::write(&file, &whole).unwrap();
    rusqlite::Connection::open(&file).unwrap().execute_batch("DELETE FROM requests WHERE id = 5").unwrap();
    let checked = folder.run(&["journal", "check"]);
    assert!(checked.said.contains("events 5: its request or its origin is not there"), "{checked:?}");
    rusqlite::Connection::open(&file).unwrap().execute_batch("DROP TABLE attempts").unwrap();
    let checked = folder.run(&["journal", "check"]);
    assert!(checked.said.contains("table attempts: is missing"), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_opens_what_is_encrypted_where_the_key_is_configured() {
    let key = format!("journal.key = {{ value = \"{}\" }}", "5a".repeat(32));
    let folder = Folder::new(&key);
    let gateway = folder.serve();
    assert_eq!(send(&gateway, "a").await, 202);
    gateway.stop();
    let opened = folder.run(&["journal", "check"]);
    assert!(opened.code == Some(0) && opened.said.contains("requests     1 good\n"), "{opened:?}");
    folder.reconfigure(&key, "");
    let closed = folder.run(&["journal", "check"]);
    let told = "requests     0 good, 1 sealed, not opened (no key)";
    assert!(closed.code == Some(0) && closed.said.contains(told), "{closed:?}");
}
