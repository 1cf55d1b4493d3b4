//! The same with the power: of what the process had written, only what it had synced is there, and of the rest what luck
//! left. The disk is rebuilt by the crash tests' model from what their shim wrote down, and the gateway starts on it.
//!
//! One round for every ten of `HOOKPORT_KILLS`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt;

use super::senders::Senders;
use super::world::World;
use super::{KILLS, SENDERS, embedded};
use crate::crash::model::{self, Operation, Unsynced, after_crash};
use crate::crash::shim;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_arrives_though_the_power_fails_again_and_again() {
    let kills = std::env::var("HOOKPORT_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let world = World::new().await;
    let folder = world.folder("");
    std::fs::create_dir(folder.path("data")).expect("a folder");
    let data = folder.path("data").canonicalize().expect("it is there");
    folder.reconfigure("server.listen", &format!("journal.path = {data:?}\nserver.listen"));
    let (shim, log) = (shim(&folder.path("")), folder.path("log"));
    let mut senders = Senders::new(SENDERS);
    for round in 0..kills.div_ceil(10) {
        let mut operations = as_it_is(&data);
        let _none_at_first = std::fs::remove_file(&log);
        let watched = [("LD_PRELOAD", &*shim), ("CRASH_FOLDER", &*data), ("CRASH_LOG", &*log)];
        let gateway = folder.serve_with(&watched);
        let sending = senders.start(gateway.address);
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..300))).await;
        gateway.kill();
        senders.join(sending).await;
        world.settled().await;
        operations.extend(model::read(&log));
        let unsynced = if round % 2 == 0 { Unsynced::Dropped } else { Unsynced::ByChance(rand::random()) };
        rebuild(&data, &operations, unsynced);
    }
    let judged = world.judge(vec![folder.serve()], senders, || embedded(&folder)).await;
    println!("{} power failures: {judged}", kills.div_ceil(10));
    assert!(judged.acknowledged > kills / 10, "that proves nothing");
    for (account, numbers) in &judged.ordered.order {
        // What was delivered and not synced may come again, but never before what was sent before it.
        let mut known = BTreeSet::new();
        let first: Vec<_> = numbers.iter().filter(|number| known.insert(**number)).collect();
        assert!(first.is_sorted(), "{account}: {numbers:?}");
    }
}

/// What a disk did that holds these files and nothing else.
fn as_it_is(folder: &Path) -> Vec<Operation> {
    let written = files(folder).zip(1..).flat_map(|(path, number)| {
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).expect("it can be read");
        [
            Operation::Create { file: file.clone() },
            Operation::Write { file: file.clone(), offset: 0, bytes },
            Operation::SyncBegin { file, number: u64::MAX - number },
            Operation::SyncEnd { number: u64::MAX - number },
        ]
    });
    let folder =
        [Operation::SyncBegin { file: String::new(), number: u64::MAX }, Operation::SyncEnd { number: u64::MAX }];
    written.chain(folder).collect()
}

/// The journal's files as they are when the power is back. The store of plugins beside them stays: nothing in it is believed.
fn rebuild(folder: &Path, operations: &[Operation], unsynced: Unsynced) {
    for file in files(folder) {
        std::fs::remove_file(file).expect("it is ours");
    }
    // The shared memory of SQLite is no file to it after a start.
    for (name, bytes) in after_crash(operations, operations.len(), unsynced) {
        if !name.ends_with("-shm") && !name.contains('/') {
            std::fs::write(folder.join(name), bytes).expect("it can be written");
        }
    }
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file())
}
