//! Brokers and databases as destinations, each against its real server: what arrives, what is said where it cannot, and what a
//! server's end in mid-flow costs.

mod nats;
mod postgres;
mod rabbitmq;
mod redis;

use std::sync::Arc;

use hookport::journal::Outcome;

use super::identity::Authority;
use super::ledger::{Ledger, Row};
use super::{destination, event, plain_request, run, until};

/// Tries until it works, and leaves nothing alone meanwhile.
const PATIENT: &str = "timeout = '60s'\nconnect_timeout = '60s'\nbreaker = { failures = 0 }\n\
    retry = { attempts = 1000000, first = '50ms', factor = 1.0, jitter = 0.0 }";

/// What became of one event after its first attempt.
async fn tried(written: &str, event: hookport::event::Event) -> Row {
    let ledger = Arc::new(Ledger::default());
    ledger.add("bus", event, plain_request());
    let once = "timeout = '60s'\nconnect_timeout = '60s'\nretry = { attempts = 1 }";
    let running = run(ledger, vec![destination("bus", &format!("{written}\n{once}"), &[])]);
    until("it was tried", || !running.ledger.row(0).attempts.is_empty()).await;
    let row = running.ledger.row(0);
    running.stop().await;
    row
}

fn error(row: &Row) -> &str {
    row.attempts[0].error.as_deref().unwrap_or("it was delivered")
}

/// So many events to a destination of this text, one after the other as they come.
async fn delivered(written: &str, numbers: impl IntoIterator<Item = u64>) {
    let ledger = filled(numbers);
    let running = run(ledger, vec![destination("bus", &format!("{written}\n{PATIENT}"), &[])]);
    until("all are delivered", || all_delivered(&running.ledger)).await;
    running.stop().await;
}

fn filled(numbers: impl IntoIterator<Item = u64>) -> Arc<Ledger> {
    let ledger = Arc::new(Ledger::default());
    for number in numbers {
        ledger.add("bus", event(number), plain_request());
    }
    ledger
}

fn all_delivered(ledger: &Ledger) -> bool {
    ledger.rows().iter().all(|row| row.outcomes.last() == Some(&Outcome::Delivered))
}

fn count_delivered(ledger: &Ledger) -> usize {
    ledger.rows().iter().filter(|row| row.outcomes.last() == Some(&Outcome::Delivered)).count()
}

/// A server that wants certificates of this authority gets an event, and is not trusted without it.
async fn over_tls(authority: &Authority, written: &str) {
    let (cert, key) = authority.issue("gateway");
    let shown = format!("client_cert = {{ cert = '{}', key = '{}' }}", cert.display(), key.display());
    let trusted = format!("ca = '{}'", authority.ca().display());
    let row = tried(&format!("{written}\n{trusted}\n{shown}"), event(1)).await;
    assert_eq!(row.outcomes, [Outcome::Delivered], "{}", error(&row));
    let row = tried(&format!("{written}\n{shown}"), event(2)).await;
    assert!(error(&row).contains("nobody trusted here signed the server's certificate"), "{}", error(&row));
    let row = tried(&format!("{written}\n{trusted}"), event(3)).await;
    assert_ne!(row.outcomes, [Outcome::Delivered], "without a certificate of its own");
}
