//! Secrets that senders tell: pending until an operator confirms one, over restarts and kills, and shown to nobody.

use serde_json::{Value, json};

use super::door::{Door, SOURCES, ask, hex_hmac, install};
use crate::process::{Folder, Process};
use crate::wire::Reply;

const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";

impl Door {
    /// The sender's first request.
    async fn tell(&self, token: &str) -> Reply {
        self.ask("POST", "/tells", &[], &format!(r#"{{"verification_token":"{token}"}}"#)).await
    }

    /// An event signed with a key.
    async fn event(&self, id: &str, key: &str) -> u16 {
        let body = format!(r#"{{"id":"{id}"}}"#);
        let signed = format!("sha256={}", hex_hmac(key, &body));
        self.ask("POST", "/tells", &[("x-signature", &signed)], &body).await.status
    }

    async fn admin(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (headers, body) = match method {
            "GET" => (vec![], String::new()),
            _ => (vec![("content-type", "application/json")], body.to_string()),
        };
        let reply = ask(self.admin, method, path, &headers, &body).await;
        (reply.status, serde_json::from_slice(&reply.body).expect("a document"))
    }

    async fn confirm(&self, source: &str, which: Value) -> (u16, Value) {
        self.admin("POST", &format!("/v1/sources/{source}/confirm"), &which).await
    }

    /// What the API shows of a source.
    async fn shown(&self, source: &str) -> Value {
        let (status, list) = self.admin("GET", "/v1/sources", &Value::Null).await;
        assert_eq!(status, 200, "{list}");
        let sources = list["sources"].as_array().expect("a list");
        sources.iter().find(|one| one["name"] == source).expect("it is there").clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sender_tells_opens_nothing_until_it_is_confirmed() {
    let door = Door::open().await;
    assert_eq!(door.shown("tells").await["missing"], json!(["main"]));
    let reply = door.tell(TOKEN).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(door.event("a", TOKEN).await, 401, "it is only pending");
    assert_eq!(door.rejections(1).await[0].reason.code(), "algorithm");
    let shown = door.shown("tells").await;
    let told = &shown["captures"][0];
    assert_eq!(
        (&told["secret"], &told["peer"], &told["confirmed"]),
        (&json!("main"), &json!("127.0.0.1"), &Value::Null)
    );
    assert!(!shown.to_string().contains("tMrl"), "{shown}");

    let (status, confirmed) = door.confirm("tells", json!({})).await;
    assert_eq!((status, &confirmed["fingerprint"]), (200, &told["fingerprint"]), "{confirmed}");
    assert_eq!(confirmed.get("value"), None, "{confirmed}");
    assert_eq!(door.event("a", TOKEN).await, 200, "at once");
    assert_eq!(door.event("b", "another").await, 401);
    let shown = door.shown("tells").await;
    assert_eq!((&shown["missing"], shown["captures"].as_array().map(Vec::len)), (&json!([]), Some(1)));
    assert_eq!(door.confirm("tells", json!({})).await.0, 404, "nothing is pending any more");

    let door = door.again(SOURCES).await;
    assert_eq!(door.event("c", TOKEN).await, 200, "after a restart, too");
    assert_eq!(door.events().await, 2, "nothing was recorded but events");
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_confirmed_verifies_under_another_configuration_too() {
    let door = Door::open().await;
    door.tell(TOKEN).await;
    assert_eq!(door.confirm("tells", json!({})).await.0, 200);
    door.exchange(&SOURCES.replace("\"s3cret\"", "\"another\"")).await;
    assert_eq!(door.event("a", TOKEN).await, 200);
    door.tell(&format!("{TOKEN}later")).await;
    assert_eq!(door.confirm("tells", json!({})).await.0, 200, "the operator's word reaches it, too");
    assert_eq!((door.event("b", &format!("{TOKEN}later")).await, door.event("c", TOKEN).await), (200, 200));
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_in_a_header_is_told_back_and_kept() {
    let door = Door::open().await;
    let told = "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81";
    let reply = door.ask("POST", "/tells", &[("X-Hook-Secret", told)], "{}").await;
    assert_eq!((reply.status, reply.header("x-hook-secret")), (200, Some(told)));
    let door = door.again(SOURCES).await;
    let (status, confirmed) = door.confirm("tells", json!({ "secret": "main", "reveal": true })).await;
    assert_eq!((status, &confirmed["value"]), (200, &json!(told)));
    assert_eq!(door.event("a", told).await, 200);
    for twisted in ["a b", "<x>", &"a".repeat(129)] {
        assert_eq!(door.ask("POST", "/tells", &[("X-Hook-Secret", twisted)], "{}").await.status, 400, "{twisted}");
    }
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_confirmed_verifies_beside_what_is_configured() {
    let sources =
        SOURCES.replace("provider = \"tells\"", "provider = \"tells\"\nsecrets.main = { value = \"configured\" }");
    let door = Door::with(&sources).await;
    assert_eq!(door.event("a", "configured").await, 200);
    door.tell(TOKEN).await;
    assert_eq!(door.confirm("tells", json!({})).await.0, 200);
    assert_eq!((door.event("b", "configured").await, door.event("c", TOKEN).await), (200, 200));
    let fingerprint = door.shown("tells").await["captures"][0]["fingerprint"].clone();
    let (_, discarded) = door.admin("POST", "/v1/sources/tells/discard", &json!({ "fingerprint": fingerprint })).await;
    assert_eq!(discarded, json!({ "discarded": 1 }));
    assert_eq!((door.event("d", "configured").await, door.event("e", TOKEN).await), (200, 401));
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_is_pending_is_confirmed_and_of_several_the_one_that_is_named() {
    let door = Door::open().await;
    for n in 0..10 {
        assert_eq!(door.tell(&format!("{TOKEN}{n}")).await.status, 200);
    }
    let shown = door.shown("tells").await;
    let captures = shown["captures"].as_array().expect("a list");
    assert_eq!(captures.len(), 8, "the oldest are dropped");
    assert_eq!(door.confirm("tells", json!({ "fingerprint": "0000000000000000" })).await.0, 404);
    assert_eq!(door.confirm("tells", json!({ "secret": "other" })).await.0, 404);
    assert_eq!(door.confirm("nobody", json!({})).await.0, 404);
    assert_eq!(door.confirm("tells", json!({ "sercet": "main" })).await.0, 422);
    let (status, refused) = door.confirm("tells", json!({ "secret": "main" })).await;
    assert_eq!(status, 409, "whoever told the last is nobody special: {refused}");
    assert_eq!(door.event("z", &format!("{TOKEN}9")).await, 401);
    let (_, confirmed) = door.confirm("tells", json!({ "fingerprint": captures[3]["fingerprint"] })).await;
    assert_eq!(confirmed["others"], 7);
    assert_eq!(door.event("a", &format!("{TOKEN}6")).await, 200);
    door.tell("alone").await;
    assert_eq!(door.confirm("tells", json!({})).await.0, 200);
    assert_eq!((door.event("b", "alone").await, door.event("c", &format!("{TOKEN}9")).await), (200, 401));
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_cannot_be_confirmed() {
    let door = Door::with("[sources.hexes]\nprovider = \"hexes\"\n").await;
    let told = async |secret: &str| door.ask("POST", "/hexes", &[("x-hook-secret", secret)], "").await.status;
    assert_eq!(told("not-hex").await, 200);
    let (status, refused) = door.confirm("hexes", json!({})).await;
    assert_eq!(status, 409, "{refused}");
    assert!(refused["error"].as_str().is_some_and(|text| text.contains("secrets.main") && !text.contains("not-hex")));
    let (_, discarded) = door.admin("POST", "/v1/sources/hexes/discard", &json!({})).await;
    assert_eq!(discarded, json!({ "discarded": 1 }));
    assert_eq!(told("00ff").await, 200);
    assert_eq!(door.confirm("hexes", json!({})).await.0, 200);
    door.stop().await;
}

/// A gateway as a process, with the descriptions of these tests.
fn folder() -> Folder {
    let folder = Folder::new("[sources.tells]\nprovider = \"tells\"");
    install(&folder.path("plugins"));
    folder
}

async fn event(gateway: &Process, id: &str) -> u16 {
    let body = format!(r#"{{"id":"{id}"}}"#);
    let signed = format!("sha256={}", hex_hmac(TOKEN, &body));
    ask(gateway.address, "POST", "/tells", &[("x-signature", &signed)], &body).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_a_kill_and_an_operator_has_the_last_word() {
    let folder = folder();
    let gateway = folder.serve();
    let body = format!(r#"{{"verification_token":"{TOKEN}"}}"#);
    assert_eq!(ask(gateway.address, "POST", "/tells", &[], &body).await.status, 200);
    gateway.kill();

    let gateway = folder.serve();
    let admin = format!("http://{}", gateway.admin);
    let sources = |arguments: &[&str]| folder.run(&[&["sources", "--admin", &admin], arguments].concat());
    let list = sources(&["list"]);
    assert_eq!(list.code, Some(0), "{list:?}");
    assert!(list.said.contains("missing: main") && list.said.contains("pending"), "{list:?}");
    assert!(!list.said.contains("tMrl"), "{list:?}");
    let document: Value = serde_json::from_str(&sources(&["list", "--json"]).said).expect("one document");
    let fingerprint = document["sources"][1]["captures"][0]["fingerprint"].as_str().expect("one").to_owned();
    assert_eq!(sources(&["confirm", "tells", "--fingerprint", "00"]).code, Some(1));
    let confirmed = sources(&["confirm", "tells", "--secret", "main", "--fingerprint", &fingerprint, "--reveal"]);
    assert_eq!(confirmed.code, Some(0), "{confirmed:?}");
    assert!(confirmed.said.starts_with(&format!("{TOKEN}\n")), "the value alone is output: {confirmed:?}");
    assert!(confirmed.said.contains("main of tells is confirmed"), "{confirmed:?}");
    assert_eq!(event(&gateway, "a").await, 200);
    gateway.kill();

    let gateway = folder.serve();
    assert_eq!(event(&gateway, "b").await, 200);
    let admin = format!("http://{}", gateway.admin);
    let sources = |arguments: &[&str]| folder.run(&[&["sources", "--admin", &admin], arguments].concat());
    assert_eq!(sources(&["discard", "tells"]).code, Some(1), "nothing is pending");
    assert_eq!(sources(&["discard", "tells", "--fingerprint", &fingerprint]).said, "1 secret is forgotten\n");
    assert_eq!(event(&gateway, "c").await, 401);
    let ended = gateway.stop();
    assert!(!ended.said.contains("tMrl"), "a secret is in the log: {}", ended.said);
}
