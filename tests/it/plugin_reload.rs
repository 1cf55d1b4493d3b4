//! Plugins that are exchanged while the gateway runs: taken on whole, or left as they are with the reason; back again; and
//! what is remembered over a restart.

mod counted;
mod limits;
mod load;
mod refused;
mod rollback;
mod senders;
mod stored;
mod unreadable;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::plugins::built;
use crate::process::{Folder, Process};
use crate::wire::{Reply, exchange};

const CONFIG: &str = "sources.graded.provider = \"graded\"";

/// The plugin without what only a debugger reads.
fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let stripped = folder.path().join("graded.so");
        let mut strip = Command::new("strip");
        strip.arg("--strip-debug").arg("-o").arg(&stripped).arg(built::plugin("graded"));
        let is_smaller = strip.status().is_ok_and(|status| status.success());
        let file = if is_smaller { stripped } else { built::plugin("graded") };
        fs::read(file).expect("a built plugin")
    })
}

/// A build of the plugin: as it is, with other texts of the same length written over its own.
fn build(changes: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = bytes().to_vec();
    for (old, new) in changes {
        assert_eq!(old.len(), new.len());
        let places: Vec<usize> = bytes
            .windows(old.len())
            .enumerate()
            .filter(|(_, found)| *found == old.as_bytes())
            .map(|(at, _)| at)
            .collect();
        assert!(!places.is_empty(), "{old} is not in it");
        places.into_iter().for_each(|at| bytes[at..at + new.len()].copy_from_slice(new.as_bytes()));
    }
    bytes
}

/// The build of a version, `2.0.0` say: its description and its code both say so.
fn version(version: &str) -> Vec<u8> {
    in_a_mood(version, "calm ")
}

/// The same, whose code is `calm`, `tense`, `angry`, or `hangs`.
fn in_a_mood(version: &str, mood: &str) -> Vec<u8> {
    build(&[
        ("version = \"1.0.0\"", &format!("version = \"{version}\"")),
        ("built as 1.0.0", &format!("built as {version}")),
        ("its mood is calm ", &format!("its mood is {mood}")),
    ])
}

/// A folder whose gateway serves with version 1.0.0 of the plugin; its code runs in workers.
fn folder() -> Folder {
    in_place("worker")
}

/// The same, whose code runs `inline` or in a `worker`.
fn in_place(isolation: &str) -> Folder {
    let folder = Folder::new(&format!("plugins.isolation = \"{isolation}\"\nplugins.deadline = \"30s\"\n{CONFIG}"));
    put(&folder, &version("1.0.0"));
    folder
}

fn file(folder: &Folder) -> PathBuf {
    folder.path("plugins/libgraded.so")
}

/// Puts another build in the plugin's place, whole.
fn put(folder: &Folder, bytes: &[u8]) {
    let new = folder.path("plugins/.new");
    fs::write(&new, bytes).expect("written");
    fs::rename(new, file(folder)).expect("renamed");
}

/// Lets the plugin's name lead to another file, at once.
fn lead(folder: &Folder, to: &Path) {
    let new = folder.path("plugins/.link");
    symlink(to, &new).expect("a link");
    fs::rename(new, file(folder)).expect("renamed");
}

/// One request of the provider; its answer.
async fn send(gateway: SocketAddr, id: &str) -> Result<Reply, String> {
    let body = format!("{{\"event\":\"said\",\"id\":\"{id}\"}}");
    let head = "POST /graded HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-type: application/json\r\n";
    exchange(gateway, format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await
}

/// The version that made an event, and what its code says.
async fn made_by(gateway: &Process, id: &str) -> (String, String) {
    assert_eq!(send(gateway.address, id).await.expect("an answer").status, 200);
    let listed = document(&gateway.get(&format!("/v1/events?provider_id={id}&limit=1")).await);
    let event = &listed["events"][0]["event"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&event["providerversion"]), text(&event["data"]["build"]))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn serves(gateway: &Process, id: &str, version: &str) {
    assert_eq!(made_by(gateway, id).await, (version.to_owned(), format!("built as {version}")));
}

/// One POST of the admin API.
async fn post(gateway: &Process, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n\
         {body}",
        gateway.admin,
        body.len()
    );
    let reply = exchange(gateway.admin, request.as_bytes()).await.expect("an answer");
    (reply.status, document(&reply))
}

async fn reload(gateway: &Process) -> Value {
    let (status, answer) = post(gateway, "/v1/plugins/reload", &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The plugin as the gateway shows it.
async fn shown(gateway: &Process) -> Value {
    let listed = document(&gateway.get("/v1/plugins").await);
    let all = listed["plugins"].as_array().expect("a list");
    all.iter().find(|plugin| plugin["provider"] == "graded").expect("it is loaded").clone()
}

fn document(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).expect("a document")
}
