//! `hookport sign` and `hookport verify`, which undo each other, and what a folder of cases says to both.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::program::{Folder, Run};
use crate::shipped;

const ACME: &str = r#"
[provider]
id = "acme"
version = "1.0.0"
content = "json"
[route]
path = "/acme"
[secrets.main]
about = "the signing secret"
[[verify]]
from = "header:acme-signature"
parse = "kv"
pick = "v1"
alg = "hmac-sha256"
message = "${sig:t}.${body}"
[timestamp]
from = "sig:t"
format = "unix_s"
tolerance_s = 300
"#;

const SAMPLE: &str =
    "POST /in/acme?x=1 HTTP/1.1\nX-Kept: as it is\n\n{\"id\":1}\n---------- event\n{\"type\":\"acme.event\"}\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("acme.toml", ACME);
    folder.write("sample.http", SAMPLE);
    folder
}

fn run(folder: &Folder, command: &str, request: &str, more: &[&str]) -> Run {
    folder.run(&[&[command, "--provider", "acme.toml", "--request", request], more].concat())
}

#[test]
fn what_is_signed_verifies_and_the_rest_of_the_file_stays() {
    let folder = folder();
    let options = ["--secret", "main=s3cret", "--at", "2026-11-20T14:00:00Z"];
    let signed = run(&folder, "sign", "sample.http", &options);
    assert_eq!(signed.code, 0, "{}", signed.err);
    let signature = signed.out.lines().find_map(|line| line.strip_prefix("acme-signature: ")).expect("a signature");
    assert!(signature.starts_with("t=1795183200,v1="), "{signature}");
    assert_eq!(signed.out.replace(&format!("acme-signature: {signature}\n"), ""), SAMPLE);
    assert!(signed.err.contains("verify.0, hmac-sha256"), "{}", signed.err);

    folder.write("signed.http", &signed.out);
    let verified = run(&folder, "verify", "signed.http", &options);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    folder.write("forged.http", &signed.out.replace("{\"id\":1}", "{\"id\":2}"));
    assert_eq!(run(&folder, "verify", "forged.http", &options).code, 1);
    assert_eq!(run(&folder, "verify", "signed.http", &["--secret", "main=other", options[2], options[3]]).code, 1);
    assert_eq!(run(&folder, "verify", "sample.http", &options).code, 1, "it was not signed in place");
}

#[test]
fn a_body_beside_the_request_is_signed_into_it() {
    let folder = folder();
    folder.write("head.http", "POST /acme HTTP/1.1\nacme-signature: t=1,v1=00\n\n");
    folder.write("body.json", "{\"id\":7}");
    let options = ["--secret", "main=s3cret", "--at", "2026-11-20T14:00:00Z"];
    let with_body = [&["--body", "body.json", "--out", "whole.http"][..], &options].concat();
    let signed = run(&folder, "sign", "head.http", &with_body);
    assert_eq!((signed.code, signed.out.as_str()), (0, ""), "{}", signed.err);
    assert!(fs::read_to_string(folder.path().join("whole.http")).expect("it is there").ends_with("\n\n{\"id\":7}"));
    assert_eq!(run(&folder, "verify", "whole.http", &options).code, 0);
}

#[test]
fn a_source_beside_the_request_says_what_no_option_says() {
    let folder = folder();
    folder.write("source.toml", "at = \"2026-11-20T14:00:00Z\"\nsecrets.main = { file = \"main.txt\" }\n");
    folder.write("main.txt", "s3cret\n");
    let given = "---------- given\nat = \"2026-11-20T15:00:00Z\"\nsecrets.main = { value = \"another\" }\n";
    folder.write("given.http", &format!("{SAMPLE}{given}"));
    for request in ["sample.http", "given.http"] {
        assert_eq!(run(&folder, "sign", request, &["--out", request]).code, 0, "{request}");
        assert_eq!(run(&folder, "verify", request, &[]).code, 0, "{request}");
    }
    let late = run(&folder, "verify", "sample.http", &["--at", "2026-11-20T15:00:00Z"]);
    assert!(late.code == 1 && late.out.contains("timestamp_expired"), "{}", late.out);
    let secret = run(&folder, "verify", "given.http", &["--secret", "main=s3cret", "--json"]);
    let document: Value = serde_json::from_str(&secret.out).expect("one document");
    assert_eq!((secret.code, &document["reason"]), (1, &"signature_mismatch".into()), "an option replaces");

    folder.write("source.toml", "secrets.main = { valeu = \"s3cret\" }\n");
    let wrong = run(&folder, "verify", "sample.http", &[]);
    assert!(wrong.code == 2 && wrong.err.contains("source.toml") && wrong.err.contains("\"value\""), "{}", wrong.err);
    folder.write("source.toml", "secrets.main = { value = \"s3cret\n");
    let wrong = run(&folder, "verify", "sample.http", &[]);
    assert!(wrong.code == 2 && wrong.err.contains("source.toml") && !wrong.err.contains("s3cret"), "{}", wrong.err);
}

#[test]
fn every_shipped_case_is_judged_by_its_folder_alone() {
    let (folder, mut judged) = (Folder::new(), 0);
    for provider in ["eiotclub", "evo-cloud", "sgate", "wallet-openapi"] {
        let description = shipped::sources(provider).join("provider.toml");
        for case in fs::read_dir(shipped::sources(provider).join("fixtures")).expect("cases").flatten() {
            let case = case.path();
            let Some(text) = case.extension().filter(|ending| *ending == "http").and(fs::read(&case).ok()) else {
                continue;
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            let (accepted, undecoded) = (text.contains("\n---------- event"), text.contains("\n---------- undecoded"));
            let run = judge(&folder, &description, &case);
            assert_eq!(run.code, i32::from(!accepted || undecoded), "{case:?}: {}{}", run.out, run.err);
            if let Some((_, reason)) = text.split_once("\n---------- rejected\n") {
                let reason = reason.lines().next().expect("a reason");
                assert!(run.out.contains(&format!("refused: {reason}: ")), "{case:?}: {}", run.out);
            }
            judged += 1;
        }
    }
    assert!(judged > 150, "{judged}");
}

fn judge(folder: &Folder, provider: &Path, case: &Path) -> Run {
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    folder.run(&["verify", "--provider", &text(provider), "--request", &text(case)])
}

#[test]
fn keys_beside_the_cases_sign_asymmetric_schemes() {
    let folder = Folder::new();
    let bank = shipped::sources("sgate");
    let name = "a_customer_status_change_is_accepted.http";
    for file in ["provider.toml", "fixtures/source.toml", &format!("fixtures/{name}")] {
        folder.write(file, &fs::read_to_string(bank.join(file)).expect("it is there"));
    }
    for key in ["system_public_key", "system_private_key", "merchant_private_key"] {
        let file = format!("fixtures/keys/{key}.pem");
        folder.write(&file, &fs::read_to_string(bank.join(&file)).expect("it is there"));
    }
    let arguments = ["sign", "--provider", "provider.toml", "--request", &format!("fixtures/{name}")];
    let signed = folder.run(&arguments);
    assert_eq!(signed.code, 0, "{}", signed.err);
    folder.write("fixtures/signed.http", &signed.out);
    assert_eq!(folder.run(&["verify", "--provider", "provider.toml", "--request", "fixtures/signed.http"]).code, 0);

    let other = bank.join("fixtures/keys/other_system_private_key.pem");
    let key = format!("system_public_key={}", other.display());
    let wrong = folder.run(&[&arguments[..], &["--key", &key]].concat());
    assert!(wrong.code == 2 && wrong.err.contains("does the private key belong"), "{}", wrong.err);
    fs::remove_file(folder.path().join("fixtures/keys/system_private_key.pem")).expect("it was there");
    let missing = folder.run(&arguments);
    assert!(missing.code == 2 && missing.err.contains("system_public_key is needed"), "{}", missing.err);
}
