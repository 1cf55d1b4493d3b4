//! HTTP/2 used against us: heads that are too large, streams that are taken back as soon as they are begun, more streams
//! than are allowed. Whoever does that may lose the connection; nobody else notices.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::gate::Gate;
use crate::tally::{PATH, body, request, signature};

async fn http2(gate: &Gate) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(gate.address).await.expect("it listens");
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

fn post(id: &str, fill: usize) -> Request<Full<Bytes>> {
    let body = body(id);
    let request = Request::post(format!("http://h{PATH}"))
        .header("content-type", "application/json")
        .header("x-signature", signature(&body))
        .header("x-fill", "x".repeat(fill));
    request.body(Full::new(Bytes::from(body))).expect("a request")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_ends_its_request_alone() {
    let gate = Gate::start().await;
    let mut sender = http2(&gate).await;
    for fill in [100 << 10, 1 << 20] {
        let refused = sender.send_request(post("a", fill)).await;
        // A head that is larger than the connection's own bound ends it without an answer.
        assert!(refused.map_or(fill > 100 << 10, |answer| answer.status() == 431), "{fill}");
        if sender.is_closed() {
            sender = http2(&gate).await;
        }
    }
    assert_eq!(sender.send_request(post("b", 10 << 10)).await.expect("an answer").status(), 202);
    assert_eq!(gate.kept().await, ["b"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_taken_back_in_a_flood_hurt_nobody_else() {
    let gate = Gate::start().await;
    let flood = tokio::spawn({
        let mut sender = http2(&gate).await;
        async move {
            for n in 0..20_000 {
                if sender.ready().await.is_err() {
                    return;
                }
                // Dropped before its answer: the stream is reset.
                let _taken_back = begun(sender.send_request(post(&format!("flood-{n}"), 0))).await;
            }
        }
    });
    for n in 0..50 {
        let name = format!("other-{n}");
        assert_eq!(gate.connect().await.ask(request(&name)).await.status, 202);
    }
    flood.await.expect("no panic");
    assert_eq!(gate.connect().await.ask(request("after")).await.status, 202);
    gate.stop().await;
}

/// Lets a future begin, and drops it.
async fn begun<F: Future>(future: F) -> bool {
    let mut future = Box::pin(future);
    std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_are_allowed_wait_for_their_turn() {
    let gate = Gate::start().await;
    let sender = http2(&gate).await;
    let asked = (0..600).map(|n| {
        let mut sender = sender.clone();
        tokio::spawn(
            async move { sender.send_request(post(&format!("{n:03}"), 0)).await.map(|answer| answer.status()) },
        )
    });
    for asked in asked.collect::<Vec<_>>() {
        assert_eq!(asked.await.expect("no panic").expect("an answer"), 202);
    }
    assert_eq!(gate.kept().await.len(), 600);
    gate.stop().await;
}
