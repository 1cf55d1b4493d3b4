//! The guard: without `allow_private` nothing on this machine or network is connected to, however it is written.

use std::sync::Arc;

use hookport::journal::Outcome;

use super::ledger::Ledger;
use super::receiver::{Receiver, Say};
use super::{destination, event, plain_request, run, until};

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let port = receiver.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "LOCALHOST",
        "127.0.0.1.",
        "[::ffff:0:7f00:1]",
        "[::7f00:1]",
        "[2001:0:1:2:3:4:80ff:fffe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "168.63.129.16",
        "100.100.100.200",
    ] {
        let ledger = Arc::new(Ledger::default());
        ledger.add("crm", event(1), plain_request());
        let written = format!("kind = 'http'\nurl = 'http://{host}:{port}/'\nretry = {{ first = '1h' }}");
        let running = run(ledger, vec![destination("crm", &written, &[])]);
        until("it was tried", || !running.ledger.row(0).attempts.is_empty()).await;
        let row = running.ledger.row(0);
        let error = row.attempts[0].error.clone().unwrap_or_default();
        assert!(error.contains("allow_private"), "{host}: {error}");
        assert!(matches!(row.outcomes[..], [Outcome::Retry(_)]));
        running.stop().await;
    }
    assert!(receiver.got().is_empty());
}

#[tokio::test]
async fn a_destination_that_allows_private_addresses_reaches_them() {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let port = receiver.address.port();
    for (number, host) in ["127.0.0.1", "localhost", "2130706433"].into_iter().enumerate() {
        let ledger = Arc::new(Ledger::default());
        ledger.add("crm", event(1), plain_request());
        let written = format!("kind = 'http'\nurl = 'http://{host}:{port}/'\nallow_private = true");
        let running = run(ledger, vec![destination("crm", &written, &[])]);
        until("it arrived", || running.ledger.row(0).outcomes == [Outcome::Delivered]).await;
        assert_eq!(receiver.got().len(), number + 1);
        running.stop().await;
    }
}
