//! Plugins as files and as code: what is refused and with which words, what is told without running it, and that nothing a
//! plugin does in its functions but crash reaches the gateway.

mod built;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use hookport::plugin::{
    Answer, DecodeRequest, DecodedEvent, Fault, FaultKind, Header, LoadError, LoadFault, Loaded, Native, OpResult,
    discover, inspect, load,
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

// ---- what it can do ----

#[test]
fn a_decoder_sees_the_request_as_received() {
    let loaded = odd();
    let event = one(decode_as(native(&loaded), "echo"));
    let given: serde_json::Value = serde_json::from_str(text_of(&event)).expect("JSON");
    assert_eq!(given["method"], "POST");
    assert_eq!(given["target"], "/odd?x=%20");
    assert_eq!(given["header"], "as received");
    assert_eq!(given["headers"][1][1], "\u{fffd}");
    assert_eq!(given["body"], 10);
    assert_eq!(given["received"], 1_700_000_000_123_i64);
    assert_eq!(given["subject"], "8985");
    assert_eq!(given["document"], DOCUMENT);
}

#[test]
fn a_typed_event_goes_on_as_received_and_what_does_not_fit_is_a_warning() {
    let loaded = odd();
    assert_eq!(one(decode_as(native(&loaded), "typed")), DecodedEvent::default());
    let checked = one(decode_as(native(&loaded), "checked"));
    assert_eq!(checked.warnings, ["iccid 8985 has not 19 digits"]);
    assert_eq!(checked.data, None);
    let headers = HeaderMap::new();
    let request = DecodeRequest {
        method: "POST",
        target: "/",
        headers: &headers,
        body: b"",
        received: Timestamp::UNIX_EPOCH,
        declared_type: "typed",
        declared_subject: None,
        document: r#"{"iccid":5}"#,
    };
    let changed = one(native(&loaded).decode(&request));
    assert_eq!(changed.data, None);
    assert!(changed.warnings[0].starts_with("not as documented: invalid type"), "{:?}", changed.warnings);
}

#[test]
fn one_member_is_rewritten_and_the_numbers_of_the_others_stay() {
    let loaded = odd();
    let event = one(decode_as(native(&loaded), "rewritten"));
    assert_eq!(text_of(&event), r#"{"iccid":"8985","n":10.00,"inner":{"a":1.50}}"#);
}

#[test]
fn a_batch_becomes_several_events_each_with_its_own_warnings() {
    let loaded = odd();
    let headers = HeaderMap::new();
    let request = DecodeRequest {
        method: "POST",
        target: "/",
        headers: &headers,
        body: b"",
        received: Timestamp::UNIX_EPOCH,
        declared_type: "split",
        declared_subject: None,
        document: r#"[{"a":1.0},2]"#,
    };
    let events = native(&loaded).decode(&request).expect("events");
    let seen: Vec<_> = events.iter().map(|e| (e.kind.as_deref(), e.subject.as_deref(), text_of(e))).collect();
    assert_eq!(seen, [(Some("Item"), Some("0"), r#"{"a":1.0}"#), (Some("Item"), Some("1"), "2")]);
    assert_eq!(events[1].warnings, ["one of several", "and another"]);
}

#[test]
fn an_operation_builds_requests_and_reads_answers() {
    let loaded = odd();
    let code = native(&loaded);
    assert!(code.decodes() && code.operates());
    let settings = r#"{"base_url":"https://odd.example"}"#;
    let plans = code.op_build("query", r#"{"numbers":["1","2"]}"#, settings).expect("plans");
    assert_eq!(plans.len(), 2);
    assert_eq!((plans[1].method.as_str(), plans[1].url.as_str()), ("POST", "https://odd.example/query"));
    assert_eq!((&plans[1].body[..], plans[1].timeout_s), (&b"\"2\""[..], Some(30)));
    assert_eq!(plans[1].headers[1], ("x-odd".into(), "1".into()));

    let retry = [Header { name: "retry-after", value: b"7" }];
    let answer = |status: u16, body: &'static [u8], error: Option<&'static str>| Answer {
        status,
        headers: retry.to_vec(),
        body: body.into(),
        error: error.map(Into::into),
    };
    let parse = |answers: &[Answer<'_>]| code.op_parse("query", "{}", settings, answers);
    assert!(matches!(parse(&[answer(200, b"", None)]), Ok(OpResult::More(plans)) if plans.len() == 1));
    let both = [answer(200, b"", None), answer(200, b"\"fine\"", None)];
    assert_eq!(parse(&both), Ok(OpResult::Done("\"fine\"".into())));
    assert_eq!(parse(&[answer(429, b"", None)]), Ok(OpResult::RetryAfter(7)));
    assert_eq!(parse(&[answer(0, b"", Some("no route"))]), Ok(OpResult::Fail("no route".into())));
    assert_eq!(parse(&[answer(500, b"", None)]).expect_err("refused").to_string(), "status 500");
    assert_eq!(parse(&[answer(299, b"", None)]).expect_err("not JSON").kind, FaultKind::BadOutput);
    let wrong = code.op_build("query", "{}", settings).expect_err("no numbers");
    assert_eq!(wrong.kind, FaultKind::Refused);
    assert!(wrong.to_string().starts_with("the input is wrong: missing field"), "{wrong}");
}

#[test]
fn a_line_of_a_plugin_is_in_the_log_under_its_id() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("lines").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let loaded = odd();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || decode_as(native(&loaded), "logs")).expect("an event");
    let text = String::from_utf8(lines.0.lock().expect("lines").clone()).expect("text");
    assert!(text.contains("WARN") && text.contains("the plugin says POST"), "{text}");
    assert!(text.contains("plugin=odd") && text.contains("module=odd"), "{text}");
}

// ---- what it cannot do ----

#[test]
fn a_panic_comes_back_as_a_value_with_its_place() {
    let loaded = odd();
    let fault = decode_as(native(&loaded), "panics").expect_err("a panic");
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Panic, "boom at /odd?x=%20"));
    assert!(fault.location.as_deref().is_some_and(|place| place.contains("odd/src/lib.rs:")), "{fault:?}");
    let fault = decode_as(native(&loaded), "overflows").expect_err("a panic");
    assert!(fault.message.contains("out of bounds"), "{fault}");
    let fault = native(&loaded).op_build("panics", "{}", "{}").expect_err("a panic");
    assert_eq!(fault.message, "no such operation");
    assert_eq!(one(decode_as(native(&loaded), "typed")), DecodedEvent::default(), "it goes on after a panic");
}

#[test]
fn a_panic_whose_payload_panics_again_is_still_a_value() {
    let loaded = odd();
    for _ in 0..3 {
        let fault = decode_as(native(&loaded), "panics with a grudge").expect_err("a panic");
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::Panic, "a panic without words"));
    }
    let fault = decode_as(native(&loaded), "panics with a number").expect_err("a panic");
    assert_eq!(fault.kind, FaultKind::Panic);
}

#[test]
fn panics_of_many_threads_keep_their_own_words() {
    let loaded = odd();
    let code = native(&loaded);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for _ in 0..50 {
                    let misdeed = if thread % 2 == 0 { "panics" } else { "overflows" };
                    let message = decode_as(code, misdeed).expect_err("a panic").message;
                    assert_eq!(message.contains("boom"), thread % 2 == 0, "{message}");
                }
            });
        }
    });
}

#[test]
fn a_refusal_is_the_authors_own_words() {
    let loaded = odd();
    let fault = decode_as(native(&loaded), "refuses").expect_err("a refusal");
    assert_eq!((fault.kind, fault.to_string().as_str()), (FaultKind::Refused, "no events in this one"));
}

#[test]
fn a_flood_of_events_is_stopped_even_if_the_decoder_goes_on() {
    let loaded = odd();
    for misdeed in ["floods", "floods and goes on"] {
        let fault = decode_as(native(&loaded), misdeed).expect_err("too much");
        assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::TooMuch, "more than 10000 events"));
    }
    let fault = decode_as(native(&loaded), "swells").expect_err("too much");
    assert_eq!(fault.message, "more than 32 MiB for one request");
    let fault = native(&loaded).op_build("floods", "{}", "{}").expect_err("too much");
    assert_eq!(fault.message, "more than 1000 requests");
}

#[test]
fn warnings_are_few_and_short_whatever_the_decoder_says() {
    let loaded = odd();
    let event = one(decode_as(native(&loaded), "warns for ever"));
    assert_eq!(event.warnings.len(), 33);
    assert!(event.warnings.iter().all(|warning| warning.chars().count() <= 501));
    assert!(event.warnings[32].contains("left out"));
}

#[test]
fn what_is_not_json_or_too_deep_or_nothing_is_a_fault() {
    let loaded = odd();
    let fault = |misdeed| decode_as(native(&loaded), misdeed).expect_err("unusable").to_string();
    assert!(fault("is not JSON").contains("an event's data is not JSON: EOF"));
    assert!(fault("is deep").contains("deeper than 128"));
    assert!(fault("has no name").contains("no control characters"));
    assert!(fault("says nothing").contains("gave no event"));
}

#[test]
fn after_quiesce_no_call_reaches_the_plugin() {
    let loaded = odd();
    native(&loaded).quiesce();
    native(&loaded).quiesce();
    assert_eq!(decode_as(native(&loaded), "typed").expect_err("ended").kind, FaultKind::Absent);
}

#[test]
fn a_plugin_without_functions_says_so() {
    let loaded = load(&plugin("plain")).expect("it loads");
    assert!(!native(&loaded).decodes() && !native(&loaded).operates());
    assert_eq!(decode_as(native(&loaded), "x").expect_err("no decoder").kind, FaultKind::Absent);
    assert_eq!(native(&loaded).op_build("x", "{}", "{}").expect_err("no builder").kind, FaultKind::Absent);
    assert_eq!(native(&loaded).op_parse("x", "{}", "{}", &[]).expect_err("no parser").kind, FaultKind::Absent);
}

// ---- versions ----

#[test]
fn several_plugins_and_several_generations_of_one_live_side_by_side() {
    let folder = folder();
    let file = folder.path().join("same.so");
    fs::copy(plugin("odd"), &file).expect("a copy");
    let first = load(&file).expect("the first generation");
    fs::copy(plugin("plain"), &file).expect("the next version over the same path");
    let second = load(&file).expect("the second generation");
    let third = load(&plugin("odd")).expect("the first again");
    assert_eq!(second.description.provider.id, "plain");
    assert_ne!(first.sha256, second.sha256);
    assert_eq!(first.sha256, third.sha256);
    for generation in [&first, &third] {
        assert_eq!(one(decode_as(native(generation), "typed")), DecodedEvent::default());
    }
    assert_eq!(decode_as(native(&second), "typed").expect_err("no decoder").kind, FaultKind::Absent);
}

#[test]
fn an_older_plugin_loads_on_this_host_and_a_newer_one_too_in_any_order() {
    let (newer, older, ours) = (load(&built::newer()), load(&built::older()), odd());
    let (newer, older) = (newer.expect("one function more"), older.expect("one function less"));
    assert_eq!((newer.abi, older.abi), (Some((1, 1)), Some((1, 0))));
    for loaded in [&newer, &older, &ours] {
        assert_eq!(
            text_of(&one(decode_as(native(loaded), "rewritten"))),
            r#"{"iccid":"8985","n":10.00,"inner":{"a":1.50}}"#
        );
        assert_eq!(decode_as(native(loaded), "panics").expect_err("a panic").kind, FaultKind::Panic);
        native(loaded).quiesce();
    }
}

#[test]
fn a_plugin_whose_types_are_not_ours_is_refused_in_one_line() {
    let error = refusal(&built::changed());
    assert!(matches!(error.fault, LoadFault::Layout(_)));
    assert!(error.to_string().contains("does not fit this gateway's plugin ABI 1.0"), "{error}");
}

#[test]
fn a_newer_major_or_a_newer_floor_is_refused_with_the_way_out() {
    let folder = folder();
    let major = refusal(&with_identity(&folder, "major.so", 12, 2)).to_string();
    assert!(major.contains("built for plugin ABI 2.0") && major.contains("upgrade the gateway"), "{major}");
    let floor = refusal(&with_identity(&folder, "floor.so", 16, 4)).to_string();
    assert!(floor.contains("needs a gateway with at least 1.4"), "{floor}");
    let nought = refusal(&with_identity(&folder, "nought.so", 12, 0)).to_string();
    assert!(nought.contains("upgrade the plugin"), "{nought}");
}

#[test]
fn a_plugin_that_aborts_on_panic_is_refused_by_the_host_and_by_the_compiler() {
    let folder = folder();
    let error = refusal(&with_identity(&folder, "abort.so", 18, 0));
    assert!(matches!(error.fault, LoadFault::PanicAbort));
    let words = built::refused_by_the_compiler(&["-C", "panic=abort"]);
    assert!(words.contains("must be built with panic = \"unwind\""), "{words}");
}

// ---- files ----

#[test]
fn every_cut_of_a_plugin_is_an_error_and_never_a_signal() {
    let folder = folder();
    let whole = fs::read(plugin("odd")).expect("a built plugin");
    let lengths = (0..whole.len()).step_by(whole.len() / 97).chain([1, 3, 4, 63, 64, 65, 1000, whole.len() - 1]);
    for length in lengths {
        let file = written(&folder, "cut.so", &whole[..length]);
        let error = refusal(&file);
        assert!(
            matches!(error.fault, LoadFault::Truncated { .. } | LoadFault::Empty | LoadFault::NotElf),
            "cut at {length}: {error}"
        );
        assert!(inspect(&file).is_err());
    }
}

#[test]
fn bytes_turned_over_in_the_files_tables_never_panic_the_reader() {
    let whole = fs::read(plugin("plain")).expect("a built plugin");
    let folder = folder();
    let tables = (0..2000).chain(whole.len() - 3000..whole.len());
    for at in tables.step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let _ = inspect(&written(&folder, "turned.so", &bytes));
    }
}

#[test]
fn what_is_no_plugin_is_named_as_what_it_is() {
    let folder = folder();
    let words = |name: &str, bytes: &[u8]| refusal(&written(&folder, name, bytes)).to_string();
    assert!(words("empty.so", b"").contains("is empty"));
    assert!(words("text.so", b"#!/bin/sh\n").contains("is not a shared object"));
    assert!(refusal(&plugin("stranger")).to_string().contains("has no Hookport identity"));
    assert!(refusal(&folder.path().join("gone.so")).to_string().contains("cannot be read"));
    assert!(refusal(folder.path()).to_string().contains("cannot be read"));
    let program = fs::read(std::env::current_exe().expect("this program")).expect("its bytes");
    assert!(words("program.so", &program).contains("crate-type"));
    let mut other = fs::read(plugin("plain")).expect("a built plugin");
    other[18..20].copy_from_slice(&8_u16.to_le_bytes());
    assert!(words("mips.so", &other).contains("is built for machine number 8, and this machine is"));
}

#[test]
fn what_the_machine_lacks_is_named() {
    let folder = folder();
    let odd = plugin("odd");
    let library = patched(&folder, &odd, "library.so", &[(b"libgcc_s.so.1\0", b"libgone_.so.1\0")]);
    let error = refusal(&library).to_string();
    assert!(error.contains("needs the library libgone_.so.1, which is not installed"), "{error}");
    let symbol = patched(&folder, &odd, "symbol.so", &[(b"\0pthread_key_create\0", b"\0pthread_key_forget\0")]);
    let error = refusal(&symbol).to_string();
    assert!(error.contains("needs the symbol pthread_key_forget"), "{error}");
    let floor = inspect(&odd).expect("readable").code.expect("code").glibc.expect("a floor");
    let (old, new) = (format!("GLIBC_{floor}\0"), format!("GLIBC_9.{}\0", &floor[2..]));
    let glibc = patched(&folder, &odd, "glibc.so", &[(old.as_bytes(), new.as_bytes())]);
    let error = refusal(&glibc).to_string();
    assert!(error.contains("needs glibc 9.") && error.contains("build the plugin on an older system"), "{error}");
}

#[test]
fn a_wrong_description_names_key_and_place() {
    let folder = folder();
    let file = patched(&folder, &plugin("plain"), "wrong.so", &[(b"[[verify]]\nalg", b"[[verify]]\nalq")]);
    let error = refusal(&file);
    assert!(matches!(error.fault, LoadFault::Description(_)));
    assert!(error.to_string().contains("alq"), "{error}");
}

// ---- without running it ----

#[test]
fn inspect_tells_everything_of_a_plugin_that_ends_the_process_when_it_is_loaded() {
    let file = plugin("constructor");
    let inspection = inspect(&file).expect("its file is sound");
    assert_eq!(inspection.provider.as_ref().expect("a description").id, "constructor");
    assert!(inspection.code.as_ref().expect("code").startup_code);
    assert!(inspection.to_string().contains("yes: it runs code when it is loaded"));
    let output = in_a_child(&file, &[]);
    assert_eq!(output.status.code(), None, "loading it ends the process by a signal: {output:?}");
}

#[test]
fn inspect_shows_what_a_file_is_for_people_and_for_programs() {
    let inspection = inspect(&plugin("odd")).expect("its file is sound");
    let json = serde_json::to_value(&inspection).expect("JSON");
    assert_eq!(json["refusal"], serde_json::Value::Null);
    assert_eq!(json["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(json["provider"]["route"], "POST /odd");
    assert_eq!(json["provider"]["secrets"]["main"], "text, required: any text");
    assert_eq!(json["provider"]["settings"]["base_url"], "default https://odd.example: where operations go");
    assert_eq!(json["provider"]["headers"]["content-type"], "required, media type application/json");
    assert_eq!(json["provider"]["operations"]["query"], "asks for numbers");
    assert_eq!(json["code"]["package"], "odd 0.3.1");
    assert_eq!(json["code"]["abi"], "1.0");
    assert_eq!(json["code"]["panic"], "unwind");
    assert_eq!(json["code"]["functions"], serde_json::json!(["decode", "op_build", "op_parse"]));
    assert_eq!(json["code"]["startup_code"], false);
    assert!(json["code"]["rustc"].as_str().is_some_and(|rustc| rustc.starts_with("rustc 1.")));
    assert_eq!(
        json["code"]["exports"],
        serde_json::json!(["HOOKPORT_IDENTITY", "_1as_0lib_1header_0root_bmodule_bloader"]),
        "a plugin exports its two symbols and nothing of its libraries"
    );
    assert_eq!(json["samples"], serde_json::json!(["stopped"]));
    let text = inspection.to_string();
    for part in
        ["provider       odd 0.3.1 Odd", "route          POST /odd", "secret         main:", "samples        stopped"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn inspect_shows_a_plugin_that_is_refused_with_the_reason() {
    let folder = folder();
    let inspection = inspect(&with_identity(&folder, "abort.so", 18, 0)).expect("its file is sound");
    assert!(inspection.refusal.as_deref().is_some_and(|why| why.contains("panic = \"abort\"")));
    assert_eq!(inspection.provider.expect("a description").id, "plain");
}

#[test]
fn the_identity_survives_strip() {
    let folder = folder();
    let file = folder.path().join("stripped.so");
    let stripped = Command::new("strip").arg("-o").arg(&file).arg(plugin("odd")).status();
    if !stripped.is_ok_and(|status| status.success()) {
        return; // A machine without binutils cannot strip.
    }
    assert_eq!(inspect(&file).expect("still a plugin").samples, ["stopped"]);
    assert_eq!(load(&file).expect("still loads").samples[0].name, "stopped");
}

// ---- folders ----

fn description(folder: &Path, name: &str, id: &str) -> PathBuf {
    let place = folder.join(name);
    fs::create_dir_all(&place).expect("a folder");
    let text = format!("[provider]\nid = \"{id}\"\n\n[[verify]]\nalg = \"none\"\nreason = \"a test\"\n");
    fs::write(place.join("provider.toml"), text).expect("a description");
    place.join("provider.toml")
}

#[test]
fn a_code_free_provider_loads_by_the_same_path_with_the_cases_beside_it() {
    let folder = folder();
    let file = description(folder.path(), "free", "free");
    let fixtures = folder.path().join("free/fixtures");
    fs::create_dir(&fixtures).expect("a folder");
    for (name, text) in [("b.http", "B"), ("a.http", "A"), ("notes.txt", "N")] {
        fs::write(fixtures.join(name), text).expect("a case");
    }
    let loaded = load(&file).expect("it loads");
    assert!(loaded.native.is_none() && loaded.abi.is_none());
    let samples: Vec<_> = loaded.samples.iter().map(|s| (s.name.as_str(), &s.text[..])).collect();
    assert_eq!(samples, [("a", &b"A"[..]), ("b", &b"B"[..])]);
    let inspection = inspect(&file).expect("it is readable");
    assert!(inspection.code.is_none() && inspection.to_string().contains("none: the description is all of it"));
}

#[test]
fn folders_are_searched_one_level_deep_and_one_bad_plugin_stops_nobody() {
    let folder = folder();
    let dir = folder.path();
    fs::copy(plugin("odd"), dir.join("libodd.so")).expect("a copy");
    fs::copy(plugin("stranger"), dir.join("libstranger.so")).expect("a copy");
    fs::write(dir.join("libbad.so"), "not a library").expect("a bad file");
    fs::create_dir(dir.join("deps")).expect("a folder");
    fs::copy(plugin("odd"), dir.join("deps/libodd.so")).expect("a copy that is too deep");
    description(dir, "free", "free");
    description(dir, "broken", "");
    fs::write(dir.join("broken/provider.toml"), "[provider").expect("a broken description");
    description(dir, "source", "source");
    fs::write(dir.join("source/Cargo.toml"), "[package]").expect("the mark of source code");

    let found = discover(&[dir.to_path_buf(), dir.join("."), dir.join("nowhere")]);
    let ids: Vec<_> = found.loaded.iter().map(|loaded| loaded.description.provider.id.as_str()).collect();
    assert_eq!(ids, ["odd", "free"]);
    let mut refused: Vec<_> =
        found.refused.iter().map(|(file, _)| file.strip_prefix(dir).expect("in the folder")).collect();
    refused.sort_unstable();
    assert_eq!(refused, [Path::new("broken/provider.toml"), Path::new("libbad.so"), Path::new("nowhere")]);
    assert_eq!(found.skipped.len(), 1);
    assert!(found.skipped[0].0.ends_with("libstranger.so") && found.skipped[0].1.contains("no Hookport identity"));
}

#[test]
fn the_second_carrier_of_a_provider_is_refused_and_both_are_named() {
    let (first, second) = (folder(), folder());
    fs::copy(plugin("plain"), first.path().join("libplain.so")).expect("a copy");
    description(second.path(), "other", "plain");
    let found = discover(&[first.path().into(), second.path().into()]);
    assert_eq!(found.loaded.len(), 1);
    let words = found.refused[0].1.to_string();
    assert!(words.contains("libplain.so") && words.contains("other/provider.toml"), "{words}");
}

#[test]
fn a_duplicate_is_refused_before_any_of_its_code_runs() {
    let (first, second) = (folder(), folder());
    description(first.path(), "first", "constructor");
    fs::copy(plugin("constructor"), second.path().join("libconstructor.so")).expect("a copy");
    let found = discover(&[first.path().into(), second.path().into()]);
    assert_eq!((found.loaded.len(), found.refused.len()), (1, 1));
}

// ---- the private copy ----

#[test]
fn the_private_copy_is_gone_after_loading() {
    let folder = folder();
    let output = in_a_child(&plugin("plain"), &[("HOOKPORT_PLUGIN_TMP", folder.path())]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn a_folder_for_copies_that_cannot_be_used_is_named_with_the_variable() {
    let output = in_a_child(&plugin("plain"), &[("HOOKPORT_PLUGIN_TMP", Path::new("/proc/nowhere"))]);
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(words.contains("cannot be copied to /proc/nowhere"), "{output:?}");
    assert!(words.contains("HOOKPORT_PLUGIN_TMP"), "{words}");
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
