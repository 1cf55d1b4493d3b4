//! What is taken, what is a fault, and where each limit is.

use super::*;

fn kind(kind: &[u8]) -> RawEvent<'_> {
    RawEvent { kind: Some(kind), ..RawEvent::default() }
}

#[test]
fn white_space_goes_and_texts_and_numbers_stay_as_written() {
    let mut output = Output::default();
    let data = br#" { "a" : [ 1.00 , 1e400 ], "b \" [ \\" : "x  y" } "#;
    assert_eq!(output.event(&RawEvent { data: Some(data), ..RawEvent::default() }), code::OK);
    let events = output.into_events(code::OK).unwrap();
    assert_eq!(events[0].data.as_deref(), Some(&br#"{"a":[1.00,1e400],"b \" [ \\":"x  y"}"#[..]));
}

#[test]
fn bytes_that_are_not_text_are_a_fault_and_not_a_panic() {
    let mut output = Output::default();
    assert_eq!(output.event(&kind(b"\xff\xfe")), code::FULL);
    assert_eq!(output.event(&kind(b"fine")), code::FULL, "after a fault nothing is taken");
    let fault = output.into_events(code::OK).unwrap_err();
    assert_eq!((fault.kind, fault.message.as_str()), (FaultKind::BadOutput, "an event's type is not UTF-8"));
}

#[test]
fn depth_is_counted_outside_of_texts_only() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(compact(&deep(MAX_DEPTH)).is_some());
    assert!(compact(&deep(MAX_DEPTH + 1)).is_none());
    assert!(compact(&format!("\"{}\"", "[".repeat(1000))).is_some());
}

#[test]
fn a_warning_before_the_first_event_is_on_the_first_and_later_ones_on_the_last() {
    let mut output = Output::default();
    output.warn(b"early");
    output.event(&kind(b"a"));
    output.event(&kind(b"b"));
    output.warn(b"late\nline");
    let events = output.into_events(code::OK).unwrap();
    assert_eq!((&events[0].warnings[..], &events[1].warnings[..]), (&["early".into()][..], &["late line".into()][..]));
}

#[test]
fn warnings_of_all_events_together_are_bounded() {
    let mut output = Output::default();
    for _ in 0..LIMITS.events {
        output.event(&kind(b"a"));
        (0..LIMITS.warnings).for_each(|_| output.warn(b"again"));
    }
    let warnings = output.into_events(code::OK).unwrap().iter().map(|event| event.warnings.len()).sum::<usize>();
    assert_eq!(warnings, MAX_WARNINGS);
}

#[test]
fn a_code_of_a_later_version_is_a_fault_and_an_unknown_outcome_too() {
    let mut output = Output::default();
    output.event(&kind(b"a"));
    output.error(b"later", b"");
    assert_eq!(output.into_events(77).unwrap_err().message, "code 77: later");
    let mut output = Output::default();
    output.outcome(77, b"", 0);
    assert_eq!(output.into_result(code::OK).unwrap_err().kind, FaultKind::BadOutput);
}

#[test]
fn a_long_message_is_cut_at_a_character() {
    assert_eq!(shortened("äöü".as_bytes(), 2), "äö…");
    assert_eq!(shortened("äö".as_bytes(), 2), "äö");
    assert_eq!(shortened(b"a\xffb", 9), "a\u{fffd}b");
    assert_eq!(shortened("a".repeat(100).as_bytes(), 3), "aaa…");
}

#[test]
fn a_signed_text_is_one_and_not_empty_and_bounded_by_what_was_sent() {
    let text = |texts: &[&[u8]], body: usize| {
        let mut output = Output::default();
        texts.iter().for_each(|text| {
            output.text(text);
        });
        output.into_text(code::OK, body).map_err(|fault| fault.kind)
    };
    assert_eq!(text(&[b"signed"], 0), Ok(b"signed".to_vec()));
    assert_eq!(text(&[], 0), Err(FaultKind::BadOutput));
    assert_eq!(text(&[b""], 0), Err(FaultKind::BadOutput));
    assert_eq!(text(&[b"one", b"another"], 0), Err(FaultKind::TooMuch));
    assert_eq!(text(&[&[b'x'; MAX_TEXT + 1]], 0), Err(FaultKind::TooMuch));
    assert!(text(&[&[b'x'; MAX_TEXT + 1]], 1).is_ok());
}
