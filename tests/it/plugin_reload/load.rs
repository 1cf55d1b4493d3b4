//! Requests without pause while the plugin is exchanged again and again.

use super::senders::Senders;
use super::*;

const RELOADS: usize = 200;

/// Resident memory of a process, in KiB.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_reloads_under_load_fail_no_request_and_mix_no_generation() {
    let folder = in_place("inline");
    let builds: Vec<PathBuf> = (1..=3).map(|number| folder.path(&format!("builds/{number}.so"))).collect();
    fs::create_dir(folder.path("builds")).expect("a folder");
    for (number, build) in (1..).zip(&builds) {
        fs::write(build, version(&format!("{number}.0.0"))).expect("a build");
    }
    lead(&folder, &builds[0]);
    let gateway = folder.serve();
    let senders = Senders::begin(gateway.address, 3);
    let before = resident(gateway.id());
    for number in 1..=RELOADS {
        lead(&folder, &builds[number % 3]);
        let answer = reload(&gateway).await;
        assert_eq!(answer["changed"][0]["generation"], number + 1, "{answer}");
        assert_eq!(answer["changed"][0]["version"], format!("{}.0.0", number % 3 + 1), "{answer}");
        senders.go_on().await;
    }
    let sent = senders.end().await;
    let plugin = shown(&gateway).await;
    let loaded = &plugin["loaded"];
    assert_eq!(loaded["generations"], RELOADS + 1, "{plugin}");
    let bytes = loaded["bytes"].as_u64().expect("a number");
    let grown = resident(gateway.id()).saturating_sub(before);
    println!(
        "{RELOADS} reloads, {} requests: {} KiB of address space and {} KiB of memory a generation, of a file of {} KiB",
        sent,
        bytes / 1024 / (RELOADS as u64 + 1),
        grown / RELOADS as u64,
        bytes_of(&builds[0]) / 1024
    );
    let counts = each_is_of_one_build(&gateway, &builds).await;
    assert_eq!(counts.iter().sum::<usize>(), sent, "{counts:?}");
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0));
    assert!(ended.said.contains("restart the gateway when it suits"), "nobody was told of the memory");
}

fn bytes_of(file: &Path) -> u64 {
    fs::metadata(file).expect("a build").len()
}

/// How many events each version made; description, code and what was written down of each are of one build.
async fn each_is_of_one_build(gateway: &Process, builds: &[PathBuf]) -> [usize; 3] {
    let hashes: Vec<String> = builds.iter().map(|build| sha256(&fs::read(build).expect("a build"))).collect();
    let (mut counts, mut after) = ([0; 3], uuid::Uuid::nil().to_string());
    loop {
        let page = document(&gateway.get(&format!("/v1/events?after={after}&limit=1000")).await);
        let events = page["events"].as_array().expect("a list").clone();
        let Some(last) = events.last() else { return counts };
        after = last["event"]["id"].as_str().expect("an id").to_owned();
        for event in events.iter().map(|listed| &listed["event"]) {
            let version = event["providerversion"].as_str().expect("a version");
            assert_eq!(event["data"]["build"], format!("built as {version}"), "{event}");
            let number: usize = version[..1].parse().expect("a number");
            counts[number - 1] += 1;
            // Each of them would take as long as all the reloads.
            if counts.iter().sum::<usize>() % 40 == 0 {
                let id = event["id"].as_str().expect("an id");
                let plugin = document(&gateway.get(&format!("/v1/events/{id}")).await)["plugin"].clone();
                let generation = plugin["generation"].as_u64().expect("a generation");
                assert_eq!((generation - 1) % 3 + 1, number as u64, "{plugin}");
                assert_eq!((&plugin["version"], &plugin["sha256"]), (&json!(version), &json!(hashes[number - 1])));
            }
        }
    }
}
