//! Stored events, failed deliveries and refused requests, used again by an operator: whole gateways, asked by commands.

mod decoded;
mod released;
mod stand;

use serde_json::json;

use self::stand::Stand;

#[tokio::test(flavor = "multi_thread")]
async fn failed_deliveries_are_tried_again_by_why_they_failed() {
    let stand = Stand::new("retry = { attempts = 1 }").await;
    stand.answer(503);
    for n in 0..12 {
        stand.send(&format!("n{n}")).await;
    }
    stand.until(|| stand.list("deliveries", &["--state", "exhausted"]).len() == 12).await;
    let would = stand.run(&["deliveries", "retry", "--reason", "503", "--dry-run", "--json"]);
    assert_eq!(would.document(), json!({ "retried": 0, "would_be_retried": 12 }));
    assert_eq!(stand.run(&["deliveries", "retry", "--reason", "refused"]).code, Some(1), "nothing failed so");
    let delivered = stand.run(&["deliveries", "retry", "--state", "delivered"]);
    assert!(delivered.code == Some(1) && delivered.said.contains("only exhausted"), "{delivered:?}");
    stand.answer(200);
    let before = stand.got().len();
    // The repeat of an event is known; that holds no retry back.
    assert_eq!(stand.send("n0").await, 200, "a duplicate");
    let retried = stand.run(&["deliveries", "retry", "--reason", "503", "--json"]);
    assert_eq!(retried.document(), json!({ "retried": 12 }));
    stand.until(|| stand.got().len() == before + 12).await;
    stand.until(|| stand.list("deliveries", &["--state", "delivered"]).len() == 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_retry_of_what_was_cancelled_and_what_failed_keeps_their_order() {
    let stand = Stand::new("order_by = \"event.type\"\nretry = { attempts = 1 }").await;
    stand.answer(503);
    assert_eq!(stand.run(&["destinations", "pause", "crm"]).code, Some(0));
    for id in ["first", "second"] {
        stand.send(id).await;
    }
    let first = stand.list("deliveries", &["--state", "pending"])[0]["id"].to_string();
    assert_eq!(stand.run(&["deliveries", "cancel", &first]).code, Some(0));
    assert_eq!(stand.run(&["destinations", "resume", "crm"]).code, Some(0));
    stand.until(|| stand.list("deliveries", &["--state", "exhausted"]).len() == 1).await;
    stand.answer(200);
    let before = stand.got().len();
    let retried = stand.run(&["deliveries", "retry", "--destination", "crm", "--json"]);
    assert_eq!(retried.document(), json!({ "retried": 2 }));
    stand.until(|| stand.got().len() == before + 2).await;
    let arrived = stand.got().split_off(before);
    for (id, (_, body)) in ["first", "second"].into_iter().zip(arrived) {
        assert!(String::from_utf8_lossy(&body).contains(id), "{id} is not at its place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_wait_are_hurried_when_it_is_asked_for() {
    let stand = Stand::new("retry = { attempts = 5, first = \"1h\", max = \"1h\" }").await;
    stand.answer(500);
    stand.send("a").await;
    stand.until(|| stand.list("deliveries", &["--state", "retrying"]).len() == 1).await;
    assert_eq!(stand.run(&["deliveries", "retry", "--all"]).code, Some(1), "it has not failed for good");
    stand.answer(200);
    assert_eq!(stand.run(&["deliveries", "retry", "--state", "retrying"]).code, Some(0));
    stand.until(|| stand.list("deliveries", &["--state", "delivered"]).len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_events_go_out_again_with_the_same_bytes_and_ids() {
    let stand = Stand::new("format = \"raw\"").await;
    // More than a batch.
    for n in 0..230 {
        stand.send(&format!("n{n}")).await;
    }
    stand.until(|| stand.got().len() == 230).await;
    stand.until(|| stand.list("deliveries", &["--state", "delivered", "--limit", "1000"]).len() == 230).await;
    let mut first = stand.got();
    let would = stand.run(&["events", "replay", "--type", "tally.*", "--dry-run", "--json"]).document();
    assert_eq!((&would["looked_at"], &would["done"]["deliveries"]), (&json!(230), &json!(230)), "{would}");
    assert_eq!(stand.got().len(), 230, "nothing was done");
    let done = stand.run(&["events", "replay", "--all", "--json"]).document();
    assert_eq!(done["done"]["deliveries"], 230, "{done}");
    stand.until(|| stand.got().len() == 460).await;
    let mut again = stand.got().split_off(230);
    first.sort();
    again.sort();
    assert_eq!(first, again, "webhook-id and body");
    let shown = stand.run(&["deliveries", "list", "--limit", "1", "--json"]).document();
    assert!(shown["deliveries"][0]["replay"].is_string(), "{shown}");
    assert_eq!(stand.run(&["events", "replay"]).code, Some(2), "which ones must be said");
    let nobody = stand.run(&["events", "replay", "--all", "--to", "cmr"]);
    assert!(nobody.code == Some(1) && nobody.said.contains("there are: crm"), "{nobody:?}");
    assert_eq!(stand.run(&["events", "replay", "--type", "other.*"]).code, Some(1), "there is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_no_route_wanted_goes_where_the_routes_of_now_say() {
    let stand = Stand::new("").await.reconfigured("to = [\"crm\"]", "types = [\"other.*\"]\nto = [\"crm\"]").await;
    stand.send("a").await;
    assert_eq!(stand.list("events", &["--state", "unrouted"]).len(), 1);
    let stand = stand.reconfigured("types = [\"other.*\"]\nto = [\"crm\"]", "to = [\"crm\"]").await;
    let replayed = stand.run(&["events", "replay", "--state", "unrouted"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    stand.until(|| stand.got().len() == 1).await;
    assert_eq!(stand.list("events", &["--state", "unrouted"]).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_of_a_reloaded_configuration_can_be_named() {
    let stand = Stand::new("").await;
    stand.send("a").await;
    let to_new = ["events", "replay", "--all", "--to", "new", "--dry-run"];
    assert_eq!(stand.run(&to_new).code, Some(1), "it is not there");
    stand.folder.reconfigure(
        "[destinations.crm]",
        "[destinations.new]\nkind = \"file\"\npath = \"new.jsonl\"\n\n[destinations.crm]",
    );
    stand.gateway.signal("HUP");
    stand.until(|| stand.run(&to_new).code == Some(0)).await;
}
