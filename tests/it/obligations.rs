//! What the gateway owes: it is killed at random instants under load, with destinations that fail, stall and take without
//! saying so, again and again. What was acknowledged arrives, with the same bytes, and in order by account.
//!
//! `HOOKPORT_KILLS=1000` makes the long run of it; what was counted is printed (`-- obligations --nocapture`).

mod hosts;
mod ledger;
mod power;
mod receiver;
mod senders;
mod world;

use std::sync::Arc;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::journal::Journal;
use hookport::journal::sqlite::{self, Options};
use rand::RngExt;

use self::senders::Senders;
use self::world::{Nowhere, World};
use crate::process::Folder;

const KILLS: usize = 100;
const SENDERS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_event_arrives_whole_and_in_order_however_often_the_process_is_killed() {
    let kills = std::env::var("HOOKPORT_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let world = World::new().await;
    let folder = world.folder("");
    let mut senders = Senders::new(SENDERS);
    for round in 0..kills {
        let after = Duration::from_millis(rand::rng().random_range(0..200));
        if round % 5 == 4 {
            // Also while it starts and reads what the last kill left.
            folder.serve_in_vain(Some(after / 4));
            world.settled().await;
        }
        let gateway = folder.serve();
        let sending = senders.start(gateway.address);
        tokio::time::sleep(after).await;
        gateway.kill();
        senders.join(sending).await;
        world.settled().await;
    }
    let judged = world.judge(vec![folder.serve()], senders, || embedded(&folder)).await;
    println!("{kills} kills: {judged}");
    assert!(judged.acknowledged > kills, "that proves nothing");
    for came in [&judged.ordered, &judged.raw] {
        assert!(came.refused > 0 && came.count > came.bodies.len(), "nothing failed and nothing came twice");
    }
    for (account, numbers) in &judged.ordered.order {
        assert!(numbers.is_sorted(), "{account}: {numbers:?}");
    }
}

/// The journal that a gateway left in its folder.
fn embedded(folder: &Folder) -> Arc<dyn Journal> {
    sqlite::open(Options::new(folder.path("data"), Clock::default(), Arc::new(Nowhere))).expect("a journal")
}
