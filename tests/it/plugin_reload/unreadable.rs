//! Plugin folders that cannot be read, or are empty for a moment: nothing takes the place of what serves.

use super::*;

/// A folder with a description of its own of a provider that the catalogue has, too; watched.
fn folder() -> Folder {
    let source = "sources.github = { provider = \"github\", secrets.main = { value = \"a test\" } }";
    let folder = Folder::new(&format!("plugins.watch = true\nreload.settle = \"100ms\"\n{source}"));
    let catalogue = crate::catalogue::folder().join("github/provider.toml");
    let text = fs::read_to_string(catalogue).expect("a description");
    folder.write("plugins/github/provider.toml", &text.replace("version = \"1.0.0\"", "version = \"9.9.9\""));
    folder
}

/// The provider as the gateway shows it: its version, and why what lies in its place does not serve.
async fn github(gateway: &Process) -> (Value, Value) {
    let listed = document(&gateway.get("/v1/plugins").await);
    let all = listed["plugins"].as_array().expect("a list");
    let github = all.iter().find(|plugin| plugin["provider"] == "github").expect("it is loaded");
    (github["version"].clone(), github["on_disk"]["refused"].clone())
}

fn rename(folder: &Folder, from: &str, to: &str) {
    fs::rename(folder.path(from), folder.path(to)).expect("renamed");
}

/// Waits until the gateway says why, and what serves is what served.
async fn is_told(gateway: &Process, why: &str) {
    let told = async || github(gateway).await.1.as_str().is_some_and(|told| told.contains(why));
    crate::reload::until(why, told).await;
    assert_eq!(github(gateway).await.0, "9.9.9");
}

async fn is_well(gateway: &Process) {
    crate::reload::until("all is well", async || github(gateway).await.1.is_null()).await;
    assert_eq!(github(gateway).await.0, "9.9.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_read_changes_nothing_of_what_serves() {
    let folder = folder();
    let gateway = folder.serve();
    is_well(&gateway).await;
    rename(&folder, "plugins", "away");
    is_told(&gateway, "cannot be read").await;
    folder.write("plugins", "no folder");
    let (status, answer) = post(&gateway, "/v1/reload", &json!({})).await;
    let error = &answer["errors"][0];
    assert_eq!((status, &error["key"]), (422, &json!("plugins.dirs")), "{answer}");
    assert!(error["message"].as_str().is_some_and(|why| why.contains("cannot be read: Not a directory")), "{answer}");
    assert_eq!(github(&gateway).await.0, "9.9.9");
    fs::remove_file(folder.path("plugins")).expect("removed");
    rename(&folder, "away", "plugins");
    is_well(&gateway).await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_folder_that_cannot_be_read_changes_nothing_of_what_serves() {
    let folder = folder();
    let gateway = folder.serve();
    is_well(&gateway).await;
    // A link to itself: nobody can tell what is behind it.
    symlink("github", folder.path("plugins/loop")).expect("a link");
    rename(&folder, "plugins/github", "away");
    rename(&folder, "plugins/loop", "plugins/github");
    is_told(&gateway, "cannot be read").await;
    assert_eq!(gateway.stop().code, Some(0));
    // Nor does a start take the catalogue's: the build that served is kept.
    let gateway = folder.serve();
    is_told(&gateway, "cannot be read").await;
    fs::remove_file(folder.path("plugins/github")).expect("removed");
    rename(&folder, "away", "plugins/github");
    is_well(&gateway).await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_its_plugin_folder_serves_what_served() {
    let folder = folder();
    let gateway = folder.serve();
    is_well(&gateway).await;
    assert_eq!(gateway.stop().code, Some(0));
    rename(&folder, "plugins", "away");
    let gateway = folder.serve();
    is_told(&gateway, "cannot be read").await;
    rename(&folder, "away", "plugins");
    is_well(&gateway).await;
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_brings_no_other_provider_until_somebody_asks() {
    let folder = folder();
    let gateway = folder.serve();
    is_well(&gateway).await;
    rename(&folder, "plugins/github", "away");
    is_told(&gateway, "is not there any more").await;
    let asked = reload(&gateway).await;
    assert_eq!(asked["changed"][0]["provider"], "github", "{asked}");
    assert_eq!(github(&gateway).await, (json!("1.0.0"), Value::Null));
    assert_eq!(gateway.stop().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_description_that_cannot_be_read_is_not_replaced_by_the_catalogues_at_a_first_start() {
    let folder = folder();
    fs::remove_dir_all(folder.path("plugins/github")).expect("removed");
    symlink("github", folder.path("plugins/github")).expect("a link");
    let ended = folder.serve_in_vain(None);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("plugins/github/provider.toml") && ended.said.contains("cannot be read"), "{ended:?}");
}
