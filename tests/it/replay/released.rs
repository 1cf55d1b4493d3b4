//! Refused requests become events once what was wrong is mended.

use serde_json::{Value, json};

use super::stand::Stand;
use crate::tally::{SECRET, body, signature};

/// A sender whose time is signed, and whose card numbers nobody may see.
const DATED: &str = r#"
redact = ["/card"]

[provider]
id = "dated"
name = "Dated"
version = "1.0.0"
content = "json"

[route]
path = "/dated"

[secrets.main]
about = "the account's key"

[[verify]]
from = "header:x-signature"
alg = "hmac-sha256"
encoding = "hex"
message = "${header:x-time}.${body}"

[timestamp]
from = "header:x-time"
format = "unix_s"
tolerance_s = 300

[event]
type = "json:/type"
id = "json:/id"
"#;

fn dated(id: &str, time: &str, forged: bool) -> Vec<u8> {
    let body = format!(r#"{{"id":"{id}","type":"paid","card":"4111111111111111"}}"#);
    let signed = signature(format!("{time}.{body}{}", if forged { "x" } else { "" }).as_bytes());
    let length = body.len();
    format!(
        "POST /dated HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-time: {time}\r\nx-signature: {signed}\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn with_dated() -> Stand {
    let stand = Stand::new("").await;
    stand.folder.write("plugins/dated/provider.toml", DATED);
    let source = format!("sources.dated = {{ provider = \"dated\", secrets.main = {{ value = \"{SECRET}\" }} }}\n");
    stand.reconfigured("sources.tally", &format!("{source}sources.tally")).await
}

fn whys(document: &Value) -> String {
    document["rejections"].as_array().expect("a list").iter().map(|one| one["why"].to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_secret_is_mended_what_was_refused_becomes_events_each_once() {
    let stand = Stand::new("").await.reconfigured(SECRET, "a wrong one").await;
    for n in 0..20 {
        assert_eq!(stand.send(&format!("n{n}")).await, 403);
    }
    // A provider comes again; both were refused.
    assert_eq!(stand.send("n0").await, 403);
    stand.until(|| stand.list("rejections", &[]).len() == 21).await;
    let id = stand.list("rejections", &[])[0]["id"].to_string();
    let shown = stand.run(&["rejections", "show", &id]);
    assert!(shown.said.contains("diagnosis: ") && !shown.said.contains("a wrong one"), "{shown:?}");
    let early = stand.run(&["rejections", "release", "--source", "tally"]);
    assert!(early.code == Some(1) && early.said.contains("signature_mismatch"), "{early:?}");

    let stand = stand.reconfigured("a wrong one", SECRET).await;
    let would = stand.run(&["rejections", "release", "--source", "tally", "--dry-run", "--json"]);
    assert_eq!(would.document()["released"], 21, "{would:?}");
    assert!(stand.got().is_empty());
    let released = stand.run(&["rejections", "release", "--source", "tally", "--json"]).document();
    assert_eq!((&released["released"], &released["duplicates"]), (&json!(20), &json!(1)), "{released}");
    stand.until(|| stand.got().len() == 20).await;
    stand.until(|| stand.list("deliveries", &["--state", "delivered"]).len() == 20).await;
    let mut bodies: Vec<_> = stand.got().into_iter().map(|got| got.1).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 20, "each once");
    assert_eq!(stand.send("n7").await, 200, "known from now on");
    assert_eq!(stand.run(&["rejections", "release", "--all"]).code, Some(1), "nothing is left");
    assert_eq!(stand.run(&["rejections", "release"]).code, Some(2), "which ones must be said");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_to_no_source_goes_to_the_one_that_has_its_path_now() {
    let stand = Stand::new("").await;
    let elsewhere = |body: &[u8]| {
        let head = format!(
            "POST /elsewhere HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\n\
             x-signature: {}\r\ncontent-length: {}\r\n\r\n",
            signature(body),
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    assert_eq!(stand.gateway.ask(elsewhere(&body("lost"))).await.status, 404);
    let long = format!(r#"{{"id":"long","type":"counted","text":"{}"}}"#, "x".repeat(80_000));
    assert_eq!(stand.gateway.ask(elsewhere(long.as_bytes())).await.status, 404);
    stand.until(|| stand.list("rejections", &["--reason", "unknown_path"]).len() == 2).await;
    let stand = stand.reconfigured("provider = \"tally\"", "path = \"/elsewhere\", provider = \"tally\"").await;
    let released = stand.run(&["rejections", "release", "--reason", "unknown_path", "--json"]).document();
    assert_eq!(released["released"], 1, "{released}");
    assert!(whys(&released).contains("not kept whole"), "{released}");
    stand.until(|| stand.got().len() == 1).await;
    assert!(String::from_utf8_lossy(&stand.got()[0].1).contains("lost"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_authentic_and_stale_is_taken_only_when_that_is_said() {
    let stand = with_dated().await;
    assert_eq!(stand.gateway.ask(dated("old", "1700000000", false)).await.status, 401);
    stand.until(|| stand.list("rejections", &["--reason", "timestamp_expired"]).len() == 1).await;
    let kept = stand.list("rejections", &[]);
    assert_eq!(kept[0]["authentic"], true, "{kept:?}");
    let left = stand.run(&["rejections", "release", "--all"]);
    assert!(left.code == Some(1) && left.said.contains("--stale"), "{left:?}");
    let released = stand.run(&["rejections", "release", "--all", "--stale"]);
    assert_eq!(released.code, Some(0), "{released:?}");
    stand.until(|| stand.got().len() == 1).await;
    assert!(stand.list("rejections", &[]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_masked_when_it_was_kept_cannot_be_released_and_that_is_said() {
    let stand = with_dated().await;
    assert_eq!(stand.gateway.ask(dated("forged", "1700000000", true)).await.status, 401);
    stand.until(|| stand.list("rejections", &[]).len() == 1).await;
    let left = stand.run(&["rejections", "release", "--all", "--stale"]);
    assert!(left.code == Some(1) && left.said.contains("masked"), "{left:?}");
    let id = stand.list("rejections", &[])[0]["id"].to_string();
    let shown = stand.run(&["rejections", "show", &id]);
    assert!(!shown.said.contains("4111") && !shown.said.contains("diagnosis"), "{shown:?}");
}
