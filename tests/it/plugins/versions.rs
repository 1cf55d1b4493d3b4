//! Plugins of other versions and several of them at once.

use super::*;

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
    let (newer, older, ours) = (load(&built::newer()), load(&crate::golden::kept("1.0.0", "ordinary.so")), odd());
    let (newer, older) = (newer.expect("one function more"), older.expect("one function less"));
    assert_eq!((newer.abi, older.abi, ours.abi), (Some((1, 2)), Some((1, 0)), Some((1, 1))));
    for loaded in [&newer, &ours] {
        assert_eq!(
            text_of(&one(decode_as(native(loaded), "rewritten"))),
            r#"{"iccid":"8985","n":10.00,"inner":{"a":1.50}}"#
        );
    }
    for loaded in [&newer, &older, &ours] {
        assert_eq!(decode_as(native(loaded), "panics").expect_err("a panic").kind, FaultKind::Panic);
        native(loaded).quiesce();
    }
}

#[test]
fn a_plugin_whose_types_are_not_ours_is_refused_in_one_line() {
    let error = refusal(&built::changed());
    assert!(matches!(error.fault, LoadFault::Layout(_)));
    assert!(error.to_string().contains("unexpected field, declared_type where document is expected"), "{error}");
    assert_eq!(one(decode_as(native(&odd()), "typed")), DecodedEvent::default(), "the next one is not spoilt by it");
}

#[test]
fn a_newer_major_or_a_newer_floor_is_refused_with_the_way_out() {
    let folder = folder();
    let major = refusal(&with_identity(&folder, "major.so", 12, 2)).to_string();
    assert!(major.contains("built for plugin ABI 2.1") && major.contains("upgrade the gateway"), "{major}");
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
