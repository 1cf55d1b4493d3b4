//! The catalogue: providers that are built in, used by their ids, shown, copied and corrected.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::program::Folder;

fn catalog() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/catalog")
}

fn configured(folder: &Folder, provider: &str) {
    let source =
        format!("[sources.hub]\nprovider = \"{provider}\"\nsecrets.main = {{ value = \"a secret of my own\" }}\n");
    folder.write(
        "hookport.toml",
        &format!("{source}{}", "[plugins]\ndirs = [\"providers\"]\n[log]\nformat = \"json\"\n"),
    );
    folder.append("hookport.toml", "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n");
}

#[test]
fn a_provider_of_the_catalogue_works_by_its_id_alone() {
    let folder = Folder::new();
    configured(&folder, "github");
    let check = folder.run(&["check"]);
    assert_eq!(check.code, 0, "{}", check.err);
    assert!(check.out.contains("embedded:github"), "{}", check.out);
    let serving = folder.serve();
    let to = serving.public();
    let played = folder.run(&["simulate", "hub", "accepted", "--to", &to]);
    assert_eq!(played.code, 0, "{}{}", played.out, played.err);
    assert_eq!(folder.run(&["simulate", "hub", "accepted", "--to", &to, "--tamper", "body"]).code, 0, "it is refused");

    let list = folder.run(&["plugin", "list", "--json"]);
    let list: Value = serde_json::from_str(&list.out).expect("one document");
    let ids: Vec<_> = list["plugins"].as_array().expect("a list").iter().map(|plugin| &plugin["provider"]).collect();
    assert_eq!(ids, ["called", "github", "signed", "unsigned"], "of the catalogue only what a source names");
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_copy_in_a_plugin_folder_goes_before_the_one_that_is_built_in() {
    let folder = Folder::new();
    configured(&folder, "github");
    let text = folder.run(&["plugin", "show", "github"]).out;
    assert_eq!(Some(&text), fs::read_to_string(catalog().join("github/provider.toml")).ok().as_ref());
    let corrected = text.replace("id = \"github\"\n", "id = \"github\"\n# Corrected.\n");
    folder.write("providers/github/provider.toml", &corrected);
    let check = folder.run(&["check"]);
    assert_eq!(check.code, 0, "{}", check.err);
    assert!(check.out.contains("providers/github/provider.toml") && !check.out.contains("embedded:"), "{}", check.out);

    folder.write("providers/github/provider.toml", &corrected.replace("[[verify]]", "[[verfy]]"));
    let check = folder.run(&["check"]);
    assert_eq!(check.code, 1, "whoever corrected it does not get the uncorrected one: {}", check.out);
    assert!(check.err.contains("\"verify\"") && check.err.contains("mend it"), "{}", check.err);
    assert!(!check.out.contains("embedded:"), "{}", check.out);
}

#[test]
fn an_id_that_is_nearly_right_is_told_the_right_one() {
    let folder = Folder::new();
    configured(&folder, "gihtub");
    for arguments in [
        &["check"][..],
        &["plugin", "show", "gihtub"],
        &["plugin", "inspect", "gihtub"],
        &["verify", "--provider", "gihtub", "--request", "x.http"],
    ] {
        let run = folder.run(arguments);
        assert!(run.code > 0 && run.err.contains("did you mean \"github\"?"), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn the_table_is_made_from_the_files_themselves() {
    let folder = Folder::new();
    let run = folder.run(&["plugin", "catalog", "--json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let built_in: Value = serde_json::from_str(&run.out).expect("one document");
    let of_folder = folder.run(&["plugin", "catalog", &catalog().display().to_string(), "--json"]);
    assert_eq!(of_folder.out, run.out, "what is built in is what the folder has");

    let rows = built_in["providers"].as_array().expect("a list");
    let ids: BTreeSet<String> = rows.iter().map(|row| row["provider"].as_str().expect("an id").to_owned()).collect();
    let folders = fs::read_dir(catalog()).expect("the catalogue").flatten();
    let names: BTreeSet<String> = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(ids, names, "a folder is called as its provider");
    for row in rows {
        assert!(row["cases"].as_u64() > Some(0) && row["evidence"].is_string() && row["docs"].is_string(), "{row}");
    }

    let markdown = folder.run(&["plugin", "catalog", "--markdown"]).out;
    assert_eq!(markdown.lines().count(), rows.len() + 2);
    assert!(markdown.lines().all(|line| line.matches('|').count() - line.matches("\\|").count() == 8), "{markdown}");
    let table = folder.run(&["plugin", "catalog"]).out;
    assert_eq!(table.lines().count(), rows.len() + 1);
}

#[test]
fn a_folders_table_has_what_is_broken_beside_it() {
    let folder = Folder::new();
    folder.write("providers/bad/provider.toml", "[provider]\nid = \"bad\"\n[[verify]]\nalg = \"none\"\n");
    let run = folder.run(&["plugin", "catalog", "providers"]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("signed") && run.err.contains("refused: providers/bad/provider.toml"), "{}", run.err);
    assert_eq!(folder.run(&["plugin", "catalog", "providers/signed"]).code, 0);
    let nothing = folder.run(&["plugin", "catalog", "."]);
    assert!(nothing.code == 2 && nothing.err.contains("provider.toml"), "{}", nothing.err);
}

#[test]
fn the_native_providers_are_rows_too() {
    let plugins = catalog().parent().expect("plugins").display().to_string();
    let run = Folder::new().run(&["plugin", "catalog", &plugins]);
    assert_eq!(run.code, 0, "{}", run.err);
    for provider in crate::shipped::PROVIDERS {
        assert!(run.out.contains(provider), "{}", run.out);
    }
}

#[test]
fn a_handshake_is_answered_offline_and_what_it_tells_is_named() {
    let verify = |provider: &str, case: &str| {
        let file = catalog().join(provider).join("fixtures").join(case).display().to_string();
        let run = Folder::new().run(&["verify", "--provider", provider, "--request", &file, "--json"]);
        let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
        (run.code, document)
    };
    let (code, echoed) = verify("meta", "handshake.http");
    assert_eq!((code, &echoed["handshake"]["captured"], &echoed["events"]), (0, &json!([]), &json!([])), "{echoed}");
    assert_eq!(echoed["ack"]["body"], "1158201444");
    let (code, refused) = verify("meta", "handshake_with_another_token_is_refused.http");
    assert_eq!((code, &refused["reason"], refused.get("handshake")), (1, &json!("signature_mismatch"), None));
    let (code, told) = verify("asana", "handshake.http");
    assert_eq!((code, &told["handshake"]["captured"]), (0, &json!(["main"])), "{told}");
    let (_, event) = verify("github", "accepted.http");
    assert_eq!((&event["accepted"], event.get("handshake")), (&json!(true), None));
}

#[test]
fn a_key_that_would_be_fetched_is_given_offline() {
    let folder = Folder::new();
    let cases = catalog().join("aws-sns/fixtures");
    for file in ["accepted.http", "source.toml", "fetched.toml"] {
        folder.write(file, &fs::read_to_string(cases.join(file)).expect("it is there"));
    }
    let arguments = ["verify", "--provider", "aws-sns", "--request", "accepted.http"];
    let run = folder.run(&arguments);
    assert_eq!(run.code, 0, "fetched.toml beside the case says what is there: {}{}", run.out, run.err);

    let fetched = fs::read_to_string(folder.path().join("fetched.toml")).expect("it is there");
    let fetched: toml::Table = fetched.parse().expect("TOML");
    let (url, text) = fetched.iter().next().expect("a URL");
    fs::remove_file(folder.path().join("fetched.toml")).expect("it was there");
    let run = folder.run(&arguments);
    assert!(run.code == 1 && run.out.contains("refused: unavailable"), "{}{}", run.out, run.err);
    assert!(run.out.contains(&format!("{url}: give what is there with --fetched")), "{}", run.out);
    folder.write("key.pem", text.as_str().expect("a certificate"));
    let run = folder.run(&[&arguments[..], &["--fetched", &format!("{url}=key.pem")]].concat());
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
}
