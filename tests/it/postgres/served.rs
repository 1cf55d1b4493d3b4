//! Gateways as processes, on one schema: what one acknowledged arrives whoever is killed, and what they say where they cannot start.

use std::time::{Duration, Instant};

use super::cluster::{Cluster, Place};
use crate::process::{Folder, PATIENCE};
use crate::tally::{body, request_with};

fn configured(place: &Place) -> Folder {
    Folder::new(&format!(
        "[journal]\nengine = \"postgres\"\nurl = {{ env = \"JOURNAL_URL\" }}\nschema = \"{}\"\nlease = \"5s\"\n\
         [destinations.log]\nkind = \"file\"\npath = \"events.log\"\n[[routes]]\nto = [\"log\"]\n",
        place.schema
    ))
}

fn once(id: &str) -> Vec<u8> {
    request_with("connection: close\r\n", &body(id))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_acknowledged_before_it_was_killed_is_delivered_by_another() {
    let place = Cluster::shared().place();
    let environment = [("JOURNAL_URL", &place.url)];
    let folders = [0, 1].map(|_| configured(&place));
    let first = folders[0].serve_with(&environment);
    let second = folders[1].serve_with(&environment);
    for n in 0..40 {
        let gateway = if n % 2 == 0 { &first } else { &second };
        assert_eq!(gateway.ask(once(&n.to_string())).await.status, 202, "{n}");
        let other = if n % 2 == 0 { &second } else { &first };
        assert_eq!(other.ask(once(&n.to_string())).await.status, 200, "{n} is known there, too");
    }
    first.kill();
    for n in 40..50 {
        assert_eq!(second.ask(once(&n.to_string())).await.status, 202, "{n}");
    }
    let begun = Instant::now();
    loop {
        let text =
            folders.each_ref().map(|folder| std::fs::read_to_string(folder.path("events.log")).unwrap_or_default());
        let text = text.concat();
        let arrived = |n: i32| text.contains(&format!("\"{n}\""));
        if (0..50).all(arrived) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "not everything arrives: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = second.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.said.contains("of-the-tests-only"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_its_server_says_so_and_ends() {
    let folder = configured(&Cluster::shared().place());
    let ended = folder.run(&["check"]);
    assert!(ended.code != Some(0) && ended.said.contains("JOURNAL_URL is not set"), "{ended:?}");
    let url = "postgres://somebody:hunter2@127.0.0.1:1/events";
    folder.reconfigure("{ env = \"JOURNAL_URL\" }", &format!("{{ value = \"{url}\" }}"));
    let ended = folder.serve_in_vain(None);
    assert!(ended.code != Some(0) && ended.said.contains("127.0.0.1:1/events"), "{ended:?}");
    assert!(!ended.said.contains("hunter2"), "{ended:?}");
    let backup = folder.run(&["journal", "backup", "copy.db"]);
    assert!(backup.code != Some(0) && backup.said.contains("pg_dump"), "{backup:?}");
}
