//! `hookport events erase`, and a gateway whose journal is encrypted.

use serde_json::Value;

use super::program::Folder;
use super::{GATEWAY, gateway};

const KEYED: &str = "[journal]\nkey = { env = \"KEY\" }\n";

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn erasing_counts_first_and_erases_only_when_told() {
    let folder = Folder::new();
    let gateway = gateway(&folder);
    assert_eq!(gateway.post("/unsigned", r#"{"type":"paid","id":"1","secret":"mark"}"#), 200);
    let admin = gateway.admin();
    let run = |arguments: &[&str]| folder.run(&[&["events"], arguments, &["--admin", &admin]].concat());
    // The CRM is not there: after one attempt its delivery is exhausted, and then nothing is open.
    folder.until(|| {
        document(&folder.run(&["deliveries", "list", "--json", "--state", "exhausted", "--admin", &admin]).out)
        ["deliveries"].as_array().is_some_and(|found| found.len() == 1)
    });
    assert_eq!(run(&["erase"]).code, 2, "nothing is named");
    assert_eq!(run(&["erase", "--yes"]).code, 2, "nothing is named");
    assert!(run(&["erase", "--source", "door"]).out.contains("1 would be erased"));
    let listed = document(&run(&["list", "--json"]).out);
    let id = listed["events"][0]["event"]["id"].as_str().expect("an id").to_owned();
    assert!(run(&["show", &id]).out.contains("mark"), "it is still there");

    let erased = run(&["erase", &id, "--yes", "--json"]);
    assert_eq!(document(&erased.out)["erased"], 1, "{}", erased.err);
    let shown = run(&["show", &id]).out;
    assert!(!shown.contains("mark") && shown.contains("state: erased"), "{shown}");
    let again = run(&["erase", &id, "--yes"]);
    assert!(again.code == 1 && again.err.contains("erased already"), "{}", again.err);
    let retry = folder.run(&["deliveries", "retry", "--destination", "crm", "--dry-run", "--admin", &admin]);
    assert!(retry.code == 1 && retry.err.contains("their content was erased"), "{} {}", retry.out, retry.err);
    let counted = run(&["erase", &id]);
    assert_eq!((counted.code, counted.out.as_str()), (1, ""), "nothing to add --yes to: {}", counted.err);
}

#[test]
fn what_is_open_is_not_erased_and_that_is_no_success() {
    let folder = Folder::new();
    let gateway = gateway(&folder);
    let admin = gateway.admin();
    let run = |arguments: &[&str]| folder.run(&[arguments, &["--admin", &admin]].concat());
    assert_eq!(run(&["destinations", "pause", "crm"]).code, 0);
    assert_eq!(gateway.post("/unsigned", r#"{"type":"paid","id":"1"}"#), 200);
    let counted = run(&["events", "erase", "--source", "door"]);
    assert_eq!((counted.code, counted.out.as_str()), (0, ""), "there is nothing to add --yes to");
    assert!(counted.err.contains("1 keeps its content") && !counted.err.contains("--yes"), "{}", counted.err);
    let erased = run(&["events", "erase", "--source", "door", "--yes"]);
    assert!(erased.code == 1 && erased.err.contains("deliveries cancel"), "{} {}", erased.out, erased.err);
    assert_eq!(run(&["deliveries", "cancel", "--destination", "crm"]).code, 0);
    folder.until(|| run(&["events", "erase", "--source", "door", "--yes"]).code == 0);
}

#[test]
fn what_was_refused_is_erased_when_somebody_says_so() {
    let folder = Folder::new();
    let gateway = gateway(&folder);
    let admin = gateway.admin();
    let run = |arguments: &[&str]| folder.run(&[&["rejections"], arguments, &["--admin", &admin]].concat());
    assert_eq!(gateway.post("/elsewhere", r#"{"secret":"mark"}"#), 404);
    assert_eq!(gateway.post("/otherwise", r#"{"secret":"mark"}"#), 404);
    let listed = || document(&run(&["list", "--json"]).out)["rejections"].as_array().map_or(0, Vec::len);
    folder.until(|| listed() == 2);
    assert_eq!(run(&["erase"]).code, 2, "nothing is named");
    assert_eq!(run(&["erase", "--yes"]).code, 2, "nothing is named");
    assert!(run(&["erase", "--reason", "unknown_path"]).out.contains("2 would be erased for good: add --yes"));
    assert_eq!(listed(), 2, "it was only counted");
    assert!(run(&["erase", "2", "--yes"]).out.contains("1 erased"));
    assert_eq!((listed(), run(&["show", "1"]).code, run(&["show", "2"]).code), (1, 0, 1));
    assert_eq!(document(&run(&["erase", "--since", "1h", "--yes", "--json"]).out)["erased"], 1);
    let again = run(&["erase", "--reason", "unknown_path"]);
    assert_eq!((again.code, again.out.as_str()), (1, ""), "{}", again.err);
}

#[test]
fn a_gateway_with_a_key_wants_it_again() {
    let folder = Folder::new();
    let key = "a1".repeat(32);
    folder.write("hookport.toml", &[KEYED, &GATEWAY.replace("ADMIN", "127.0.0.1:0")].concat());
    let serving = folder.serve_with(&[("KEY", &key)]);
    assert_eq!(serving.post("/unsigned", r#"{"type":"paid","id":"1","secret":"mark"}"#), 200);
    serving.stop();
    let held = std::fs::read(folder.path().join("data/journal.db")).expect("the journal");
    assert!(!held.windows(4).any(|window| window == b"mark"));
    let other = "b2".repeat(32);
    let refused = folder.run_with(&["serve"], &[("KEY", &other)]);
    assert!(refused.code == 1 && refused.err.contains("a key that journal.key does not name"), "{}", refused.err);
    assert!(!refused.err.contains(&other) && !refused.err.contains("b2b2"), "{}", refused.err);
    folder.serve_with(&[("KEY", &key)]);
}
