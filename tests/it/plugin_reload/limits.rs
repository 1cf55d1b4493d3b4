//! Where code runs, and within which bounds, changes with the configuration: the same build goes on, and nobody waits for it.

use std::collections::BTreeSet;

use super::senders::Senders;
use super::*;

/// The workers of a gateway, each with its bound of memory.
fn workers(gateway: &Process) -> BTreeSet<(u32, String)> {
    let numbers = fs::read_dir("/proc").expect("processes").flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let of_ours = |number: &u32| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
        let after = stat.rsplit(')').next().unwrap_or_default();
        after.split_whitespace().nth(1) == Some(&gateway.id().to_string())
    };
    let bound = |number: u32| {
        let limits = fs::read_to_string(format!("/proc/{number}/limits")).ok()?;
        let line = limits.lines().find(|line| line.starts_with("Max address space"))?;
        Some((number, line.split_whitespace().nth(3)?.to_owned()))
    };
    numbers.filter(of_ours).filter_map(bound).collect()
}

async fn are_workers(gateway: &Process, count: usize, memory: u64) {
    let is_so = async || {
        let workers = workers(gateway);
        workers.len() == count && workers.iter().all(|(_, bound)| *bound == memory.to_string())
    };
    crate::reload::until(&format!("{count} workers of {memory} bytes"), is_so).await;
}

/// What a reload of the configuration changed.
async fn taken_on(gateway: &Process) -> Vec<String> {
    let (status, answer) = post(gateway, "/v1/reload", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let changes = answer["changes"].as_array().expect("a list").iter();
    changes.map(|change| change["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_exchanged_for_others_with_the_new_bounds_and_no_request_fails() {
    let folder = folder();
    let gateway = folder.serve();
    are_workers(&gateway, 1, 512 << 20).await;
    let senders = Senders::begin(gateway.address, 2);
    let terms = "plugins.memory = \"600MiB\"\nplugins.workers = 3\nplugins.quarantine.faults = 5\nplugins.isolation";
    folder.reconfigure("plugins.isolation", terms);
    let (status, dry) = post(&gateway, "/v1/reload", &json!({ "dry_run": true })).await;
    assert!(status == 200 && dry["changes"].to_string().contains("\"graded\""), "{dry}");
    let changed = taken_on(&gateway).await;
    assert_eq!(changed, ["plugins.memory", "plugins.quarantine.faults", "plugins.workers", "graded"]);
    are_workers(&gateway, 3, 600 << 20).await;
    folder.reconfigure("plugins.workers = 3", "plugins.override.graded = { workers = 1, deadline = \"40s\" }");
    taken_on(&gateway).await;
    are_workers(&gateway, 1, 600 << 20).await;
    assert_eq!(taken_on(&gateway).await, [""; 0], "what is in force is no change");
    senders.go_on().await;
    senders.end().await;
    let undecoded = document(&gateway.get("/v1/events?state=undecoded&limit=1").await);
    assert_eq!(undecoded["events"], json!([]), "an event was lost on its decoder");
    assert_eq!(shown(&gateway).await["generation"], 1);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn code_moves_into_workers_and_out_of_them() {
    let folder = in_place("inline");
    let gateway = folder.serve();
    for (from, to, count) in [("inline", "worker", 1), ("worker", "inline", 0), ("inline", "auto", 1)] {
        assert_eq!(shown(&gateway).await["code"]["isolation"], from);
        folder.reconfigure(&format!("isolation = \"{from}\""), &format!("isolation = \"{to}\""));
        assert_eq!(taken_on(&gateway).await, ["plugins.isolation", "graded"]);
        serves(&gateway, to, "1.0.0").await;
        are_workers(&gateway, count, 512 << 20).await;
    }
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serves_moves_also_where_its_file_is_another() {
    let folder = folder();
    let gateway = folder.serve();
    put(&folder, &in_a_mood("2.0.0", "tense"));
    assert_eq!(reload(&gateway).await["refused"][0]["version"], "2.0.0");
    folder.reconfigure("plugins.isolation", "plugins.memory = \"600MiB\"\nplugins.isolation");
    taken_on(&gateway).await;
    are_workers(&gateway, 1, 600 << 20).await;
    serves(&gateway, "moved", "1.0.0").await;
    assert_eq!(shown(&gateway).await["on_disk"]["version"], "2.0.0");
    // Neither there nor kept: nobody can start it again, and the key that wants it is named.
    fs::remove_dir_all(folder.path("data/plugins")).expect("removed");
    folder.reconfigure("600MiB", "700MiB");
    let (status, answer) = post(&gateway, "/v1/reload", &json!({})).await;
    assert_eq!((status, &answer["errors"][0]["key"]), (422, &json!("plugins.memory")), "{answer}");
    let words = answer["errors"][0]["message"].as_str().expect("a message");
    assert!(words.contains("graded cannot follow") && words.contains("needs a restart"), "{words}");
    are_workers(&gateway, 1, 600 << 20).await;
    serves(&gateway, "stays", "1.0.0").await;
    assert_eq!(gateway.stop().code, Some(0));
}
