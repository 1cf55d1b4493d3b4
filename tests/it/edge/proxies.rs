//! The PROXY protocol: who is believed, what a header says, and headers that are none.

use std::time::Duration;

use hookport::reason::Reason;

use super::gate::Gate;
use super::line::Line;
use crate::tally::request;

const PROXIED: &str = "proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2 for TCP over IPv4, with a piece of its own behind the addresses.
fn binary(command: u8, caller: [u8; 4]) -> Vec<u8> {
    let addresses = [&caller[..], &[10, 0, 0, 1], &[0, 80, 1, 187]].concat();
    let piece = [0xEA, 0, 3, 1, 2, 3];
    [SIGNATURE, &[0x20 | command, 0x11, 0, 18], &addresses, &piece].concat()
}

fn text(caller: &str) -> Vec<u8> {
    format!("PROXY TCP4 {caller} 10.0.0.1 50000 443\r\n").into_bytes()
}

/// Connects as the proxy does and sends its header.
async fn through(gate: &Gate, header: &[u8]) -> Line {
    let mut line = gate.connect().await;
    line.send(header).await.expect("it is taken");
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_in_the_header_is_the_sender() {
    let gate = Gate::with(PROXIED, "allow_from = [\"203.0.113.0/24\", \"127.0.0.1\"]").await;
    for (id, header, status) in [
        ("a", text("203.0.113.9"), 202),
        ("b", binary(1, [203, 0, 113, 9]), 202),
        // Of what the proxy says of its own account nothing is taken.
        ("c", binary(0, [198, 51, 100, 1]), 202),
        ("d", b"PROXY UNKNOWN\r\n".to_vec(), 202),
        ("e", text("198.51.100.1"), 403),
        ("f", binary(1, [198, 51, 100, 2]), 403),
    ] {
        let mut line = through(&gate, &header).await;
        assert_eq!(line.ask(request(id)).await.status, status, "{id}");
        // It stands once, before the first request.
        if status == 202 {
            assert_eq!(line.ask(request(id)).await.status, 200, "{id}");
        }
    }
    let rejections = gate.rejections(2).await;
    assert!(rejections.iter().all(|rejection| rejection.reason == Reason::Address));
    let peers: Vec<_> = rejections.into_iter().map(|rejection| rejection.peer.expect("a peer").to_string()).collect();
    assert!(peers.contains(&"198.51.100.1".into()) && peers.contains(&"198.51.100.2".into()), "{peers:?}");
    assert_eq!(gate.kept().await, ["a", "b", "c", "d"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_may_come_with_its_request_or_byte_by_byte() {
    let gate = Gate::with(PROXIED, "allow_from = [\"203.0.113.9\"]").await;
    for (id, header) in [("a", text("203.0.113.9")), ("b", binary(1, [203, 0, 113, 9]))] {
        let mut line = gate.connect().await;
        assert_eq!(line.ask([&header[..], &request(id)].concat()).await.status, 202);
        let mut line = gate.connect().await;
        for byte in header.chunks(1) {
            line.send(byte).await.expect("it is taken");
        }
        assert_eq!(line.ask(request(id)).await.status, 200);
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_trusted_proxy_is_hung_up_on() {
    let gate = Gate::with("proxy_protocol = true\ntrusted_proxies = [\"203.0.113.1\"]", "").await;
    for sent in [[text("203.0.113.9"), request("a")].concat(), request("b")] {
        let mut line = gate.connect().await;
        let _it_may_be_gone = line.send(sent).await;
        line.gone().await;
    }
    assert!(gate.kept().await.is_empty());
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_header_ends_the_connection() {
    let gate = Gate::with(PROXIED, "").await;
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 100_000]].concat();
    let enormous = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff], &[0; 70_000]].concat();
    let wrong = [
        request("a"),
        b"PROXY TCP4 203.0.113.9\r\n".to_vec(),
        b"PROXY TCP4 999.0.113.9 10.0.0.1 1 2\r\n".to_vec(),
        [SIGNATURE, &[0x11, 0x11, 0, 0]].concat(),
        [SIGNATURE, &[0x21, 0x11, 0, 4], &[1, 2, 3, 4]].concat(),
        [SIGNATURE, &[0x21, 0x12, 0, 12], &[1; 12]].concat(),
        endless,
        enormous,
    ];
    for sent in wrong {
        let mut line = gate.connect().await;
        let _it_may_be_gone = line.send(&sent).await;
        assert_eq!(line.gone().await, "", "{:?}", String::from_utf8_lossy(&sent[..sent.len().min(60)]));
    }
    let mut line = through(&gate, &text("203.0.113.9")).await;
    assert_eq!(line.ask(request("b")).await.status, 202);
    assert_eq!(gate.kept().await, ["b"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_does_not_come_is_not_waited_for() {
    let gate = Gate::with(&format!("{PROXIED}\nrequest_timeout = \"1s\""), "").await;
    for begun in [&b""[..], b"PROXY TCP4 ", &SIGNATURE[..5], &binary(1, [1, 2, 3, 4])[..20]] {
        assert_eq!(through(&gate, begun).await.gone().await, "");
    }
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_so_many_connections_and_others_are_served() {
    let gate = Gate::with(&format!("{PROXIED}\nmax_connections_per_address = 2"), "").await;
    let from = async |caller: &str| through(&gate, &text(caller)).await;
    let mut first = from("203.0.113.9").await;
    assert_eq!(first.ask(request("a")).await.status, 202);
    let mut second = from("203.0.113.9").await;
    assert_eq!(second.ask(request("b")).await.status, 202);
    assert_eq!(from("203.0.113.9").await.gone().await, "");
    assert_eq!(from("203.0.113.10").await.ask(request("c")).await.status, 202);
    drop(first);
    let end = tokio::time::Instant::now() + super::PATIENCE;
    // The place is free as soon as the gateway sees that its connection is gone.
    while from("203.0.113.9").await.try_ask(request("a")).await.is_none() {
        assert!(tokio::time::Instant::now() < end, "the place is not given back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The proxy itself is exempt.
    let mut own = Vec::new();
    for _ in 0..5 {
        let mut line = through(&gate, b"PROXY UNKNOWN\r\n").await;
        assert_eq!(line.ask(request("a")).await.status, 200);
        own.push(line);
    }
    gate.stop().await;
}
