//! What is too much or too slow: answered, not reset, and never waited for without end.

use std::time::Duration;

use hookport::reason::Reason;

use super::gate::Gate;
use super::line::Line;
use crate::tally::{PATH, body, head, request, request_with, signature};

const SMALL: &str = "max_body = \"10KiB\"";
const QUICK: &str = "request_timeout = \"1s\"";

/// Far more than the buffers of two sockets hold.
const HUGE: usize = 12 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_the_limit_is_taken_and_one_over_it_is_413() {
    let gate = Gate::with(SMALL, "").await;
    let filled = |length: usize| {
        let start = r#"{"id":"a","type":"counted","fill":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2)).into_bytes()
    };
    assert_eq!(gate.connect().await.ask(request_with("", &filled(10 << 10))).await.status, 202);
    let reply = gate.connect().await.ask(request_with("", &filled((10 << 10) + 1))).await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert_eq!(gate.rejections(1).await[0].reason, Reason::TooLarge);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_announces_too_much_and_goes_on_writing_gets_the_answer() {
    let gate = Gate::with(SMALL, "").await;
    let mut line = gate.connect().await;
    line.send(format!("{}content-length: {HUGE}\r\n\r\n", head("00"))).await.expect("the head is taken");
    assert_eq!(write_on_and_read(line, vec![b'x'; HUGE]).await, 413);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_in_chunks_gets_the_answer() {
    let gate = Gate::with(SMALL, "").await;
    let mut line = gate.connect().await;
    line.send(format!("{}transfer-encoding: chunked\r\n\r\n", head("00"))).await.expect("the head is taken");
    let chunk = [b"10000\r\n", &vec![b'x'; 0x10000][..], b"\r\n"].concat();
    let body = [&chunk.repeat(HUGE / 0x10000)[..], b"0\r\n\r\n"].concat();
    assert_eq!(write_on_and_read(line, body).await, 413);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_a_long_body_to_nowhere_gets_the_answer() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    line.send(format!("POST /nowhere HTTP/1.1\r\nhost: h\r\ncontent-length: {HUGE}\r\n\r\n")).await.expect("taken");
    assert_eq!(write_on_and_read(line, vec![b'x'; HUGE]).await, 404);
    gate.stop().await;
}

/// As a client that writes all of its request before it looks for the answer.
async fn write_on_and_read(mut line: Line, body: Vec<u8>) -> u16 {
    for piece in body.chunks(1 << 16) {
        line.send(piece).await.expect("what is too much is read and thrown away");
    }
    let reply = line.answer().await;
    assert_eq!(reply.header("connection"), Some("close"));
    line.closed().await;
    reply.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_431() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: h\r\nx-fill: {}\r\n\r\n", "x".repeat(1 << 20));
    let _it_may_hang_up = line.send(head).await;
    assert_eq!(line.answer().await.status, 431);
    line.closed().await;
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let mut line = gate.connect().await;
    assert_eq!(line.ask(request_with(&many, &body("a"))).await.status, 431);
    let some: String = (0..90).map(|n| format!("x-{n}: 1\r\n")).collect();
    assert_eq!(gate.connect().await.ask(request_with(&some, &body("a"))).await.status, 202);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_408() {
    let gate = Gate::with(QUICK, "").await;
    let mut line = gate.connect().await;
    line.send(format!("{}content-length: 100\r\n\r\n{{", head(&signature(b"{")))).await.expect("it is taken");
    let reply = line.answer().await;
    assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
    line.closed().await;
    assert_eq!(gate.rejections(1).await[0].reason, Reason::Timeout);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_drips_a_body_is_not_waited_for() {
    let gate = Gate::with(QUICK, "").await;
    let mut line = gate.connect().await;
    line.send(format!("{}content-length: 100000\r\n\r\n", head("00"))).await.expect("it is taken");
    for _ in 0..15 {
        let _it_may_hang_up = line.send("x").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(line.answer().await.status, 408);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_end_is_408() {
    let gate = Gate::with(QUICK, "").await;
    let mut line = gate.connect().await;
    line.send(head("00")).await.expect("it is taken");
    let reply = line.answer().await;
    assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
    line.closed().await;
    let mut second = gate.connect().await;
    assert_eq!(second.ask(request("a")).await.status, 202);
    second.send("POST /tal").await.expect("it is taken");
    assert_eq!(second.answer().await.status, 408);
    second.closed().await;
    assert_eq!(gate.kept().await, ["a"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_idle_after_a_request_is_hung_up_on_without_a_word() {
    let gate = Gate::with(QUICK, "").await;
    let mut line = gate.connect().await;
    assert_eq!(line.ask(request("a")).await.status, 202);
    assert_eq!(line.closed().await, "");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_the_answers_is_cut_off() {
    let gate = Gate::with(QUICK, "").await;
    let mut line = gate.connect().await;
    let many = "GET /nowhere HTTP/1.1\r\nhost: h\r\n\r\n".repeat(1_000);
    // The buffers of both sockets are filled with answers first.
    while line.send(&many).await.is_ok() {}
    assert_eq!(gate.connect().await.ask(request("a")).await.status, 202);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_hung_up_on() {
    let gate = Gate::with(QUICK, "").await;
    assert_eq!(gate.connect().await.closed().await, "");
    let mut begins_http2 = gate.connect().await;
    begins_http2.send("PRI * HT").await.expect("it is taken");
    assert_eq!(begins_http2.closed().await, "");
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_one_too_many_waits_for_a_place() {
    let gate = Gate::with("max_connections = 2", "").await;
    let (mut first, mut second) = (gate.connect().await, gate.connect().await);
    assert_eq!(first.ask(request("a")).await.status, 202);
    assert_eq!(second.ask(request("b")).await.status, 202);
    let mut third = gate.connect().await;
    third.send(request("c")).await.expect("the system takes it");
    assert!(third.silent(Duration::from_millis(500)).await, "it was served");
    drop(first);
    assert_eq!(third.answer().await.status, 202);
    assert_eq!(gate.kept().await, ["a", "b", "c"]);
    gate.stop().await;
}
