//! `hookport serve` told to read its configuration again: by signal, by API, by command.

use serde_json::{Value, json};

use super::until;
use crate::process::{Folder, Process};
use crate::tally::{SECRET, request_by};
use crate::wire::exchange;

const OLD: &str = "the old key";
const NEW: &str = "the new key";

/// A folder whose source reads its key from a file.
fn folder() -> Folder {
    let folder = Folder::new("");
    folder.reconfigure(&format!("{{ value = \"{SECRET}\" }}"), "{ file = \"key\" }");
    folder.write("key", &format!("{OLD}\n"));
    folder
}

async fn status(gateway: &Process, key: &str, id: &str) -> u16 {
    gateway.ask(request_by(key, id)).await.status
}

/// One POST of the admin API.
pub(super) async fn post(gateway: &Process, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let request = format!(
        "POST /v1/reload HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        gateway.admin,
        body.len()
    );
    let reply = exchange(gateway.admin, request.as_bytes()).await.expect("an answer");
    (reply.status, serde_json::from_slice(&reply.body).expect("a document"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_the_files_of_secrets_again() {
    let folder = folder();
    let gateway = folder.serve();
    assert_eq!((status(&gateway, OLD, "a").await, status(&gateway, NEW, "b").await), (202, 403));
    folder.write("key", NEW);
    gateway.signal("HUP");
    until("the new key verifies", async || status(&gateway, NEW, "c").await != 403).await;
    assert_eq!(status(&gateway, OLD, "d").await, 403);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.said.contains("changed source tally (secrets.main)"), "{}", ended.said);
    assert!(!ended.said.contains(OLD) && !ended.said.contains(NEW), "{}", ended.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_says_why_and_the_running_one_stays() {
    let folder = folder();
    let gateway = folder.serve();
    let admin = format!("http://{}", gateway.admin);
    folder
        .reconfigure("[\"plugins\"]", "[\"plugins\"]\nserver.max_body = \"huge\"\nsources.second.provider = \"tally\"");
    let (code, answer) = post(&gateway, &json!({})).await;
    assert_eq!(code, 422, "{answer}");
    let keys: Vec<_> = answer["errors"].as_array().expect("a list").iter().map(|error| &error["key"]).collect();
    assert!(keys.contains(&&json!("server.max_body")) && keys.contains(&&json!("sources.tally.path")), "{answer}");
    let told = folder.run(&["reload", "--admin", &admin]);
    assert_eq!(told.code, Some(1), "{told:?}");
    for word in ["hookport.toml:3: server.max_body", "sources.tally.path", "stays"] {
        assert!(told.said.contains(word), "{word} is not in {told:?}");
    }
    folder.configure("this is no TOML");
    gateway.signal("HUP");
    let (code, answer) = post(&gateway, &json!({})).await;
    assert_eq!((code, &answer["errors"][0]["line"]), (422, &json!(1)), "{answer}");
    assert_eq!(status(&gateway, OLD, "a").await, 202);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.said.contains("not TOML") && ended.said.contains("server.max_body"), "{}", ended.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_what_changes_and_a_dry_run_changes_nothing() {
    let folder = folder();
    let gateway = folder.serve();
    let admin = format!("http://{}", gateway.admin);
    folder.write("key", NEW);
    folder.reconfigure("log.format", "log.level = \"warn\"\nlog.format");
    let expected = "changed setting log.level: \"info\" -> \"warn\"\nchanged source tally (secrets.main)\n";
    let dry = folder.run(&["reload", "--dry-run", "--admin", &admin]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(dry.said.starts_with(expected) && dry.said.contains("would change"), "{dry:?}");
    assert_eq!(status(&gateway, OLD, "a").await, 202);
    let told = folder.run(&["reload", "--admin", &admin]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.said.starts_with(expected), "{told:?}");
    assert_eq!(status(&gateway, OLD, "b").await, 403);
    let again = folder.run(&["reload", "--admin", &admin, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&again.said).expect("JSON")["changes"], json!([]), "{again:?}");
    let ended = gateway.stop();
    assert!(!ended.said.contains("draining"), "the level is not that of the file: {}", ended.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_what_is_wrong_is_an_answer_and_no_error_of_the_gateway() {
    let folder = folder();
    let gateway = folder.serve();
    let admin = format!("http://{}", gateway.admin);
    folder.reconfigure("log.format", "server.max_body = \"huge\"\nlog.format");
    let told = folder.run(&["reload", "--dry-run", "--admin", &admin]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.said.contains("would not be taken on") && told.said.contains("server.max_body"), "{told:?}");
    let told = folder.run(&["reload", "--dry-run", "--json", "--admin", &admin]);
    let document: Value = serde_json::from_str(&told.said).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    assert_eq!((told.code, &document["errors"][0]["key"]), (Some(1), &json!("server.max_body")), "{told:?}");
    let ended = gateway.stop();
    assert!(ended.code == Some(0) && !ended.said.contains("\"ERROR\""), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_stays_where_it_is() {
    let folder = folder();
    let gateway = folder.serve();
    folder.reconfigure("log.format", "journal.path = \"elsewhere\"\nlog.format");
    let (code, answer) = post(&gateway, &json!({})).await;
    assert_eq!((code, &answer["errors"][0]["key"]), (422, &json!("journal.path")), "{answer}");
    assert!(answer["errors"][0]["message"].as_str().is_some_and(|message| message.contains("restart")), "{answer}");
    assert!(!folder.path("elsewhere").exists());
    assert_eq!(status(&gateway, OLD, "a").await, 202);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_breaks_keeps_the_old_one() {
    let folder = folder();
    let gateway = folder.serve();
    let text = std::fs::read_to_string(folder.path("plugins/tally/provider.toml")).expect("a description");
    folder.write("plugins/tally/provider.toml", &text.replace("alg = ", "algo = "));
    let (code, answer) = post(&gateway, &json!({})).await;
    assert_eq!(code, 422, "{answer}");
    assert!(answer["errors"].to_string().contains("plugins/tally/provider.toml"), "{answer}");
    assert!(!answer["errors"].to_string().contains("no plugin has the provider"), "{answer}");
    assert_eq!(status(&gateway, OLD, "a").await, 202);
    folder.write("plugins/tally/provider.toml", &text);
    assert_eq!(post(&gateway, &json!({})).await.0, 200);
    assert_eq!(gateway.stop().code, Some(0));
}
