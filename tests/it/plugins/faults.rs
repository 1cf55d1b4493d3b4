//! What a plugin does wrong in its functions comes back as a value: panics, floods, nonsense.

use super::*;

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
