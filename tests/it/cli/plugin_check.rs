//! `hookport plugin check`: what is wrong with a description is told at once, and its cases are run.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::program::Folder;
use crate::shipped;

const ACME: &str = r#"
[provider]
id = "acme"
docs = "https://acme.example/webhooks"
evidence = "vendor-doc"
content = "json"
[route]
path = "/acme"
[secrets.main]
about = "the signing secret"
[[verify]]
from = "header:acme-signature"
alg = "hmac-sha256"
message = "${body}"
[event]
type = "json:/type"
"#;

const SOURCE: &str = "at = \"2026-11-20T14:00:00Z\"\nsecrets.main = { value = \"s3cret\" }\n";
const REQUEST: &str = "POST /acme HTTP/1.1\n\n{\"type\":\"paid\",\"n\":1.0}\n";

/// A provider with a case that is accepted and one that is refused.
fn acme() -> Folder {
    let folder = Folder::new();
    folder.write("acme/provider.toml", ACME);
    folder.write("acme/fixtures/source.toml", SOURCE);
    let event = "---------- event\n{ \"type\": \"acme.paid\", \"data\": { \"type\": \"paid\", \"n\": 1.0 } }\n";
    folder.write("acme/fixtures/paid.http", &format!("{REQUEST}{event}---------- ack\n200\n---------- again\n200\n"));
    let file = "acme/fixtures/paid.http";
    let signed = folder.run(&["sign", "--provider", "acme/provider.toml", "--request", file, "--out", file]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    folder.write(
        "acme/fixtures/unsigned.http",
        &format!("{REQUEST}---------- rejected\nsignature_missing\n---------- ack\n401\n"),
    );
    folder
}

fn check(folder: &Folder) -> (i32, Value) {
    let run = folder.run(&["plugin", "check", "acme", "--json"]);
    let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    (run.code, document["files"][0].clone())
}

#[test]
fn a_provider_that_is_right_is_ok() {
    let folder = acme();
    let run = folder.run(&["plugin", "check", "acme"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains("case paid: holds\ncase unsigned: holds\n"), "{}", run.out);
    assert!(
        run.out.contains("acme/provider.toml: 0 errors, 0 warnings, 2 of 2 cases hold, 11 of 11 of the kit\n"),
        "{}",
        run.out
    );
}

#[test]
fn a_case_that_does_not_hold_says_what_came() {
    let folder = acme();
    let path = folder.path().join("acme/fixtures/paid.http");
    let case = fs::read_to_string(path).expect("it was signed");
    let differences = |changed: String| {
        folder.write("acme/fixtures/paid.http", &changed);
        let (code, report) = check(&folder);
        assert_eq!((code, &report["cases"][0]["holds"]), (1, &json!(false)), "{report}");
        report["cases"][0]["differences"].to_string()
    };
    assert!(differences(case.replace("acme.paid", "acme.sold")).contains(r#"type: expected \"acme.sold\""#));
    assert!(differences(case.replace("\"n\": 1.0", "\"n\": 1")).contains("data: expected"), "numbers as written");
    assert!(differences(case.replace("{\"type\":\"paid\"", "{\"type\":\"sold\"")).contains("came signature_mismatch"));
    assert!(differences(case.replace("ack\n200", "ack\n202")).contains("ack: status expected"));
    assert!(differences(case.replace("again\n200", "again\n202")).contains("again: status expected"));
    assert!(differences(case.replace("-- again", "-- agian")).contains("no section is called"));
    assert!(differences(case.replace("POST /acme", "POST /elsewhere")).contains("came unknown_path"));
    assert!(differences(case.replace("POST /acme", "PUT /acme")).contains("came method"));
}

#[test]
fn everything_wrong_is_told_with_line_key_and_what_was_meant() {
    let folder = acme();
    let wrong = ACME.replace("hmac-sha256", "hmac-sha265").replace("about =", "abuot = 1\nabout =");
    folder.write("acme/provider.toml", &wrong.replace("json:/type", "config:prefix"));
    let (code, report) = check(&folder);
    let errors = report["errors"].as_array().expect("a list");
    let told = |key: &str, line: u64, part: &str| {
        errors.iter().any(|error| {
            error["key"] == key
                && error["line"] == line
                && error["message"].as_str().is_some_and(|it| it.contains(part))
        })
    };
    assert_eq!((code, &report["ok"], &report["cases"]), (1, &json!(false), &json!([])));
    assert!(told("secrets.main.abuot", 10, "did you mean \"about\"?"), "{report}");
    assert!(told("verify.0.alg", 14, "hmac-sha256"), "{report}");

    folder.write("acme/provider.toml", &ACME.replace("json:/type", "config:prefix"));
    let (_, report) = check(&folder);
    assert!(report["errors"].to_string().contains("config:prefix is not declared"), "{report}");
    folder.write("acme/provider.toml", "[provider\n");
    let (code, report) = check(&folder);
    assert_eq!((code, &report["errors"][0]["line"]), (1, &json!(1)), "{report}");
}

#[test]
fn what_is_allowed_and_worth_a_look_is_a_warning() {
    let folder = acme();
    fs::remove_dir_all(folder.path().join("acme/fixtures")).expect("they were there");
    let weak = ACME.replace("docs = \"https://acme.example/webhooks\"\nevidence = \"vendor-doc\"\n", "");
    let weak = weak.replace("hmac-sha256", "sha1").replace("${body}", "${json:/type}${secret}");
    folder.write("acme/provider.toml", &format!("{weak}covers = \"fields\"\n"));
    let (code, report) = check(&folder);
    assert_eq!((code, &report["ok"], &report["errors"]), (0, &json!(true), &json!([])), "{report}");
    let warnings = report["warnings"].to_string();
    for part in ["provider.docs", "provider.evidence", "weaker than a MAC", "can be changed on the way", "no cases"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}

#[test]
fn a_folder_of_providers_is_checked_whole_and_what_is_no_plugin_is_unusable() {
    let folder = acme();
    folder.write("all/bad/provider.toml", "[provider]\nid = \"bad\"\n[route]\npath = \"/bad\"\n");
    folder.write("all/good/provider.toml", ACME);
    let run = folder.run(&["plugin", "check", "all", "acme/provider.toml"]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert!(run.out.contains("not ok: all/bad/provider.toml: 1 error"), "{}", run.out);
    assert!(run.out.contains("\nok: all/good/provider.toml") && run.out.contains("\nok: acme/provider.toml"));
    assert!(!run.out.contains("holds"), "only one that is checked alone lists what holds: {}", run.out);
    for nothing in ["acme/fixtures", "nowhere.toml", "acme/fixtures/paid.http"] {
        let run = folder.run(&["plugin", "check", nothing]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{nothing}: {}", run.err);
    }
}

#[test]
fn the_shipped_providers_hold_with_their_code_and_without() {
    let folder = Folder::new();
    for provider in shipped::PROVIDERS {
        let sources = shipped::sources(provider);
        let fixtures = sources.join("fixtures").display().to_string();
        let library = shipped::folder().join(shipped::library(provider));
        let text = |path: &Path| path.display().to_string();
        let alone = folder.run(&["plugin", "check", &text(&sources)]);
        assert!(alone.code == 0 && alone.out.contains("its code is not checked"), "{}", alone.out);
        let whole = folder.run(&["plugin", "check", &text(&library), "--fixtures", &fixtures]);
        assert!(whole.code == 0 && !whole.out.contains("its code is not checked"), "{}", whole.out);
    }
}

#[test]
fn the_schema_is_printed_as_it_is_committed() {
    let run = Folder::new().run(&["plugin", "schema"]);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/provider.schema.json");
    assert_eq!(Some(run.out), fs::read_to_string(committed).ok());
}
