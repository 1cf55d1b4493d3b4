//! The matrix: every kept plugin on this host and on every kept host, and today's plugins on the kept hosts. What is kept, and
//! how it was made, is in `tests/golden/README.md`.

#[path = "../golden/questions.rs"]
mod questions;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hookport::plugin::policy::{Policy, Tables};
use hookport::plugin::{self, load, load_by};
use serde_json::Value;

use self::questions::ask;
use crate::plugins::built;

/// The one plugin that needs a host of 1.1.
const WRITER: &str = "canonicalize.so";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// A kept file.
pub(crate) fn kept(release: &str, name: &str) -> PathBuf {
    folder().join(release).join(name)
}

/// The releases of the plugin API of which something is kept, from the oldest.
fn releases() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the kept binaries").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut releases: Vec<String> = names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).collect();
    releases.sort_by_key(|release| minor(release));
    assert!(releases.iter().any(|release| release == "1.0.0"), "{releases:?}");
    releases
}

/// The releases whose loader is kept.
fn hosts() -> Vec<String> {
    let hosts: Vec<String> = releases().into_iter().filter(|release| kept(release, "host").is_file()).collect();
    assert!(hosts.iter().any(|release| release == "1.0.0"), "{hosts:?}");
    hosts
}

fn minor(release: &str) -> u16 {
    release.split('.').nth(1).and_then(|minor| minor.parse().ok()).expect("a version")
}

/// Every kept plugin, with its release.
fn plugins() -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    for release in releases() {
        let entries = fs::read_dir(folder().join(&release)).expect("a release").flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> = entries.filter(|file| file.extension().is_some_and(|is| is == "so")).collect();
        files.sort();
        all.extend(files.into_iter().map(|file| (release.clone(), file)));
    }
    assert!(all.len() >= 7, "{all:?}");
    all
}

fn is(file: &Path, name: &str) -> bool {
    file.file_name().is_some_and(|own| own == name)
}

/// What the plugin in a file must say.
fn expected(file: &Path) -> Value {
    let text = fs::read_to_string(folder().join("answers.json")).expect("the answers");
    let answers: Value = serde_json::from_str(&text).expect("JSON");
    answers[if is(file, "decode-only.so") { "decode-only" } else { "every function" }].clone()
}

/// A kept host's word on each of these files, which it loads beside each other.
fn asks(release: &str, files: &[PathBuf]) -> Vec<Value> {
    let output = Command::new(kept(release, "host")).args(files).output().expect("a kept host runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the host of {release}: {:?}\n{out}\n{err}", output.status);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    assert_eq!(lines.len(), files.len());
    lines
}

#[test]
fn every_kept_plugin_says_on_this_host_what_it_always_said() {
    let mut pairs = 0;
    let plugins = plugins();
    // All are there before any is asked, and each a second time beside itself.
    let loaded: Vec<_> = plugins.iter().chain(&plugins).map(|(_, file)| (file, load(file))).collect();
    for (file, loaded) in &loaded {
        let loaded = loaded.as_ref().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ask(loaded), expected(file), "{}", file.display());
        pairs += 1;
    }
    loaded.iter().flat_map(|(_, loaded)| loaded).filter_map(|loaded| loaded.native.as_ref()).for_each(|n| n.quiesce());
    println!("{pairs} pairs of a kept plugin and this host");
}

#[test]
fn every_kept_plugin_says_the_same_with_shorter_and_with_longer_tables() {
    let mut pairs = 0;
    for tables in [Tables::Older, Tables::Newer] {
        let policy = Policy { tables, ..Policy::inline() };
        for (_, file) in plugins() {
            let loaded = load_by(&file, &policy).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(ask(&loaded), expected(&file), "{} with {tables:?} tables", file.display());
            loaded.native.iter().for_each(|native| native.quiesce());
            pairs += 1;
        }
    }
    println!("{pairs} pairs of a kept plugin and another gateway's tables");
}

#[test]
fn every_kept_plugin_says_on_every_kept_host_what_it_always_said() {
    let (mut pairs, plugins) = (0, plugins());
    let files: Vec<PathBuf> = plugins.iter().map(|(_, file)| file.clone()).collect();
    for release in hosts() {
        for ((of, file), said) in plugins.iter().zip(asks(&release, &files)) {
            if is(file, WRITER) && minor(&release) == 0 {
                let refused = said["refused"].as_str().unwrap_or_default();
                assert!(refused.contains("needs a gateway with at least 1.1, this one speaks 1.0"), "{said}");
            } else {
                assert_eq!(said["abi"], serde_json::json!([1, minor(of)]), "{}", file.display());
                assert_eq!(said["said"], expected(file), "{} on the host of {release}", file.display());
            }
            pairs += 1;
        }
    }
    println!("{pairs} pairs of a kept plugin and a kept host");
}

#[test]
fn todays_plugins_load_on_every_kept_host_or_are_refused_in_one_sentence() {
    let files = ["odd", "plain", "writer"].map(built::plugin);
    let today = load(&files[0]).expect("it loads here").abi.expect("code").1;
    for release in hosts() {
        let said = asks(&release, &files);
        for (file, said) in files.iter().zip(&said).take(2) {
            assert_eq!(said["abi"], serde_json::json!([1, today]), "{}: {said}", file.display());
        }
        assert_eq!(said[0]["said"]["refuses"]["message"], "no events in this one", "{said:?}");
        assert_eq!(said[0]["said"]["panics"]["message"], "boom at /golden?x=%20", "{said:?}");
        assert_eq!(said[1]["said"]["panics"]["fault"], "Absent", "plain has no decoder: {said:?}");
        let refused = said[2]["refused"].as_str();
        match minor(&release) {
            0 => assert!(
                refused.is_some_and(|words| words.ends_with(
                    "is built for plugin ABI 1.1 and needs a gateway with at least 1.1, this one speaks 1.0; \
                     upgrade the gateway or use an older version of the plugin"
                )),
                "{said:?}"
            ),
            _ => assert_eq!(refused, None),
        }
    }
    println!("{} pairs of a plugin of today and a kept host", 3 * hosts().len());
}

#[test]
fn a_break_is_refused_by_this_host_and_by_every_kept_one() {
    let breaks = [
        (built::changed(), "declared_type where document is expected"),
        (built::inserted(), "unexpected field"),
        (built::retyped(), ""),
    ];
    let files: Vec<PathBuf> = breaks.iter().map(|(file, _)| file.clone()).collect();
    let kept = hosts().into_iter().map(|release| asks(&release, &files)).collect::<Vec<_>>();
    for (nth, (file, words)) in breaks.iter().enumerate() {
        let here = load(file).expect_err("a break was loaded").to_string();
        let there = kept.iter().map(|said| said[nth]["refused"].as_str().expect("a break was loaded").to_owned());
        for refused in there.chain([here]) {
            assert!(refused.contains("does not fit this gateway's plugin ABI 1."), "{refused}");
            assert!(refused.contains(words) && refused.len() < 500 && !refused.contains('\n'), "{refused}");
        }
    }
    println!("{} pairs of a planted break and a host", files.len() * (hosts().len() + 1));
}
