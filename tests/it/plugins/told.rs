//! What a plugin's file tells without being run.

use super::*;

#[test]
fn inspect_tells_everything_of_a_plugin_that_ends_the_process_when_it_is_loaded() {
    let file = plugin("constructor");
    let inspection = inspect(&file).expect("its file is sound");
    assert_eq!(inspection.provider.as_ref().expect("a description").id, "constructor");
    assert!(inspection.code.as_ref().expect("code").startup_code);
    assert!(inspection.to_string().contains("yes: a function runs when it is loaded"));
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
    assert_eq!(json["code"]["abi"], "1.1");
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
fn inspect_shows_a_plugin_of_a_newer_major_version_with_the_reason() {
    let folder = folder();
    let inspection = inspect(&with_identity(&folder, "major.so", 12, 2)).expect("it is a plugin");
    assert!(inspection.refusal.as_deref().is_some_and(|why| why.contains("plugin ABI 2.1")));
    assert!(inspection.to_string().contains("of an ABI that this gateway cannot read"), "{inspection}");
}

#[test]
fn the_identity_survives_strip() {
    let folder = folder();
    let file = folder.path().join("stripped.so");
    let stripped = Command::new("strip").arg("-o").arg(&file).arg(plugin("odd")).status();
    assert!(stripped.expect("binutils, which the linker needs too").success());
    assert_eq!(inspect(&file).expect("still a plugin").samples, ["stopped"]);
    assert_eq!(load(&file).expect("still loads").samples[0].name, "stopped");
}
