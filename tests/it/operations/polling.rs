//! Polls: an event of each item that is new or changed, once, also over restarts, and nothing else.

use std::path::Path;
use std::time::Duration;

use hookport::clock::Clock;
use hookport::event::{Data, Event};
use hookport::journal::EventFilter;
use jiff::SignedDuration;
use rand::RngExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{gateway_at, source};
use crate::cases::gateway::Running;
use crate::cli::program::Folder;
use crate::server::Receiver;
use crate::szzkc_mock::Szzkc;

const A: &str = r#"{"IMEI":"352019040635785","ICCID":"89860423191970454839","Status":1,"Balance":8306.00}"#;
const A_STOPPED: &str = r#"{"IMEI":"352019040635785","ICCID":"89860423191970454839","Status":0,"Balance":8306.00}"#;
/// The same, written differently.
const A_AGAIN: &str =
    r#"{ "ICCID":"8986042319197045483\u0039", "IMEI":"352019040635785", "Balance":8306.00, "Status":1 }"#;
const B: &str = r#"{"IMEI":"352019040625281","ICCID":"89860423191970454000","Status":1}"#;
const B_STOPPED: &str = r#"{"IMEI":"352019040625281","ICCID":"89860423191970454000","Status":0}"#;

/// Kills of the gateway.
const ROUNDS: u64 = 8;
/// Long enough for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A platform, a destination, and the folder of a gateway that polls one for the other.
struct Polled {
    szzkc: Szzkc,
    receiver: Receiver,
    folder: TempDir,
    clock: Clock,
}

impl Polled {
    async fn new(items: &[&'static str]) -> Self {
        let (szzkc, receiver) = (Szzkc::start(items, Duration::ZERO).await, Receiver::start().await);
        Self { szzkc, receiver, folder: tempfile::tempdir().expect("a folder"), clock: Clock::default() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn start(&self, every: &str) -> Running {
        self.start_with(every, r#"input = { numbers = ["352019040635785", "352019040625281"] }"#).await
    }

    async fn start_with(&self, every: &str, input: &str) -> Running {
        let configuration = format!(
            "{}{}[[polls]]\nsource = \"fleet\"\noperation = \"query_sim_card_batch\"\nevery = \"{every}\"\n{input}\n\
             key = \"ICCID\"\n[destinations.crm]\nkind = \"http\"\nurl = \"http://{}/\"\nallow_private = true\n\
             [[routes]]\ntypes = [\"szzkc.*\"]\nto = [\"crm\"]\n",
            gateway_at(self.path()),
            source(&self.szzkc.base_url, true),
            self.receiver.server.address
        );
        Running::start_by(self.clock.clone(), self.path(), &configuration).await.expect("a gateway")
    }

    /// Waits until the platform was asked so often in all.
    async fn asked(&self, times: usize) {
        until(|| async { self.szzkc.calls().len() >= times }).await;
    }

    /// Waits for two more polls, of which the second began when the first was recorded.
    async fn twice_more(&self) {
        self.asked(self.szzkc.calls().len() + 3).await;
    }
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "it did not come about");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Oldest first.
async fn events(gateway: &Running) -> Vec<Event> {
    let mut events = gateway.journal.events(EventFilter::default()).await.expect("events");
    events.reverse();
    events
}

async fn until_events(gateway: &Running, count: usize) -> Vec<Event> {
    until(|| async { events(gateway).await.len() >= count }).await;
    let events = events(gateway).await;
    assert_eq!(events.len(), count, "{events:?}");
    events
}

fn data(event: &Event) -> &str {
    let Data::Json(data) = &event.data else { panic!("{event:?}") };
    std::str::from_utf8(data).expect("text")
}

#[tokio::test]
async fn an_item_that_is_new_or_changed_becomes_an_event_that_is_delivered() {
    let polled = Polled::new(&[A, B]).await;
    let gateway = polled.start("200ms").await;
    let new = until_events(&gateway, 2).await;
    assert_eq!(new.iter().map(data).collect::<Vec<_>>(), [A, B]);
    assert_eq!(
        (new[0].kind.as_str(), new[0].subject.as_deref()),
        ("szzkc.SimCardChanged", Some("89860423191970454839"))
    );

    polled.twice_more().await;
    polled.szzkc.know(&[A_STOPPED, B]);
    let changed = until_events(&gateway, 3).await;
    assert_eq!(data(&changed[2]), A_STOPPED);
    // What it was before is a change, too.
    polled.szzkc.know(&[A, B]);
    until_events(&gateway, 4).await;
    polled.szzkc.know(&[A_STOPPED, B]);
    until_events(&gateway, 5).await;
    polled.szzkc.know(&[A, B]);
    until_events(&gateway, 6).await;
    polled.szzkc.know(&[A_AGAIN, B]);
    polled.twice_more().await;
    until_events(&gateway, 6).await;

    until(|| async { polled.receiver.received().len() >= 6 }).await;
    let received = polled.receiver.received();
    assert_eq!(received.len(), 6);
    assert!(received.iter().any(|event| event.contains(A)), "numbers stay as received: {received:?}");
    let event: Value = serde_json::from_str(&received[0]).expect("a cloudevent");
    assert_eq!((&event["type"], &event["source"]), (&"szzkc.SimCardChanged".into(), &"/sources/fleet".into()));

    // What is kept as the request is what the platform said of the changed items.
    let detail = gateway.journal.event(new[1].id).await.expect("an answer").expect("an event");
    assert_eq!(detail.request.body, format!("[{A},{B}]"));
    assert_eq!(detail.request.target, "/v1/sources/fleet/operations/query_sim_card_batch");
    gateway.stop().await;
}

#[tokio::test]
async fn a_missing_item_and_a_failed_poll_are_no_changes() {
    let polled = Polled::new(&[A, B]).await;
    let gateway = polled.start("200ms").await;
    until_events(&gateway, 2).await;
    polled.szzkc.know(&[A]);
    polled.twice_more().await;
    polled.szzkc.know(&[]);
    polled.twice_more().await;
    polled.szzkc.know(&[A, B_STOPPED]);
    let events = until_events(&gateway, 3).await;
    assert_eq!(data(&events[2]), B_STOPPED);
    gateway.stop().await;
}

#[tokio::test]
async fn a_restart_repeats_nothing_and_sees_what_changed_meanwhile() {
    let polled = Polled::new(&[A, B]).await;
    let gateway = polled.start("200ms").await;
    until_events(&gateway, 2).await;
    gateway.stop().await;

    let gateway = polled.start("200ms").await;
    polled.twice_more().await;
    until_events(&gateway, 2).await;
    gateway.stop().await;

    polled.szzkc.know(&[A_STOPPED, B]);
    let gateway = polled.start("200ms").await;
    let events = until_events(&gateway, 3).await;
    assert_eq!(data(&events[2]), A_STOPPED);
    gateway.stop().await;
}

#[tokio::test]
async fn the_first_poll_after_a_start_waits_for_its_time() {
    let polled = Polled::new(&[A]).await;
    let gateway = polled.start("1h").await;
    until_events(&gateway, 1).await;
    gateway.stop().await;
    // Half an hour later it is too early; had it polled, there would be one call more at the end.
    polled.clock.advance(SignedDuration::from_mins(30));
    let gateway = polled.start("1h").await;
    sleep(Duration::from_millis(300)).await;
    gateway.stop().await;
    polled.clock.advance(SignedDuration::from_mins(31));
    polled.szzkc.know(&[A_STOPPED]);
    let gateway = polled.start("1h").await;
    until_events(&gateway, 2).await;
    gateway.stop().await;
    assert_eq!(polled.szzkc.calls().len(), 2);
}

#[tokio::test]
async fn the_input_file_is_read_at_every_poll_and_may_be_away() {
    let polled = Polled::new(&[A, B]).await;
    let file = polled.path().join("fleet.json");
    let write = |text: &str| std::fs::write(&file, text).expect("it can be written");
    write(r#"{"numbers":["352019040635785"]}"#);
    let gateway = polled.start_with("200ms", &format!("input_file = \"{}\"", file.display())).await;
    until_events(&gateway, 1).await;
    std::fs::remove_file(&file).expect("it was there");
    sleep(Duration::from_millis(500)).await;
    write(r#"{"numbers":["352019040625281"]}"#);
    let events = until_events(&gateway, 2).await;
    assert_eq!(data(&events[1]), B);
    gateway.stop().await;
}

#[tokio::test]
async fn an_unreachable_platform_stops_neither_the_gateway_nor_the_poll() {
    let mut polled = Polled::new(&[A]).await;
    let base_url = std::mem::replace(&mut polled.szzkc.base_url, "http://127.0.0.1:1".to_owned());
    let gateway = polled.start("200ms").await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(events(&gateway).await.len(), 0);
    gateway.stop().await;
    polled.szzkc.base_url = base_url;
    let gateway = polled.start("200ms").await;
    until_events(&gateway, 1).await;
    gateway.stop().await;
}

/// The versions of one item that became events, oldest first.
fn versions(folder: &Folder, admin: &str) -> Vec<u64> {
    let run = folder.run(&["events", "list", "--limit", "1000", "--json", "--admin", admin]);
    let page: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    let events = page["events"].as_array().expect("a list").iter().rev();
    events.map(|event| event["event"]["data"]["Version"].as_u64().expect("a version")).collect()
}

/// Each version of an item lives through kills at random instants, until there is an event of it.
fn kill_again_and_again(szzkc: &Szzkc, folder: &Folder) -> Vec<u64> {
    for version in 1..=ROUNDS {
        let item = format!(r#"{{"IMEI":"352019040635785","ICCID":"8986","Version":{version}}}"#);
        szzkc.know(&[Box::leak(item.into_boxed_str())]);
        let gateway = folder.serve();
        std::thread::sleep(Duration::from_millis(rand::rng().random_range(0..40)));
        // Dropped, it is killed.
        drop(gateway);
        let gateway = folder.serve();
        folder.until(|| versions(folder, &gateway.admin()).contains(&version));
    }
    let gateway = folder.serve();
    let polls = szzkc.calls().len() + 3;
    folder.until(|| szzkc.calls().len() >= polls);
    versions(folder, &gateway.admin())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_a_poll_and_its_events_neither_loses_nor_doubles_one() {
    let szzkc = Szzkc::start(&[], Duration::ZERO).await;
    let folder = super::folder(&szzkc.base_url);
    folder.append(
        "hookport.toml",
        "[[polls]]\nsource = \"fleet\"\noperation = \"query_sim_card_batch\"\nevery = \"30ms\"\n\
         input = { numbers = [\"352019040635785\"] }\nkey = \"ICCID\"\n",
    );
    let killed = tokio::task::spawn_blocking(move || kill_again_and_again(&szzkc, &folder));
    assert_eq!(killed.await.expect("it holds"), (1..=ROUNDS).collect::<Vec<_>>());
}
