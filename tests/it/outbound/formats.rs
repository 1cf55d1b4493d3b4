//! What arrives: bytes, headers and signatures of each format.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hookport::clock::Clock;
use hookport::event::{Data, Event};
use hookport::journal::Outcome;
use hookport::outbound::Open;
use jiff::SignedDuration;
use sha2::Sha256;

use super::ledger::Ledger;
use super::receiver::{Got, Receiver, Say};
use super::{destination, event, local, plain_request, request, run, run_with, until};

/// Sends one event in one format and shows what arrived.
async fn arrived(more: &str, secrets: &[&str], request: hookport::request::Incoming) -> Got {
    let receiver = Receiver::start([Say::Status(200)]).await;
    let ledger = Arc::new(Ledger::default());
    ledger.add("crm", event(1), request);
    let written = format!("kind = 'http'\nurl = '{}'\nallow_private = true\n{more}", receiver.url());
    let running = run(ledger, vec![destination("crm", &written, secrets)]);
    until("it is delivered", || running.ledger.row(0).outcomes == [Outcome::Delivered]).await;
    running.stop().await;
    let mut got = receiver.got();
    assert_eq!(got.len(), 1);
    got.remove(0)
}

fn expected_signature(secret: &[u8], got: &Got) -> String {
    let header = |name| got.headers[name].to_str().unwrap();
    let signed = [header("webhook-id"), ".", header("webhook-timestamp"), "."].concat();
    let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(signed).chain_update(&got.body).finalize();
    format!("v1,{}", STANDARD.encode(mac.into_bytes()))
}

#[tokio::test]
async fn a_cloudevent_is_structured_json_with_the_numbers_as_received() {
    let got = arrived("", &[], plain_request()).await;
    assert_eq!(got.line, "POST /hooks?key=1");
    assert_eq!(got.headers["content-type"], "application/cloudevents+json");
    assert_eq!(got.headers["webhook-id"], "00000000-0000-0000-0000-000000000001");
    assert!(!got.headers.contains_key("webhook-signature") && !got.headers.contains_key("webhook-timestamp"));
    let text = std::str::from_utf8(&got.body).unwrap();
    assert!(text.contains(r#""data":{"number":1,"amount":10.00}"#), "{text}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(text).unwrap(),
        serde_json::json!({
            "specversion": "1.0", "id": "00000000-0000-0000-0000-000000000001", "source": "/sources/esim",
            "type": "eiotclub.CardStopped", "subject": "8985", "time": "2026-01-02T03:04:05Z",
            "provider": "eiotclub", "providerversion": "1.0.0", "providereventid": "n-1",
            "receivedtime": "2026-01-02T03:04:06Z", "datacontenttype": "application/json",
            "data": { "number": 1, "amount": 10.0 },
        })
    );
}

#[tokio::test]
async fn data_is_the_document_alone() {
    let got = arrived("format = 'data'", &[], plain_request()).await;
    assert_eq!(got.headers["content-type"], "application/json");
    assert_eq!(&got.body[..], br#"{"number":1,"amount":10.00}"#);
    assert_eq!(got.headers["webhook-id"], "00000000-0000-0000-0000-000000000001");
}

#[tokio::test]
async fn raw_is_the_providers_bytes_and_headers() {
    let sent = request(
        &[
            ("host", "hooks.example.com"),
            ("content-length", "999"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("content-type", "text/xml; charset=GBK"),
            ("x-signature", "abc"),
            ("x-twice", "1"),
            ("x-twice", "2"),
            ("user-agent", "provider/1"),
        ],
        b"<a>\xff\x00</a>\n",
    );
    let got = arrived("format = 'raw'", &["secret"], sent).await;
    assert_eq!(&got.body[..], b"<a>\xff\x00</a>\n");
    assert_eq!(got.headers["content-type"], "text/xml; charset=GBK");
    assert_eq!(got.headers["x-signature"], "abc");
    assert_eq!(got.headers["user-agent"], "provider/1");
    assert_eq!(got.headers.get_all("x-twice").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_ne!(got.headers["host"], "hooks.example.com");
    assert_eq!(got.headers["content-length"], "10");
    assert!(!got.headers.contains_key("x-hop"));
    assert_eq!(got.headers["webhook-signature"], expected_signature(b"secret", &got));
}

#[tokio::test]
async fn webhook_headers_of_the_provider_stand_in_raw() {
    let sent = request(&[("webhook-id", "theirs"), ("webhook-signature", "v1,theirs")], b"{}");
    let got = arrived("format = 'raw'", &["secret"], sent).await;
    assert_eq!(got.headers["webhook-id"], "theirs");
    assert_eq!(got.headers["webhook-signature"], "v1,theirs");
    assert_eq!(got.headers["hookport-id"], "00000000-0000-0000-0000-000000000001");
    assert!(got.headers["hookport-signature"].to_str().unwrap().starts_with("v1,"));
    assert!(got.headers.contains_key("hookport-timestamp") && !got.headers.contains_key("webhook-timestamp"));
}

#[tokio::test]
async fn every_secret_signs() {
    let got = arrived("", &["plain text", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], plain_request()).await;
    let second = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let expected = format!("{} {}", expected_signature(b"plain text", &got), expected_signature(&second, &got));
    assert_eq!(got.headers["webhook-signature"], expected);
}

#[tokio::test]
async fn a_retry_keeps_the_id_and_is_signed_at_its_own_time() {
    let receiver = Receiver::start([Say::Status(500), Say::Status(200)]).await;
    let ledger = Arc::new(Ledger::default());
    ledger.add("crm", event(1), plain_request());
    let written = format!(
        "kind = 'http'\nurl = '{}'\nallow_private = true\nretry = {{ first = '1h', jitter = 0.0 }}",
        receiver.url()
    );
    let clock = Clock::default();
    let running = run_with(ledger, vec![destination("crm", &written, &["secret"])], super::AsItIs, clock.clone());
    until("the first attempt failed", || running.ledger.row(0).attempts.len() == 1).await;
    clock.advance(SignedDuration::from_hours(2));
    // The lane sleeps by the old time; the journal's notice is what wakes it.
    hookport::journal::Journal::due(&*running.ledger, "crm").notify_one();
    until("it is delivered", || running.ledger.row(0).due.is_none()).await;

    let got = receiver.got();
    let time = |got: &Got| got.headers["webhook-timestamp"].to_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
    assert!(time(&got[1]) >= time(&got[0]) + 7200);
    for got in &got {
        assert_eq!(got.headers["webhook-signature"], expected_signature(b"secret", got));
    }
    running.stop().await;
}

struct Opener;

impl Open for Opener {
    fn opens(&self, _: &Event) -> bool {
        true
    }

    fn hides(&self, _: &Event) -> bool {
        true
    }

    fn open(&self, _: &Event) -> (Bytes, Vec<String>) {
        (Bytes::from_static(br#"{"card":"opened"}"#), vec!["one field could not be opened".into()])
    }
}

#[tokio::test]
async fn encrypted_fields_are_opened_for_the_delivery_and_nowhere_else() {
    let receiver = Receiver::start([Say::Text(200, "got the card opened".into())]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let ledger = Arc::new(Ledger::default());
    for name in ["data", "file", "raw"] {
        ledger.add(name, event(1), plain_request());
    }
    let destinations = vec![
        local("data", &receiver.url(), "format = 'data'"),
        destination("file", &format!("kind = 'file'\npath = '{}'", path.display()), &[]),
        local("raw", &receiver.url(), "format = 'raw'"),
    ];
    let running = run_with(ledger, destinations, Opener, Clock::default());
    until("all are delivered", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    let mut bodies: Vec<_> = receiver.got().into_iter().map(|got| got.body).collect();
    bodies.sort();
    assert_eq!(bodies, [&br#"{"card":"opened"}"#[..], b"{}"]);
    assert!(std::fs::read_to_string(&path).unwrap().contains(r#""data":{"card":"opened"}"#));
    assert_eq!(running.ledger.row(0).event.data, event(1).data);
    for row in [0, 2] {
        let attempt = &running.ledger.row(row).attempts[0];
        let answer = attempt.answer.as_deref().unwrap();
        assert!(answer.starts_with("[withheld") && attempt.status == Some(200), "an echo is not kept: {answer}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_file_gets_every_event_once_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let ledger = Arc::new(Ledger::default());
    for number in 0..500 {
        ledger.add("log", event(number), plain_request());
    }
    let written = format!("kind = 'file'\npath = '{}'\nformat = 'data'", path.display());
    let running = run(ledger, vec![destination("log", &written, &[])]);
    until("all are delivered", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    running.stop().await;
    let text = std::fs::read_to_string(&path).unwrap();
    let expected: String = (0..500).map(|number| format!("{{\"number\":{number},\"amount\":10.00}}\n")).collect();
    assert_eq!(text, expected);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The next one starts it again, in a process whose standard output it reads.
#[tokio::test]
async fn two_events_go_to_standard_output() {
    let ledger = Arc::new(Ledger::default());
    ledger.add("out", event(1), plain_request());
    ledger.add("out", event(2), plain_request());
    let running = run(ledger, vec![destination("out", "kind = 'stdout'\nformat = 'data'", &[])]);
    until("both are delivered", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    running.stop().await;
}

#[test]
fn standard_output_gets_a_line_for_each_event() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "outbound::formats::two_events_go_to_standard_output"])
        .output()
        .unwrap();
    let text = String::from_utf8(child.stdout).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("amount")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].ends_with(r#"{"number":1,"amount":10.00}"#), "{text}");
    assert_eq!(lines[1], r#"{"number":2,"amount":10.00}"#);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    std::fs::create_dir(&path).unwrap();
    let ledger = Arc::new(Ledger::default());
    ledger.add("log", event(1), plain_request());
    let written = format!("kind = 'file'\npath = '{}'\nretry = {{ first = '10ms', factor = 1.0 }}", path.display());
    let running = run(ledger, vec![destination("log", &written, &[])]);
    until("it failed", || !running.ledger.row(0).attempts.is_empty()).await;
    let error = running.ledger.row(0).attempts[0].error.clone().unwrap();
    assert!(error.contains("events.jsonl"), "{error}");
    std::fs::remove_dir(&path).unwrap();
    until("it is delivered", || running.ledger.row(0).due.is_none()).await;
    running.stop().await;
}

#[tokio::test]
async fn data_that_is_not_json_keeps_its_type_and_is_base64_in_a_cloudevent() {
    let receiver = Receiver::start([Say::Status(204)]).await;
    let ledger = Arc::new(Ledger::default());
    let mut xml = event(1);
    xml.data = Data::Bytes(Bytes::from_static(b"<a/>"), "text/xml".into());
    for name in ["data", "cloudevent"] {
        ledger.add(name, xml.clone(), plain_request());
    }
    let format = |name| local(name, &receiver.url(), &format!("format = '{name}'"));
    let running = run(ledger, vec![format("data"), format("cloudevent")]);
    until("both are delivered", || running.ledger.rows().iter().all(|row| row.due.is_none())).await;
    running.stop().await;
    let got = receiver.got();
    let of = |kind: &str| got.iter().find(|got| got.headers["content-type"] == kind).unwrap();
    assert_eq!(&of("text/xml").body[..], b"<a/>");
    let event: serde_json::Value = serde_json::from_slice(&of("application/cloudevents+json").body).unwrap();
    assert_eq!((&event["data_base64"], &event["datacontenttype"]), (&"PGEvPg==".into(), &"text/xml".into()));
}
