//! A native decoder through the loaded library, and the same work without one.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::plugin::{DecodeRequest, DecodedEvent, load};
use hyper::header::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::shipped;

const TIMES: usize = 200_000;

/// As the eIoTClub plugin reads them.
#[derive(Deserialize)]
struct Envelope {
    nonce: Option<i64>,
}

#[derive(Deserialize)]
struct CardStopped<'a> {
    #[serde(borrow)]
    iccid: Option<Cow<'a, str>>,
}

pub(crate) fn measure() {
    println!("\n{:<42} {:>10} {:>10} {:>8}", "decoding eiotclub.CardStopped", "loaded us", "direct us", "adds ns");
    let loaded = load(&shipped::library("eiotclub")).expect("the shipped plugin");
    let native = loaded.native.expect("it has code");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("eiotclub"));
    let received = Clock::default().now();
    for bytes in [200, 1_024, 3_072] {
        let start = r#"{"id":"1","event":"CardStopped","iccid":"8985203105001234567","nonce":12345,"timestamp":1746050703,"fill":""#;
        let document = format!("{start}{}\"}}", "x".repeat(bytes - start.len() - 2));
        let request = DecodeRequest {
            method: "POST",
            target: "/eiotclub",
            headers: &headers,
            body: document.as_bytes(),
            received,
            declared_type: "CardStopped",
            declared_subject: Some("8985203105001234567"),
            document: &document,
        };
        let through = time(|| {
            let events = native.decode(&request).expect("decoded");
            assert!(events.len() == 1 && events[0].warnings.is_empty(), "{events:?}");
            events
        });
        let direct = time(|| vec![directly(&document)]);
        println!(
            "{:<42} {:>10.3} {:>10.3} {:>8.0}",
            format!("{bytes} bytes"),
            through,
            direct,
            (through - direct) * 1e3
        );
    }
}

/// What the plugin does for one event: the document, the typed payload, the envelope.
fn directly(document: &str) -> DecodedEvent {
    let raw: &RawValue = serde_json::from_str(document).expect("JSON");
    let mut event = DecodedEvent::default();
    if raw.get() != document {
        event.data = Some(Bytes::copy_from_slice(raw.get().as_bytes()));
    }
    let card: CardStopped<'_> = serde_json::from_str(raw.get()).expect("a card");
    if card.iccid.is_none() {
        event.warnings.push("iccid is documented as required".into());
    }
    let envelope: Envelope = serde_json::from_str(document).expect("an envelope");
    if envelope.nonce.is_some_and(|nonce| !(10_000..=99_999).contains(&nonce)) {
        event.warnings.push("nonce is documented as 10000 to 99999".into());
    }
    event
}

/// Microseconds for one, the best of five.
fn time<T>(mut work: impl FnMut() -> T) -> f64 {
    let once = |_| {
        let begun = Instant::now();
        for _ in 0..TIMES / 5 {
            black_box(work());
        }
        begun.elapsed().as_secs_f64() * 1e6 / (TIMES / 5) as f64
    };
    (0..5).map(once).fold(f64::INFINITY, f64::min)
}
