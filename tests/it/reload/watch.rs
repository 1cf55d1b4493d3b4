//! Files that are watched: renamed over, swapped as a folder of links, and half written.

use std::os::unix::fs::symlink;

use serde_json::json;

use super::process::post;
use super::until;
use crate::process::{Folder, Process};
use crate::tally::{SECRET, request_by};

const OLD: &str = "the old key";
const NEW: &str = "the new key";
const NEWEST: &str = "the newest key";

/// A folder whose source reads its key from a file, watched.
fn folder(key: &str) -> Folder {
    let folder = Folder::new("");
    folder.reconfigure(&format!("{{ value = \"{SECRET}\" }}"), &format!("{{ file = \"{key}\" }}"));
    folder.reconfigure("log.format", "reload = { watch = true, settle = \"100ms\" }\nlog.format");
    folder
}

async fn verifies(gateway: &Process, key: &str) -> bool {
    // Every one is new, so that it is the signature that decides.
    let id = format!("{:?}", std::time::Instant::now()).replace([' ', '"'], "");
    gateway.ask(request_by(key, &id)).await.status == 202
}

fn rename_over(folder: &Folder, name: &str, text: &str) {
    folder.write("new", text);
    std::fs::rename(folder.path("new"), folder.path(name)).expect("renamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_renamed_over_is_read_again_and_again() {
    let folder = folder("key");
    folder.write("key", OLD);
    let gateway = folder.serve();
    for key in [NEW, NEWEST, OLD] {
        rename_over(&folder, "key", key);
        until("the new key verifies", async || verifies(&gateway, key).await).await;
    }
    let text = std::fs::read_to_string(folder.path("hookport.toml")).expect("a configuration");
    rename_over(&folder, "hookport.toml", &text.replace("sources.tally = {", "sources.tally = { path = \"/moved\","));
    until("the path is another", async || gateway.ask(request_by(OLD, "moved")).await.status == 404).await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_only_touched_is_worth_no_line() {
    let folder = folder("key");
    folder.write("key", OLD);
    folder.reconfigure("log.format", "log.level = \"debug\"\nlog.format");
    let gateway = folder.serve();
    let said = gateway.says("the configuration is what it was");
    assert!(said.contains("\"DEBUG\""), "{said}");
    rename_over(&folder, "key", OLD);
    gateway.says("the configuration is what it was");
    let ended = gateway.stop();
    assert!(!ended.said.contains("nothing has changed"), "{}", ended.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_links_is_followed_as_kubernetes_swaps_it() {
    let folder = folder("mounted/key");
    let swap = |version: &str, key: &str| {
        folder.write(&format!("mounted/..{version}/key"), key);
        symlink(format!("..{version}"), folder.path("mounted/..data_tmp")).expect("linked");
        std::fs::rename(folder.path("mounted/..data_tmp"), folder.path("mounted/..data")).expect("swapped");
    };
    swap("1", OLD);
    symlink("..data/key", folder.path("mounted/key")).expect("linked");
    let gateway = folder.serve();
    for (version, key) in [("2", NEW), ("3", NEWEST)] {
        swap(version, key);
        until("the new key verifies", async || verifies(&gateway, key).await).await;
    }
    assert!(!verifies(&gateway, OLD).await);
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_waited_for_until_it_is_mended() {
    let folder = folder("key");
    folder.write("key", OLD);
    let gateway = folder.serve();
    folder.reconfigure("{ file = \"key\" }", "[{ file = \"key\" }, { file = \"second\" }]");
    // That the file is missing was seen before it is there: what it is named in may not change any more.
    let (code, answer) = post(&gateway, &json!({})).await;
    assert_eq!((code, &answer["errors"][0]["key"]), (422, &json!("sources.tally.secrets.main")), "{answer}");
    assert!(verifies(&gateway, OLD).await && !verifies(&gateway, NEW).await);
    folder.write("second", NEW);
    until("the new key verifies", async || verifies(&gateway, NEW).await).await;
    assert!(verifies(&gateway, OLD).await);
    let ended = gateway.stop();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_put_into_a_folder_is_there() {
    let folder = folder("key");
    folder.write("key", OLD);
    let gateway = folder.serve();
    let text = std::fs::read_to_string(folder.path("plugins/tally/provider.toml")).expect("a description");
    rename_over(&folder, "plugins/tally/provider.toml", &text.replace("status = 202", "status = 201"));
    until("the answer is the new one", async || {
        let id = format!("{:?}", std::time::Instant::now()).replace([' ', '"'], "");
        gateway.ask(request_by(OLD, &id)).await.status == 201
    })
    .await;
    assert_eq!(gateway.stop().code, Some(0));
}
