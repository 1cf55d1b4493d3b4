//! The conformance kit: what is right passes, and every planted defect is found, told and found again.

use serde_json::Value;

use crate::cli::program::Folder;
use crate::plugins::built;
use crate::shipped;

/// The answer of `plugin check --json`.
pub(super) fn check(folder: &Folder, arguments: &[&str]) -> (i32, Value) {
    let run = folder.run(&[&["plugin", "check", "--json"], arguments].concat());
    let document: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}{}", run.out, run.err));
    (run.code, document["files"][0].clone())
}

/// A case of the kit.
pub(super) fn case<'r>(report: &'r Value, name: &str) -> &'r Value {
    let found = report["kit"].as_array().and_then(|kit| kit.iter().find(|told| told["case"] == name));
    found.unwrap_or_else(|| panic!("{name} is not in {report}"))
}

pub(super) fn told(report: &Value, name: &str) -> String {
    case(report, name)["details"].to_string()
}

#[test]
fn a_new_provider_passes_and_each_planted_weakness_of_its_scheme_is_found() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["plugin", "new", "acme", "--no-code"]).code, 0);
    let (code, report) = check(&folder, &["acme"]);
    assert_eq!(code, 0, "{report}");
    let signature = report["kit"].as_array().into_iter().flatten();
    let signature = signature.filter(|told| told["case"].as_str().is_some_and(|name| name.starts_with("signature/")));
    assert_eq!(signature.filter(|told| told["result"] == "passed").count(), 11, "{report}");

    let text = std::fs::read_to_string(folder.path().join("acme/provider.toml")).expect("it was made");
    let body = "${header:acme-timestamp}.${body}";
    let sign = |description: &str| {
        folder.write("acme/provider.toml", description);
        for case in ["a_payment_is_accepted", "an_unknown_event_is_passed_on"] {
            let file = format!("acme/fixtures/{case}.http");
            let run = folder.run(&["sign", "--provider", "acme/provider.toml", "--request", &file, "--out", &file]);
            assert_eq!(run.code, 0, "{}", run.err);
        }
        check(&folder, &["acme"])
    };
    let (code, report) = sign(&text.replace(body, "${header:acme-timestamp}.${json:/id}"));
    assert_eq!((code, &case(&report, "signature/flipped_bytes")["result"]), (1, &"failed".into()), "{report}");
    assert!(told(&report, "signature/flipped_bytes").contains("can be changed, and covers = "), "{report}");
    let (code, report) = sign(&text.replace("encoding = \"hex\"", "encoding = [\"hex\", \"base64\"]"));
    assert_eq!(code, 0, "two encodings are declared: {report}");
    let same = "[ack.rejected]\nstatus = 200\njson = '{\"received\":true}'\n";
    let (code, report) = sign(&format!("{text}\n{same}"));
    assert!(code == 1 && told(&report, "description/acks").contains("is answered as what is accepted"), "{report}");
    let (code, report) = sign(&text.replace("type = \"json:/type\"", "type = \"json:/kind\""));
    assert_eq!(code, 1, "{report}");
    assert!(told(&report, "description/event_types").contains("json:/kind"), "{report}");
}

#[test]
fn a_library_that_ends_the_process_is_a_result_and_not_the_end() {
    let folder = Folder::new();
    let library = built::plugin("constructor").display().to_string();
    let run = folder.run(&["plugin", "check", &library]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("kit load/opens: crashed") && run.out.contains("SIGABRT"), "{}", run.out);
    assert!(run.out.contains("--reproduce load/opens"), "{}", run.out);
}

#[test]
fn crashes_ends_hangs_and_files_that_are_read_are_told_apart() {
    let library = built::plugin("hostile").display().to_string();
    let of = |event: &str, case_of: &str, more: &[&str]| {
        let folder = Folder::new();
        let request =
            format!("POST /hostile HTTP/1.1\ncontent-type: application/json\n\n{{\"event\":\"{event}\",\"id\":\"1\"}}");
        folder.write("fixtures/one.http", &format!("{request}\n---------- event\n{{\"type\":\"hostile.{event}\"}}\n"));
        let (code, report) = check(&folder, &[&[library.as_str(), "--fixtures", "fixtures"], more].concat());
        assert_eq!(code, 1, "{report}");
        (case(&report, case_of)["result"].clone(), told(&report, case_of))
    };
    let (result, told) = of("crashes", "load/opens", &[]);
    assert!(result == "crashed" && told.contains("SIGSEGV"), "{told}");
    let (result, told) = of("exits", "decoding/deterministic", &[]);
    assert!(result == "crashed" && told.contains("left with exit code 0 in the middle of a call"), "{told}");
    let (result, told) = of("swallows memory", "load/opens", &[]);
    assert!(result == "crashed" && told.contains("SIGABRT"), "{told}");
    let (result, told) = of("hangs", "load/opens", &["--timeout", "2"]);
    assert!(result == "timed_out", "{told}");
    let (result, told) = of("reads a file", "purity/walls", &[]);
    assert!(result == "failed" && told.contains("one: in a worker"), "{told}");
    assert!(told.contains("it was refused the system calls openat"), "{told}");
}

#[test]
fn a_decoder_that_panics_is_named_with_its_place_and_found_again_by_its_seed() {
    let folder = Folder::new();
    let library = built::plugin("odd").display().to_string();
    let description = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/odd/provider.toml");
    folder.write("fixtures/source.toml", "at = \"2026-01-05T12:00:00Z\"\nsecrets.main = { value = \"s3cret\" }\n");
    let write = |event: &str| {
        let request =
            format!("POST /odd HTTP/1.1\ncontent-type: application/json\n\n{{\"event\":\"{event}\",\"iccid\":\"1\"}}");
        folder.write("fixtures/one.http", &format!("{request}\n---------- event\n{{\"type\":\"odd.{event}\"}}\n"));
        let file = "fixtures/one.http";
        let signed = folder.run(&["sign", "--provider", description, "--request", file, "--out", file]);
        // Code builds its operation: without it the description is none, so the library is named.
        if signed.code != 0 {
            let signed = folder.run(&["sign", "--provider", &library, "--request", file, "--out", file]);
            assert_eq!(signed.code, 0, "{}", signed.err);
        }
    };
    write("panics");
    let (code, report) = check(&folder, &[&library, "--fixtures", "fixtures"]);
    assert_eq!((code, &report["cases"][0]["holds"]), (1, &false.into()), "{report}");
    assert!(told(&report, "load/opens").contains("boom at /odd"), "{report}");
    let mutated = told(&report, "hostile/mutated");
    assert!(mutated.contains("the plugin panicked") && mutated.contains("odd/src/lib.rs:"), "{mutated}");
    let again = folder.run(&[
        "plugin",
        "check",
        &library,
        "--fixtures",
        "fixtures",
        "--seed",
        "1",
        "--reproduce",
        "hostile/mutated",
    ]);
    let first: Vec<String> = serde_json::from_str(&mutated).expect("a list");
    assert!(again.code == 1 && again.out.contains(&first[0]), "{} is not in {}", first[0], again.out);

    write("typed");
    let (_, report) = check(&folder, &[&library, "--fixtures", "fixtures"]);
    for name in [
        "load/two_copies",
        "decoding/parallel",
        "decoding/borrowed_memory",
        "purity/walls",
        "hostile/mutated",
        "hostile/deep",
    ] {
        assert_eq!(case(&report, name)["result"], "passed", "{report}");
    }
    let unknown = folder.run(&["plugin", "check", &library, "--reproduce", "hostile/nothing"]);
    assert!(unknown.code == 2 && unknown.err.contains("hostile/mutated"), "{}", unknown.err);
}

#[test]
fn the_shipped_providers_pass_with_their_code() {
    let folder = Folder::new();
    for provider in shipped::PROVIDERS {
        let fixtures = shipped::sources(provider).join("fixtures").display().to_string();
        let library = shipped::folder().join(shipped::library(provider)).display().to_string();
        let (code, report) = check(&folder, &[&library, "--fixtures", &fixtures]);
        assert_eq!((code, &report["ok"]), (0, &true.into()), "{provider}: {report}");
        for name in ["load/older_host", "load/newer_host"] {
            assert_eq!(case(&report, name)["result"], "passed", "{provider}: {report}");
        }
        // Whoever makes calls shows for each what was answered once.
        let calls = if provider == "wallet-openapi" { "left_out" } else { "passed" };
        assert_eq!(case(&report, "operations/exchanges")["result"], calls, "{provider}: {report}");
        assert!(calls == "left_out" || told(&report, "operations/exchanges") == "[]", "{provider}: {report}");
    }
}
