//! Several hosts share a journal: what is paused on one is paused on all, and a poll runs once in an interval.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookport::clock::Clock;
use hookport::journal::Journal;
use hookport::journal::postgres::open;
use serde_json::Value;

use super::cluster::{Cluster, Place};
use super::options;
use crate::journal_contract::{noon, seconds};
use crate::process::{Folder, PATIENCE, Process};
use crate::server::Receiver;
use crate::tally::{body, request_with};

const EVERY: Duration = Duration::from_secs(600);

fn host(place: &Place, clock: &Clock) -> Arc<dyn Journal> {
    open(options(place, clock)).unwrap()
}

/// Which of them may run it now.
async fn whose(hosts: &[Arc<dyn Journal>]) -> Vec<usize> {
    let asked: Vec<_> = hosts.iter().map(|host| host.poll("fleet", EVERY)).collect();
    let mut turns = Vec::new();
    for (number, asked) in asked.into_iter().enumerate() {
        match asked.await.unwrap() {
            None => turns.push(number),
            Some(later) => assert!(!later.is_zero() && later <= EVERY, "{later:?}"),
        }
    }
    turns
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_is_one_hosts_in_each_interval_also_when_others_start_or_die() {
    let (clock, place) = (Clock::standing_at(noon()), Cluster::shared().place());
    let mut hosts = vec![host(&place, &clock), host(&place, &clock)];
    let first = whose(&hosts).await;
    assert_eq!(first.len(), 1, "one of them");
    hosts.push(host(&place, &clock));
    assert!(whose(&hosts[2..]).await.is_empty(), "it ran when this one started");
    hosts[first[0]].polled("fleet").await.unwrap();
    clock.advance(seconds(599));
    assert!(whose(&hosts).await.is_empty(), "the interval is not over");
    clock.advance(seconds(1));
    let second = whose(&hosts).await;
    assert_eq!(second.len(), 1, "{second:?}");
    clock.advance(seconds(600));
    let others: Vec<_> = (0..3).filter(|host| *host != second[0]).map(|host| hosts[host].clone()).collect();
    assert!(whose(&others).await.is_empty(), "it is still at it");
    hosts[second[0]].polled("fleet").await.unwrap();
    hosts[second[0]].close().await.unwrap();
    assert_eq!(whose(&others).await.len(), 1, "the others go on");
    for host in others {
        host.close().await.unwrap();
    }
}

fn destination(folder: &Folder, gateway: &Process) -> Value {
    let said = operate(folder, gateway, &["destinations", "list", "--json"]);
    let page: Value = serde_json::from_str(&said).expect("JSON");
    page["destinations"][0].clone()
}

fn operate(folder: &Folder, gateway: &Process, arguments: &[&str]) -> String {
    let admin = format!("http://{}", gateway.admin);
    let ended = folder.run(&[arguments, &["--admin", &admin]].concat());
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.said
}

async fn until(what: &str, mut is_true: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_true().await {
        assert!(Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_paused_on_one_host_is_paused_on_all_until_any_resumes_it() {
    let (receiver, place) = (Receiver::start().await, Cluster::shared().place());
    let configuration = format!(
        "journal = {{ engine = \"postgres\", url = {{ value = \"{}\" }}, schema = \"{}\" }}\n[destinations.crm]\n\
         kind = \"http\"\nallow_private = true\nurl = \"http://{}/\"\n[[routes]]\nto = [\"crm\"]\n",
        place.url, place.schema, receiver.server.address
    );
    let folders = [Folder::new(&configuration), Folder::new(&configuration)];
    let gateways = folders.each_ref().map(Folder::serve);
    let once = |id: &str| request_with("connection: close\r\n", &body(id));
    operate(&folders[0], &gateways[0], &["destinations", "pause", "crm"]);
    until("the other host is paused, too", async || destination(&folders[1], &gateways[1])["paused"].is_string()).await;
    for (gateway, id) in gateways.iter().zip(["a", "b"]) {
        assert_eq!(gateway.ask(once(id)).await.status, 202, "what comes is kept");
    }
    assert!(receiver.received().is_empty());
    operate(&folders[1], &gateways[1], &["destinations", "resume", "crm"]);
    until("both are delivered", async || receiver.received().len() == 2).await;
    until("the first host goes on, too", async || destination(&folders[0], &gateways[0])["paused"].is_null()).await;

    operate(&folders[1], &gateways[1], &["sources", "pause", "tally"]);
    until("the first host refuses it", async || gateways[0].ask(once("c")).await.status == 503).await;
    operate(&folders[0], &gateways[0], &["sources", "resume", "tally"]);
    until("the second host takes it again", async || gateways[1].ask(once("d")).await.status == 202).await;
}
