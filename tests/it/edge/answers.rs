//! What is answered: the provider's own words where a source speaks, the host's where none does.

use hookport::reason::Reason;

use super::gate::Gate;
use crate::tally::{body, head, request, request_with, signature};

#[tokio::test(flavor = "multi_thread")]
async fn acks_are_exactly_as_declared() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    let accepted = line.ask(request("a")).await;
    assert_eq!((accepted.status, &accepted.body[..]), (202, &br#"{"got":"a"}"#[..]));
    assert_eq!(accepted.header("content-type"), Some("application/json"));
    assert_eq!(accepted.header("x-got"), Some("a"));
    let duplicate = line.ask(request("a")).await;
    assert_eq!((duplicate.status, &duplicate.body[..]), (200, &br#"{"known":"a"}"#[..]));
    assert_eq!(duplicate.header("x-got"), None);
    let forged = format!("{}content-length: 2\r\n\r\n{{}}", head(&signature(b"{ }")));
    let rejected = line.ask(forged).await;
    assert_eq!((rejected.status, &rejected.body[..]), (403, &b"no"[..]));
    assert_eq!(rejected.header("content-type"), Some("text/plain; charset=utf-8"));
    let malformed = line.ask(request_with("", b"{\"id\":\"b\",")).await;
    assert_eq!((malformed.status, &malformed.body[..]), (422, &b"what?"[..]));
    assert_eq!(gate.rejections(1).await[0].reason, Reason::SignatureMismatch);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_404_and_kept_within_bounds() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    let long = "x".repeat(100_000);
    let asked = format!(
        "POST /nothing?{} HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{long}",
        "q".repeat(1_000),
        long.len()
    );
    assert_eq!(line.ask(asked).await.status, 404);
    for path in ["/", "/tally/", "/TALLY", "/%74ally", "//tally", "/tally/../tally"] {
        let reply = gate.connect().await.ask(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        assert_eq!((reply.status, &reply.body[..]), (404, &b"Not Found\n"[..]), "{path}");
    }
    let rejections = gate.rejections(7).await;
    assert!(rejections.iter().all(|rejection| rejection.reason == Reason::UnknownPath && rejection.source.is_none()));
    // The address may be right tomorrow, so the body is read: what is kept of any other, and one byte that tells of more.
    assert_eq!(rejections.iter().map(|rejection| rejection.bytes).sum::<u64>(), (64 << 10) + 1);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_405_and_told_the_right_ones() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    for method in ["GET", "DELETE", "OPTIONS", "HEAD", "NONSENSE"] {
        line.send(format!("{method} /tally HTTP/1.1\r\nhost: h\r\n\r\n")).await.expect("it is taken");
        let reply = line.answer_to(method).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST, PUT")), "{method}");
    }
    let put = String::from_utf8(request("a")).expect("text").replacen("POST", "PUT", 1);
    assert_eq!(line.ask(put).await.status, 202);
    assert!(gate.rejections(5).await.iter().all(|rejection| rejection.reason == Reason::Method));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_header_that_comes_twice_is_refused() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    let refused = line.ask(request_with("x-label: a\r\nx-label: a\r\n", &body("a"))).await;
    assert_eq!(refused.status, 403);
    let refused = line.ask(request_with("content-type: application/json\r\n", &body("a"))).await;
    assert_eq!(refused.status, 403);
    assert!(gate.rejections(2).await.iter().all(|rejection| rejection.reason == Reason::HeaderMismatch));
    let nobody_names_it = line.ask(request_with("x-other: a\r\nx-other: a\r\nx-label: a\r\n", &body("a"))).await;
    assert_eq!(nobody_names_it.status, 202);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_head_already_refuses_has_its_reason() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    let typed = |kind: &str| String::from_utf8(request("a")).expect("text").replacen("application/json", kind, 1);
    assert_eq!(line.ask(typed("text/xml")).await.status, 403);
    assert_eq!(line.ask(typed("Application/JSON; charset=utf-8")).await.status, 202);
    let unsigned = String::from_utf8(request("b")).expect("text").replacen("x-signature", "x-nothing", 1);
    assert_eq!(line.ask(unsigned).await.status, 403);
    let mut reasons: Vec<Reason> = gate.rejections(2).await.into_iter().map(|rejection| rejection.reason).collect();
    reasons.sort_by_key(|reason| reason.code());
    assert_eq!(reasons, [Reason::MediaType, Reason::SignatureMissing]);
    gate.stop().await;
}
