//! Stored requests decoded again, after a description or a secret has changed.

use serde_json::{Value, json};

use super::stand::Stand;
use crate::tally::{SECRET, request_with};

/// The documents that a command printed, a line each.
fn lines(said: &str) -> Vec<Value> {
    said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

async fn send(stand: &Stand, body: &str) -> u16 {
    stand.gateway.ask(request_with("connection: close\r\n", body.as_bytes())).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_a_description_would_change_and_a_replay_changes_it() {
    let stand = Stand::new("").await;
    for (id, kind) in [("a", "counted"), ("b", "paid"), ("c", "counted")] {
        let body = format!(r#"{{"id":"{id}","type":"counted","kind":"{kind}","amount":10.00}}"#);
        assert_eq!(send(&stand, &body).await, 202);
    }
    stand.until(|| stand.list("deliveries", &["--state", "delivered"]).len() == 3).await;
    let dry = ["events", "replay", "--all", "--decode", "current", "--dry-run"];
    let same = stand.run(&dry);
    assert!(same.code == Some(0) && same.said.contains("3 the same, 0 changed, 0 failed"), "{same:?}");

    let stand = stand.redescribed(&[("type = \"json:/type\"", "type = \"json:/kind\"")]).await;
    let would = stand.run(&dry);
    assert_eq!(would.code, Some(1), "something would change");
    assert!(would.said.contains("2 the same, 1 changed, 0 failed"), "{would:?}");
    assert!(would.said.contains("  - type: tally.counted\n  + type: tally.paid\n"), "{would:?}");
    let told = lines(&stand.run(&[&dry[..], &["--json"]].concat()).said);
    assert_eq!(told[0]["differences"], json!([{ "at": "type", "old": "tally.counted", "new": "tally.paid" }]));
    assert_eq!(told[1]["decoded"], json!({ "same": 2, "changed": 1, "failed": 0 }), "{told:?}");
    let before = stand.list("events", &[]);
    assert!(stand.list("events", &["--type", "tally.paid"]).is_empty(), "nothing was done");

    let done = stand.run(&["events", "replay", "--all", "--decode", "current"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    stand.until(|| stand.got().len() == 6).await;
    let paid: Vec<_> = stand.got().split_off(3).into_iter().filter(|got| holds(&got.1, "tally.paid")).collect();
    assert_eq!(paid.len(), 1);
    let after = stand.list("events", &["--type", "tally.paid"]);
    assert_eq!(after[0]["event"]["id"], paid[0].0.as_str());
    let ids = |events: &[Value]| events.iter().map(|event| event["event"]["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&stand.list("events", &[])), ids(&before), "the same events");
    assert_eq!(stand.run(&dry).code, Some(0), "now they are the same");
    assert_eq!(send(&stand, r#"{"id":"b","type":"x","kind":"y"}"#).await, 200, "and known as before");
}

fn holds(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_decoded_is_decoded_by_the_description_of_now() {
    let stand = Stand::new("").await;
    assert_eq!(send(&stand, "plain text").await, 422, "authentic, and not what the provider sends");
    assert_eq!(stand.list("events", &["--state", "undecoded"]).len(), 1);
    let replay = ["events", "replay", "--state", "undecoded", "--decode", "current"];
    let early = stand.run(&replay);
    assert!(early.code == Some(1) && early.said.contains("it is not decoded now"), "{early:?}");
    let stand = stand.redescribed(&[("content = \"json\"", "content = \"raw\"")]).await;
    let done = stand.run(&replay);
    assert_eq!(done.code, Some(0), "{done:?}");
    stand.until(|| stand.got().len() == 1).await;
    assert!(stand.list("events", &["--state", "undecoded"]).is_empty());
    assert_eq!(stand.list("events", &["--state", "routed"]).len(), 1, "the same event, and no other");
    assert_eq!(stand.run(&replay).code, Some(1), "none is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_longer_verifies_is_said_and_left_alone() {
    let stand = Stand::new("").await;
    assert_eq!(stand.send("a").await, 202);
    stand.until(|| stand.got().len() == 1).await;
    let stand = stand.reconfigured(SECRET, "another one").await;
    let replayed = stand.run(&["events", "replay", "--all", "--decode", "current"]);
    assert!(replayed.code == Some(1) && replayed.said.contains("signature_mismatch"), "{replayed:?}");
    assert!(!replayed.said.contains("another one"), "{replayed:?}");
    let stored = stand.run(&["events", "replay", "--all"]);
    assert_eq!(stored.code, Some(0), "as it was decoded then it goes out: {stored:?}");
    stand.until(|| stand.got().len() == 2).await;
    assert_eq!(stand.got()[0], stand.got()[1]);
}
