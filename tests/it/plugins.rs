//! Plugins as files and as code: what is refused and with which words, what is told without running it, and that nothing a
//! plugin does in its functions but crash reaches the gateway.

pub(crate) mod built;
mod calls;
mod copies;
mod faults;
mod files;
mod folders;
mod texts;
mod told;
mod versions;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use hookport::gateway::Plugins;
use hookport::plugin::{
    Answer, DecodeRequest, DecodedEvent, Fault, FaultKind, Header, LoadError, LoadFault, Loaded, Native, OpResult,
    inspect, load,
};
use hyper::header::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use tempfile::TempDir;

use self::built::plugin;

const DOCUMENT: &str = r#"{"iccid":"8985","n":10.00,"inner":"{\"a\":1.50}"}"#;

fn odd() -> Loaded {
    load(&plugin("odd")).expect("the odd plugin loads")
}

fn native(loaded: &Loaded) -> &Native {
    loaded.native.as_ref().expect("it has code")
}

fn decode_as(native: &Native, declared_type: &str) -> Result<Vec<DecodedEvent>, Fault> {
    let mut headers = HeaderMap::new();
    headers.insert("x-text", HeaderValue::from_static("as received"));
    headers.insert("x-bytes", HeaderValue::from_bytes(b"\xff").expect("an opaque value"));
    let request = DecodeRequest {
        method: "POST",
        target: "/odd?x=%20",
        headers: &headers,
        body: b"0123456789",
        received: Timestamp::from_millisecond(1_700_000_000_123).expect("a time"),
        declared_type,
        declared_subject: Some("8985"),
        document: DOCUMENT,
    };
    native.decode(&request)
}

fn one(result: Result<Vec<DecodedEvent>, Fault>) -> DecodedEvent {
    let mut events = result.expect("events");
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn text_of(event: &DecodedEvent) -> &str {
    std::str::from_utf8(event.data.as_deref().expect("data of its own")).expect("text")
}

/// A copy of a plugin in which bytes are replaced by as many others, wherever they stand.
fn patched(folder: &TempDir, from: &Path, name: &str, changes: &[(&[u8], &[u8])]) -> PathBuf {
    let mut bytes = fs::read(from).expect("a built plugin");
    for (old, new) in changes {
        assert_eq!(old.len(), new.len());
        let places: Vec<usize> =
            bytes.windows(old.len()).enumerate().filter(|(_, w)| w == old).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "nothing to patch");
        places.into_iter().for_each(|at| bytes[at..at + new.len()].copy_from_slice(new));
    }
    written(folder, name, &bytes)
}

/// A copy of a plugin with another word in its identity's header.
fn with_identity(folder: &TempDir, name: &str, at: usize, word: u16) -> PathBuf {
    let mut bytes = fs::read(plugin("plain")).expect("a built plugin");
    let header = bytes.windows(12).position(|w| w == b"HOOKPORT\x20\0\0\0").expect("an identity");
    bytes[header + at..header + at + 2].copy_from_slice(&word.to_le_bytes());
    written(folder, name, &bytes)
}

fn written(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("a file in a temporary folder");
    path
}

fn refusal(file: &Path) -> LoadError {
    let error = load(file).expect_err("it was loaded");
    let words = error.to_string();
    assert!(words.starts_with(&file.display().to_string()), "no file in: {words}");
    assert!(words.len() < 500, "too long for an operator: {words}");
    error
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Loads a plugin in a process of its own.
fn in_a_child(file: &Path, environment: &[(&str, &Path)]) -> Output {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", "plugins::a_child_loads_what_it_is_told", "--nocapture"]).env("HOOKPORT_TEST_LOAD", file);
    child.envs(environment.iter().copied()).output().expect("a child")
}

/// The child of the tests above; by itself it has nothing to load.
#[test]
fn a_child_loads_what_it_is_told() {
    let Some(file) = std::env::var_os("HOOKPORT_TEST_LOAD") else { return };
    if let Err(error) = load(Path::new(&file)) {
        println!("{error}");
        std::process::exit(3);
    }
}
