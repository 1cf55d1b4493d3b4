//! The same with several hosts on one PostgreSQL, to which senders go as they like: everything arrives once, and in order.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookport::clock::Clock;
use hookport::journal::Journal;
use hookport::journal::postgres::{self, Options};

use super::SENDERS;
use super::senders::Senders;
use super::world::{Judged, Nowhere, World};
use crate::postgres::cluster::{Cluster, Place};
use crate::process::{Folder, Process};

/// Hosts and their server.
struct Hosts {
    cluster: Cluster,
    place: Place,
    folders: Vec<Folder>,
    running: Vec<Option<Process>>,
    /// Where the living ones listen.
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Hosts {
    fn start(world: &World, count: usize, lease: &str) -> Self {
        let cluster = Cluster::new();
        let place = cluster.place();
        let Place { url, schema } = &place;
        let journal = format!(
            "journal = {{ engine = \"postgres\", url = {{ value = \"{url}\" }}, schema = \"{schema}\", lease = \"{lease}\" }}"
        );
        let folders: Vec<_> = (0..count).map(|_| world.folder(&journal)).collect();
        let mut hosts =
            Self { cluster, place, folders, running: (0..count).map(|_| None).collect(), addresses: Arc::default() };
        (0..count).for_each(|host| hosts.serve(host));
        hosts
    }

    fn serve(&mut self, host: usize) {
        self.running[host] = Some(self.folders[host].serve());
        self.tell();
    }

    /// The senders learn who lives.
    fn tell(&self) {
        *self.addresses.lock().expect("no panic") = self.running.iter().flatten().map(|host| host.address).collect();
    }

    async fn judge(self, world: &World, senders: Senders) -> Judged {
        let Self { cluster, place, running, .. } = self;
        let judged = world.judge(running.into_iter().flatten().collect(), senders, || opened(&place)).await;
        drop(cluster);
        judged
    }
}

fn opened(place: &Place) -> Arc<dyn Journal> {
    postgres::open(Options::new(&*place.url, &*place.schema, Clock::default(), Arc::new(Nowhere))).expect("a journal")
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_live_deliver_nothing_twice() {
    let world = World::kind().await;
    let hosts = Hosts::start(&world, 4, "60s");
    let (mut senders, stop) = (Senders::new(SENDERS), Arc::new(AtomicBool::new(false)));
    let sending = senders.roam(&hosts.addresses, &stop);
    let begun = Instant::now();
    while world.ordered.count() < 1_000 {
        assert!(begun.elapsed() < crate::process::PATIENCE, "{} came", world.ordered.count());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    senders.join(sending).await;
    let judged = hosts.judge(&world, senders).await;
    for came in [&judged.ordered, &judged.raw] {
        assert_eq!((came.count, came.refused), (judged.acknowledged, 0));
    }
    assert!(judged.ordered.order.values().all(|numbers| numbers.is_sorted()));
}
