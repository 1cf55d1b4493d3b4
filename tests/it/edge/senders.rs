//! Who sends: addresses that may, proxies that are believed, and many that send the same at once.

use hookport::reason::Reason;

use super::gate::Gate;
use crate::tally::{body, request, request_with};

async fn from(gate: &Gate, id: &str, forwarded: &str) -> u16 {
    let forwarded = if forwarded.is_empty() { String::new() } else { format!("x-forwarded-for: {forwarded}\r\n") };
    gate.connect().await.ask(request_with(&forwarded, &body(id))).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_addresses_are_served() {
    let allowed = Gate::with("", "allow_from = [\"127.0.0.0/8\"]").await;
    assert_eq!(from(&allowed, "a", "").await, 202);
    // Nobody is trusted to speak for others.
    assert_eq!(from(&allowed, "b", "203.0.113.9").await, 202);
    allowed.stop().await;
    let others = Gate::with("", "allow_from = [\"203.0.113.0/24\", \"2001:db8::1\"]").await;
    assert_eq!(from(&others, "a", "").await, 403);
    assert_eq!(from(&others, "a", "203.0.113.9").await, 403);
    assert!(others.rejections(2).await.iter().all(|rejection| rejection.reason == Reason::Address));
    assert!(others.kept().await.is_empty());
    others.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_the_sender_is() {
    let gate =
        Gate::with("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]", "allow_from = [\"203.0.113.0/24\"]").await;
    assert_eq!(from(&gate, "a", "203.0.113.9").await, 202);
    assert_eq!(from(&gate, "b", "198.51.100.1, 203.0.113.9, 10.1.2.3").await, 202);
    // What stands before the first address that is not a proxy's, anybody can have written.
    assert_eq!(from(&gate, "c", "203.0.113.9, 198.51.100.1").await, 403);
    assert_eq!(from(&gate, "d", "").await, 403);
    assert_eq!(from(&gate, "e", "nonsense").await, 403);
    let peers: Vec<_> = gate.rejections(3).await.into_iter().map(|rejection| rejection.peer.expect("a peer")).collect();
    assert!(peers.contains(&"198.51.100.1".parse().expect("an address")), "{peers:?}");
    assert_eq!(gate.kept().await, ["a", "b"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_that_comes_64_times_at_once_is_one_event() {
    let gate = Gate::start().await;
    let mut lines = Vec::new();
    for _ in 0..64 {
        lines.push(gate.connect().await);
    }
    for round in ["a", "b", "c"] {
        let asked = lines.into_iter().map(|mut line| {
            tokio::spawn(async move {
                let status = line.ask(request(round)).await.status;
                (line, status)
            })
        });
        let mut statuses = Vec::new();
        lines = Vec::new();
        for asked in asked.collect::<Vec<_>>() {
            let (line, status) = asked.await.expect("no panic");
            lines.push(line);
            statuses.push(status);
        }
        statuses.sort_unstable();
        assert_eq!((statuses.len(), statuses[0], statuses[62], statuses[63]), (64, 200, 200, 202));
    }
    assert_eq!(gate.kept().await, ["a", "b", "c"]);
    gate.stop().await;
}
