//! Somebody else's plugin, built in its own workspace against the plugin API alone: added to a running gateway, upgraded, rolled
//! back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hmac::{Hmac, KeyInit, Mac};
use hookport::clock::Clock;
use hookport::plugin::{inspect, load};
use serde_json::Value;
use sha2::Sha256;

use crate::cli::program::Folder;
use crate::process::{self, Process};

const KEY: &str = "courier test key";

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("third-party")
}

/// Both versions of the library, built once, with the target folder that all test plugins share.
fn versions() -> &'static [PathBuf; 2] {
    static BUILT: OnceLock<[PathBuf; 2]> = OnceLock::new();
    BUILT.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        ["", "next"].map(|features| {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--offline", "--quiet", "--features", features]).current_dir(sources());
            cargo.env("CARGO_TARGET_DIR", place.join("plugins/target")).env_remove("RUSTFLAGS");
            let output = cargo.output().expect("cargo runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let kept = place.join(format!("third-party-courier{features}.so"));
            fs::copy(place.join("plugins/target/debug/libcourier.so"), &kept).expect("it is built");
            kept
        })
    })
}

#[test]
fn it_knows_the_published_api_and_serde_and_is_no_part_of_our_workspace() {
    let read = |file: &Path| fs::read_to_string(file).expect("a manifest").parse::<toml::Table>().expect("TOML");
    let own = read(&sources().join("courier/Cargo.toml"));
    let names: Vec<_> = own["dependencies"].as_table().expect("a table").keys().cloned().collect();
    assert_eq!(names, ["hookport-plugin-api", "serde"]);
    assert!(read(&sources().join("Cargo.toml")).contains_key("workspace"));
    let ours = read(&sources().join("../../Cargo.toml"));
    let excluded = ours["workspace"]["exclude"].as_array().expect("a list");
    assert!(excluded.iter().any(|folder| folder.as_str() == Some("tests/third-party")), "{excluded:?}");
}

#[test]
fn both_versions_load_beside_each_other_and_their_cases_hold() {
    let loaded = versions().each_ref().map(|file| load(file).unwrap_or_else(|error| panic!("{error}")));
    let told: Vec<_> = loaded.iter().map(|loaded| loaded.description.provider.version.as_str()).collect();
    assert_eq!(told, ["1.0.0", "1.1.0"]);
    let told = inspect(&versions()[0]).expect("it can be read").to_string();
    assert!(told.contains("decode, canonicalize"), "{told}");
    let folder = Folder::new();
    for case in ["delivered.http", "a_changed_field_is_refused.http"] {
        for version in versions() {
            let provider = version.display().to_string();
            let request = sources().join("courier/fixtures").join(case).display().to_string();
            let run = folder.run(&["verify", "--provider", &provider, "--request", &request, "--json"]);
            let said: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
            assert_eq!(said["accepted"], Value::Bool(case == "delivered.http"), "{case}: {said}");
        }
    }
}

/// Its source in a configuration.
fn source() -> String {
    format!("sources.courier = {{ provider = \"courier\", secrets.main = {{ value = \"{KEY}\" }} }}\n")
}

/// A signed scan, sent; the status of the answer.
async fn scan(gateway: &Process, id: &str) -> u16 {
    let time = Clock::default().now().as_second();
    let text = format!("POST\n/courier\n{time}\n/parcel=\"CR-7\"\n/scan/id=\"{id}\"\n/status=\"delivered\"");
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any length");
    mac.update(text.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let body = format!(r#"{{"parcel":"CR-7","status":"delivered","scan":{{"id":"{id}"}}}}"#);
    let head = format!("host: h\r\nx-courier-time: {time}\r\nx-courier-signature: v1={signature}\r\nconnection: close");
    let request = format!("POST /courier HTTP/1.1\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    gateway.ask(request.into_bytes()).await.status
}

/// Puts a version into the plugins' folder as an operator should: beside, then renamed.
fn install(folder: &process::Folder, version: usize) {
    let beside = folder.path("plugins/.courier.new");
    fs::copy(&versions()[version], &beside).expect("a copy");
    fs::rename(beside, folder.path("plugins/courier.so")).expect("a rename");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_added_to_a_running_gateway() {
    versions();
    let folder = process::Folder::new("");
    let gateway = folder.serve();
    assert_eq!(scan(&gateway, "s-1").await, 404);
    install(&folder, 0);
    folder.reconfigure("sources.tally", &format!("{}sources.tally", source()));
    let admin = format!("http://{}", gateway.admin);
    let reloaded = folder.run(&["reload", "--admin", &admin]);
    assert_eq!(reloaded.code, Some(0), "{}", reloaded.said);
    assert_eq!(scan(&gateway, "s-1").await, 200);
    assert_eq!(gateway.stop().code, Some(0));
}

/// The version of the plugin that made an event, and the event's warnings.
async fn made_by(gateway: &Process, id: &str) -> (String, Vec<String>) {
    let reply = gateway.get(&format!("/v1/events?provider_id={id}&limit=1")).await;
    let listed: Value = serde_json::from_slice(&reply.body).expect("a document");
    let kept = &listed["events"][0];
    let warnings = kept["warnings"].as_array().into_iter().flatten().filter_map(|text| text.as_str().map(Into::into));
    (kept["event"]["providerversion"].as_str().unwrap_or_default().to_owned(), warnings.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_upgraded_and_rolled_back_while_it_serves() {
    versions();
    let folder = process::Folder::new("");
    install(&folder, 0);
    folder.reconfigure("sources.tally", &format!("{}sources.tally", source()));
    let gateway = folder.serve();
    let admin = format!("http://{}", gateway.admin);
    let told = |arguments: &[&str]| {
        let told = folder.run(&[arguments, &["--admin", &admin]].concat());
        assert_eq!(told.code, Some(0), "{arguments:?}: {}", told.said);
    };
    let serves = async |id: &str, version: &str, warnings: &[&str]| {
        assert_eq!(scan(&gateway, id).await, 200, "{id}");
        let (by, warned) = made_by(&gateway, id).await;
        assert_eq!((by.as_str(), warned.iter().map(String::as_str).collect::<Vec<_>>()), (version, warnings.to_vec()));
    };
    serves("s-1", "1.0.0", &[]).await;
    install(&folder, 1);
    told(&["plugin", "reload", "courier"]);
    serves("s-2", "1.1.0", &["no weight"]).await;
    told(&["plugin", "rollback", "courier"]);
    serves("s-3", "1.0.0", &[]).await;
    assert_eq!(gateway.stop().code, Some(0));
}
