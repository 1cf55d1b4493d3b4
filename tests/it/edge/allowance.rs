//! How much one source takes: its rate, its requests at once, and what those are told who come too often.

use std::time::Duration;

use hookport::reason::Reason;

use super::gate::Gate;
use crate::tally::{body, head, request, signature};

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_rate_a_source_says_unavailable_in_its_own_words() {
    let gate = Gate::with("", "rate = \"3/h\"").await;
    let mut line = gate.connect().await;
    for id in ["a", "b", "c"] {
        assert_eq!(line.ask(request(id)).await.status, 202);
    }
    let refused = line.ask(request("d")).await;
    assert_eq!((refused.status, &refused.body[..]), (503, &b"<later/>"[..]));
    assert_eq!(refused.header("retry-after"), Some("5"));
    let rejection = &gate.rejections(1).await[0];
    assert_eq!((rejection.reason, rejection.source.as_deref()), (Reason::Unavailable, Some("tally")));
    // A path that is nobody's counts for nobody.
    let other = gate.connect().await.ask("GET /nowhere HTTP/1.1\r\nhost: h\r\n\r\n").await;
    assert_eq!(other.status, 404);
    assert_eq!(gate.kept().await, ["a", "b", "c"]);
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_answered_before_its_bodies_are_read() {
    let gate = Gate::with("", "rate = \"1/h\"").await;
    assert_eq!(gate.connect().await.ask(request("a")).await.status, 202);
    let mut line = gate.connect().await;
    line.send(format!("{}content-length: 1000000\r\n\r\n", head("00"))).await.expect("it is taken");
    let refused = line.answer().await;
    assert_eq!((refused.status, refused.header("connection")), (503, Some("close")));
    gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_so_many_at_once_a_source_says_unavailable() {
    let gate = Gate::with("", "max_in_flight = 2").await;
    let body = body("slow");
    let head = format!("{}content-length: {}\r\n\r\n", head(&signature(&body)), body.len());
    let end = tokio::time::Instant::now() + super::PATIENCE;
    let (mut first, mut second, refused) = loop {
        let (mut first, mut second) = (gate.connect().await, gate.connect().await);
        for line in [&mut first, &mut second] {
            line.send(&head).await.expect("it is taken");
            line.send(&body[..5]).await.expect("it is taken");
        }
        // Whoever came first has the places: where it was this one, the others begin anew.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let reply = gate.connect().await.ask(request("a")).await;
        if reply.status == 503 {
            break (first, second, reply);
        }
        assert!(tokio::time::Instant::now() < end, "nobody is refused");
    };
    assert_eq!(&refused.body[..], b"<later/>");
    first.send(&body[5..]).await.expect("it is taken");
    assert_eq!(first.answer().await.status, 202);
    // The answer is out before the turn is over.
    while gate.connect().await.ask(request("b")).await.status == 503 {
        assert!(tokio::time::Instant::now() < end, "the turn does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    second.send(&body[5..]).await.expect("it is taken");
    assert_eq!(second.answer().await.status, 200);
    gate.stop().await;
}
