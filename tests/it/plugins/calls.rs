//! What a plugin is given and what it gives: requests, events, operations, lines of the log.

use super::*;

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
