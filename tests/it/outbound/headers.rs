//! Headers of a destination's own.

use std::sync::Arc;

use hookport::journal::Outcome;

use super::ledger::Ledger;
use super::receiver::{Receiver, Say};
use super::{event, local, request, run, until};

#[tokio::test]
async fn headers_are_sent_with_every_format_and_go_before_the_providers() {
    for format in ["cloudevent", "data", "raw"] {
        let receiver = Receiver::start([Say::Status(200)]).await;
        let ledger = Arc::new(Ledger::default());
        ledger.add("crm", event(1), request(&[("x-team", "theirs"), ("x-other", "theirs")], b"{}"));
        let more = format!(
            "format = '{format}'\nheaders = {{ X-Team = 'ours', Authorization = {{ value = 'Bearer t' }}, User-Agent = 'x' }}"
        );
        let running = run(ledger, vec![local("crm", &receiver.url(), &more)]);
        until("it arrived", || running.ledger.row(0).outcomes == [Outcome::Delivered]).await;
        let got = receiver.got().remove(0);
        let teams: Vec<_> = got.headers.get_all("x-team").iter().collect();
        assert_eq!(teams, ["ours"], "{format}");
        assert_eq!(
            (&got.headers["authorization"], &got.headers["user-agent"]),
            (&"Bearer t".parse().unwrap(), &"x".parse().unwrap())
        );
        assert_eq!(got.headers.contains_key("x-other"), format == "raw");
        assert!(got.headers.contains_key("webhook-id"));
        running.stop().await;
    }
}

#[test]
fn a_headers_value_is_not_in_a_debug_print() {
    let written = "kind = 'http'\nurl = 'https://x/'\nheaders = { X-Team = 'hunter2', X-Key = { value = 'hunter2' } }";
    let written: hookport::config::written::Destination = toml::from_str(written).unwrap();
    let resolved = hookport::config::resolved::Destination::of(&written, Vec::new()).unwrap();
    let printed = format!("{written:?}{resolved:?}");
    assert!(printed.contains("x-team") && printed.contains("X-Team") && !printed.contains("hunter2"), "{printed}");
}
