//! HTTP as it is spoken: connections that go on, requests that do not wait, chunks, HTTP/2, and what is no HTTP at all.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::gate::Gate;
use crate::tally::{PATH, body, head, request, request_with, signature};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    for n in 0..50 {
        assert_eq!(line.ask(request(&format!("{n:02}"))).await.header("x-got"), Some(format!("{n:02}").as_str()));
    }
    let last = line.ask(request_with("connection: close\r\n", &body("last"))).await;
    assert_eq!((last.status, last.header("connection")), (202, Some("close")));
    line.closed().await;
    assert_eq!(gate.kept().await.len(), 51);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_wait_are_answered_in_order() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}")).collect();
    let all: Vec<u8> = names.iter().flat_map(|name| request(name)).collect();
    line.send(all).await.expect("they are taken");
    for name in &names {
        assert_eq!(line.answer().await.header("x-got"), Some(name.as_str()));
    }
    assert_eq!(gate.kept().await, names);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_come_byte_by_byte_and_in_chunks() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    for byte in request("slow").chunks(1) {
        line.send(byte).await.expect("it is taken");
    }
    assert_eq!(line.answer().await.status, 202);
    let body = body("chunks");
    let chunks: Vec<u8> = body
        .chunks(7)
        .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat())
        .collect();
    let head = format!("{}transfer-encoding: chunked\r\n\r\n", head(&signature(&body)));
    assert_eq!(line.ask([head.as_bytes(), &chunks, b"0\r\n\r\n"].concat()).await.header("x-got"), Some("chunks"));
    let http10 = String::from_utf8(request("old")).expect("text").replacen("HTTP/1.1", "HTTP/1.0", 1);
    assert_eq!(line.ask(http10).await.status, 202);
    line.closed().await;
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_sending_the_body_is_told_to_go_on() {
    let gate = Gate::start().await;
    let mut line = gate.connect().await;
    let body = body("a");
    let expecting = |path: &str, length: usize| {
        head(&signature(&body)).replace(PATH, path)
            + &format!("expect: 100-continue\r\ncontent-length: {length}\r\n\r\n")
    };
    assert_eq!(line.ask(expecting(PATH, body.len())).await.status, 100);
    assert_eq!(line.ask(&body).await.status, 202);
    // Who is refused by its head alone is not told to send the rest.
    assert_eq!(gate.connect().await.ask(expecting("/nowhere", body.len())).await.status, 404);
    assert_eq!(gate.connect().await.ask(expecting(PATH, 1 << 30)).await.status, 413);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_to_who_begins_with_it() {
    let gate = Gate::start().await;
    let stream = TcpStream::connect(gate.address).await.expect("it listens");
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2 is understood");
    let connection = tokio::spawn(connection);
    let send = |name: String| {
        let (mut sender, body) = (sender.clone(), body(&name));
        async move {
            let request = Request::post(format!("http://h{PATH}"))
                .header("content-type", "application/json")
                .header("x-signature", signature(&body))
                .body(Full::new(Bytes::from(body)))
                .expect("a request");
            let answer = sender.send_request(request).await.expect("an answer");
            let status = answer.status().as_u16();
            (status, answer.into_body().collect().await.expect("a body").to_bytes())
        }
    };
    let all = (0..40).map(|n| tokio::spawn(send(format!("{n:02}"))));
    for (n, sent) in all.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(sent.await.expect("no panic"), (202, Bytes::from(format!("{{\"got\":\"{n:02}\"}}"))));
    }
    assert_eq!(gate.kept().await.len(), 40);
    drop(sender);
    let _ended = connection.await;
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_400() {
    let gate = Gate::start().await;
    let head = head("00");
    for nonsense in [
        "\x16\x03\x01\x02\x00\x01\x00\x01".to_owned(),
        "POST\r\n\r\n".to_owned(),
        "POST /tally HTTP/9.9\r\n\r\n".to_owned(),
        "POST /ta lly HTTP/1.1\r\nhost: h\r\n\r\n".to_owned(),
        "POST /tally HTTP/1.1\r\nno colon\r\n\r\n".to_owned(),
        "POST /tally HTTP/1.1\r\nx: \0\r\n\r\n".to_owned(),
        format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
        format!("{head}content-length: -1\r\n\r\n"),
        format!("{head}content-length: 1x\r\n\r\nx"),
        format!("{head}transfer-encoding: nonsense\r\n\r\n"),
    ] {
        let mut line = gate.connect().await;
        assert_eq!(line.ask(&nonsense).await.status, 400, "{nonsense:?}");
        line.closed().await;
    }
    assert!(gate.kept().await.is_empty());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_no_event() {
    let gate = Gate::start().await;
    let whole = request("a");
    let mut line = gate.connect().await;
    line.send(&whole[..whole.len() - 1]).await.expect("it is taken");
    drop(line);
    let mut line = gate.connect().await;
    let wrong = line.ask(format!("{}transfer-encoding: chunked\r\n\r\nzz\r\n", head("00"))).await;
    assert_eq!(wrong.status, 422);
    assert!(gate.kept().await.is_empty());
    assert_eq!(gate.connect().await.ask(request("a")).await.status, 202);
    gate.stop().await;
}
