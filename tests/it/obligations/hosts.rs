//! The same with several hosts on one PostgreSQL: hosts and the server itself are killed at random instants, and the others
//! go on. Without a crash nothing is delivered twice.
//!
//! One round for every ten of `HOOKPORT_KILLS`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hookport::clock::Clock;
use hookport::journal::Journal;
use hookport::journal::postgres::{self, Options};
use rand::RngExt;

use super::senders::Senders;
use super::world::{Judged, Nowhere, World};
use super::{KILLS, SENDERS};
use crate::postgres::cluster::{Cluster, Place};
use crate::process::{Folder, Process};

/// A dead host's deliveries are taken over after so long.
const LEASE: &str = "5s";

/// Hosts, of which some may be dead for the moment.
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

    fn kill(&mut self, host: usize) {
        let killed = self.running[host].take();
        self.tell();
        killed.expect("it runs").kill();
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

/// Kills what chance says, and starts it again after a while.
async fn rounds(hosts: &mut Hosts, rounds: usize) -> (usize, usize) {
    let (mut host_kills, mut server_kills) = (0, 0);
    let chance = |to: u64| Duration::from_millis(rand::rng().random_range(0..to));
    for _ in 0..rounds {
        tokio::time::sleep(chance(400)).await;
        let victim = rand::rng().random_range(0..=hosts.folders.len());
        if victim == hosts.folders.len() {
            hosts.cluster.kill();
            tokio::time::sleep(chance(200)).await;
            hosts.cluster.start(None);
            server_kills += 1;
        } else {
            hosts.kill(victim);
            tokio::time::sleep(chance(400)).await;
            hosts.serve(victim);
            host_kills += 1;
        }
    }
    (host_kills, server_kills)
}

async fn killed(count: usize) {
    let kills = std::env::var("HOOKPORT_KILLS").map_or(KILLS, |text| text.parse().expect("a number"));
    let world = World::new().await;
    let mut hosts = Hosts::start(&world, count, LEASE);
    let (mut senders, stop) = (Senders::new(SENDERS), Arc::new(AtomicBool::new(false)));
    let sending = senders.roam(&hosts.addresses, &stop);
    let (host_kills, server_kills) = rounds(&mut hosts, kills.div_ceil(10)).await;
    stop.store(true, Ordering::Relaxed);
    senders.join(sending).await;
    let judged = hosts.judge(&world, senders).await;
    println!("{count} hosts, {host_kills} kills of a host, {server_kills} of the server: {judged}");
    assert!(judged.acknowledged > kills, "that proves nothing");
    for (account, numbers) in &judged.ordered.order {
        // What was delivered and not settled may come again, but never before what was sent before it.
        let mut known = std::collections::BTreeSet::new();
        let first: Vec<_> = numbers.iter().filter(|number| known.insert(**number)).collect();
        assert!(first.is_sorted(), "{account}: {numbers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_hosts_everything_acknowledged_arrives_though_hosts_and_server_are_killed() {
    killed(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_four_hosts_everything_acknowledged_arrives_though_hosts_and_server_are_killed() {
    killed(4).await;
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
