//! Calls in a worker: what comes back, and what becomes of them when it ends.

use hookport::plugin::{Answer, Fault, FaultKind, Header, OpResult, TextRequest};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_says_the_same_as_the_same_code_in_this_process() {
    let (here, there) = (code("odd", &Policy::inline()), code("odd", &policy(patient())));
    assert_eq!((here.state().isolation, there.state().isolation), ("inline", "worker"));
    assert!(there.decodes() && there.operates());
    let misdeeds = [
        "echo",
        "typed",
        "checked",
        "rewritten",
        "refuses",
        "panics",
        "panics with a grudge",
        "overflows",
        "floods",
        "swells",
        "warns for ever",
        "is not JSON",
        "is deep",
        "has no name",
        "says nothing",
    ];
    for misdeed in misdeeds {
        let outcome = |came: Result<Vec<DecodedEvent>, Fault>| came.map_err(|fault| Fault { call: 0, ..fault });
        let (here, there) = (decode(&here, misdeed).await, decode(&there, misdeed).await);
        assert_eq!(outcome(here), outcome(there), "{misdeed}");
    }
    let settings = r#"{"base_url":"https://odd.example"}"#;
    for (operation, input) in [("query", r#"{"numbers":["1","2"]}"#), ("query", "{}"), ("floods", "{}")] {
        let plain = |came: Result<_, Fault>| came.map_err(|fault| fault.to_string());
        let both = (here.op_build(operation, input, settings).await, there.op_build(operation, input, settings).await);
        assert_eq!(plain(both.0), plain(both.1), "{operation} {input}");
    }
    let header = [Header { name: "retry-after", value: b"7" }];
    let answer = |status: u16, body: &'static [u8], error: Option<&'static str>| Answer {
        status,
        headers: header.to_vec(),
        body: body.into(),
        error: error.map(Into::into),
    };
    let answers = [
        vec![answer(200, b"", None)],
        vec![answer(200, b"", None), answer(200, b"\"fine\"", None)],
        vec![answer(429, b"", None)],
        vec![answer(0, b"", Some("no route"))],
        vec![answer(500, b"", None)],
        vec![answer(299, b"", None)],
    ];
    for answers in &answers {
        let plain = |came: Result<OpResult, Fault>| came.map_err(|fault| fault.to_string());
        let both = (
            here.op_parse("query", "{}", settings, answers).await,
            there.op_parse("query", "{}", settings, answers).await,
        );
        assert_eq!(plain(both.0), plain(both.1), "{answers:?}");
    }
    let counted = there.state().counted;
    assert_eq!((counted.restarts, counted.panics), (0, 2), "{counted:?}");
    assert_eq!(there.state().refused, [""; 0], "what only computes asks for nothing");
    assert_eq!(counted.calls, here.state().counted.calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_process_ends_the_worker_and_is_told_with_how_it_ended() {
    let code = code("hostile", &policy(patient()));
    let misdeeds = [
        ("crashes", "signal 11 (SIGSEGV)"),
        ("overflows the stack", "overflow"),
        ("aborts", "signal 6 (SIGABRT)"),
        ("exits", "it ended itself with code 0"),
        ("swallows memory", "memory allocation of 10737418240 bytes failed"),
    ];
    for (count, (misdeed, how)) in (1..).zip(misdeeds) {
        let fault = decode(&code, misdeed).await.expect_err(misdeed);
        assert_eq!(fault.kind, FaultKind::Lost, "{fault}");
        assert!(fault.message.starts_with("it ended two workers") && fault.message.contains(how), "{fault}");
        assert!(fault.message.contains("plugin sha256 "), "{fault}");
        assert_eq!(code.state().counted.restarts, 2 * count, "{misdeed} is tried twice");
        assert_eq!(decode(&code, "well").await.expect("a fresh worker").len(), 1, "after {misdeed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_is_ended_while_others_go_on() {
    let limits = Limits { deadline: Duration::from_secs(3), ..Limits::default() };
    let (hostile, odd) = (code("hostile", &policy(limits)), code("odd", &policy(patient())));
    for misdeed in ["hangs", "sleeps"] {
        let hanging = tokio::spawn({
            let hostile = hostile.clone();
            async move { decode(&hostile, misdeed).await }
        });
        let mut others = 0;
        while !hanging.is_finished() {
            decode(&odd, "typed").await.expect("another plugin's worker answers");
            others += 1;
        }
        let fault = hanging.await.expect("it ends").expect_err("nobody answered");
        assert_eq!(fault.kind, FaultKind::Lost);
        assert!(fault.message.contains("it gave no answer within 3s"), "{fault}");
        assert!(others > 0);
    }
    assert_eq!(hostile.state().counted.restarts, 4, "two misdeeds, two workers each");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_behind_one_that_ends_the_worker_are_tried_again() {
    for workers in [1, 3] {
        let code = code("hostile", &policy(Limits { workers, ..patient() }));
        decode(&code, "well").await.expect("it answers");
        let call = |number: usize| {
            let code = code.clone();
            tokio::spawn(async move {
                let misdeed = if number % 10 == 3 { "crashes" } else { "well" };
                (misdeed, decode(&code, misdeed).await)
            })
        };
        let calls: Vec<_> = (0..40).map(call).collect();
        for call in calls {
            let (misdeed, came) = call.await.expect("it ends");
            assert_eq!(came.is_ok(), misdeed == "well", "{came:?}");
        }
        assert_eq!(code.state().counted.restarts, 8, "four calls, two workers each");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_ends_its_worker_is_not_tried_again() {
    let writer = code("writer", &policy(patient()));
    let mut headers = HeaderMap::new();
    headers.insert("x-time", "1000".parse().expect("a value"));
    let mut text = async |mode: &'static str| {
        headers.insert("x-mode", mode.parse().expect("a value"));
        let (method, target, url, settings) = ("POST", "/writer", None, r#"{"account":"seven"}"#);
        let (headers, body) = (&headers, &b"{}"[..]);
        writer.canonicalize(&TextRequest { name: "signed", method, target, url, headers, body, settings }).await
    };
    for restarts in 1..=6 {
        let fault = text("aborts").await.expect_err("it ended");
        assert!(fault.message.starts_with("it ended its worker: it was ended by signal 6 (SIGABRT)"), "{fault}");
        assert_eq!(writer.state().counted.restarts, restarts, "once each");
        text("ordinary").await.expect("a fresh worker");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_waits_for_any_more_is_counted() {
    let hostile = code("hostile", &policy(patient()));
    decode(&hostile, "well").await.expect("it answers");
    let before = hostile.state().counted;
    let waited = tokio::time::timeout(Duration::from_millis(20), decode(&hostile, "sleeps")).await;
    assert!(waited.is_err(), "it sleeps");
    let counted = hostile.state().counted;
    assert_eq!((counted.calls, counted.errors), (before.calls + 1, before.errors + 1));
    assert!(counted.seconds - before.seconds >= 0.02, "{counted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_a_worker_started_that_runs_is_told_so() {
    let odd = code("odd", &policy(patient()));
    for _ in 0..2 {
        let odd = odd.clone();
        let started = tokio::task::spawn_blocking(move || odd.try_start());
        let started = tokio::time::timeout(crate::process::PATIENCE, started).await.expect("an answer");
        assert_eq!(started.expect("no panic"), Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_start_answers_every_call_with_the_reason() {
    let constructor = code("constructor", &policy(patient()));
    for _ in 0..3 {
        let fault = decode(&constructor, "x").await.expect_err("it never starts");
        assert_eq!(fault.kind, FaultKind::Lost);
        assert!(fault.message.contains("did not start: it was ended by signal 6 (SIGABRT)"), "{fault}");
    }
    let gone = Policy { program: Some("/nonexistent/hookport".into()), ..policy(patient()) };
    let fault = decode(&code("odd", &gone), "typed").await.expect_err("there is no program");
    assert!(fault.message.contains("cannot be started: No such file"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_breaks_in_a_row_is_left_alone_and_tried_again() {
    for isolation in [Isolation::Inline, Isolation::Worker] {
        let quarantine = QuarantineTerms { faults: 3, within: PATIENT, pause: Duration::from_millis(200) };
        let terms = Terms { isolation, limits: patient() };
        let hostile = code("hostile", &Policy { general: terms, quarantine, ..policy(patient()) });
        for _ in 0..3 {
            assert_eq!(decode(&hostile, "panics").await.expect_err("a panic").kind, FaultKind::Panic);
        }
        let reason = hostile.state().quarantined.expect("it is left alone");
        assert!(reason.contains("3 broken calls in a row") && reason.contains("on purpose"), "{reason}");
        let calls = hostile.state().counted.calls;
        let end = std::time::Instant::now() + crate::process::PATIENCE;
        // Not called while it is left alone; then one is.
        while let Err(fault) = decode(&hostile, "well").await {
            assert_eq!(fault.kind, FaultKind::Quarantined, "{fault}");
            assert!(std::time::Instant::now() < end, "it is left alone for ever");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(hostile.state().counted.calls, calls + 1);
        assert_eq!(hostile.state().quarantined, None);
    }
}
