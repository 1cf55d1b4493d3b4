//! `hookport demo --once`, as somebody runs it who wants to see it work.

use std::fs;
use std::process::Command;

use crate::shipped;

#[test]
fn the_demo_shows_every_provider_and_ends_well() {
    let temporary = tempfile::tempdir().expect("a folder");
    let output = Command::new(shipped::program()).args(["demo", "--once"]).env("TMPDIR", temporary.path()).output();
    let output = output.expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert_eq!(err, "");
    let line = |words: &[&str]| out.lines().any(|line| words.iter().all(|word| line.contains(word)));
    for words in [
        &["eiotclub.CardStopped", "sha1", "200 {\"status\":\"SUCCESS\"}", "yes"][..],
        &["eiotclub.CardStopped", "forged", "401", "refused"],
        &["evo-cloud.TokenUpdate", "sha256", "200 {}", "yes"],
        &["evo-cloud.TokenUpdate", "sha256", "200 {}", "repeat"],
        &["evo-cloud.TokenUpdate", "hmac-sha512", "200 {}", "yes"],
        &["evo-cloud.TokenUpdate", "sm2-sm3", "200 {}", "yes"],
        &["sgate.CUSTOM_STATUS_CHANGE", "rsa-pkcs1-md5", "200", "4 fields opened"],
        &["sgate.SALARY_STATUS_CHANGE", "forged", "401", "refused"],
        &["wallet-openapi.card.status.active", "200 {\"code\":0,\"message\":\"success\"}", "yes"],
        &["szzkc.SimCardChanged", "asked by the gateway", "yes"],
        &["11 events stored and delivered", "1 repeat", "2 forged requests refused"],
    ] {
        assert!(line(words), "no line says {words:?}:\n{out}");
    }
    assert_eq!(fs::read_dir(temporary.path()).expect("the folder").count(), 0, "something is left behind");
}

#[test]
fn without_the_plugins_it_says_how_they_are_built() {
    let folder = tempfile::tempdir().expect("a folder");
    let alone = folder.path().join("hookport");
    fs::copy(shipped::program(), &alone).expect("a copy");
    let output = Command::new(&alone).args(["demo", "--once"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cargo build") && said.contains("eiotclub") && said.contains("sgate"), "{said}");
}
