//! The events that are recorded: of the size and shape that providers send.

use std::sync::Arc;

use bytes::Bytes;
use hookport::clock::Clock;
use hookport::event::{Data, DedupKey, NewEvent};
use hookport::journal::NewRequest;
use hookport::request::Incoming;
use hyper::header::{HeaderMap, HeaderValue};

/// 700 bytes with a signature in them, as a provider with its signature in the body sends them.
pub(crate) fn body(number: usize) -> Bytes {
    let filler = "0123456789abcdef".repeat(37);
    format!(r#"{{"id":"{number:020}","event":"CardStopped","sign":"{:040x}","note":"{filler}"}}"#, number).into()
}

pub(crate) fn request(number: usize) -> NewRequest {
    let body = body(number);
    let sign = body.windows(8).position(|window| window == b",\"sign\":").expect("a signature");
    let data = [&body[..sign], &body[sign + 50..]].concat();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("provider/1.0"));
    NewRequest {
        source: "esim".into(),
        provider: "eiotclub".into(),
        provider_version: "1.0.0".into(),
        request: Arc::new(Incoming {
            method: "POST".into(),
            target: "/eiotclub".into(),
            headers,
            body,
            peer: Some([192, 0, 2, 7].into()),
            received: Clock::default().now(),
        }),
        events: vec![NewEvent {
            kind: "eiotclub.CardStopped".into(),
            subject: Some("8985200012345678901".into()),
            time: None,
            provider_id: Some(number.to_string()),
            key: DedupKey { hash: hash(number), until: None },
            data: Data::Json(data.into()),
            warnings: Vec::new(),
            undecoded: None,
        }],
        nonce: None,
        stale: None,
        build: None,
        poll_state: None,
    }
}

/// Spread like the SHA-256 that it stands for.
pub(crate) fn hash(number: usize) -> [u8; 16] {
    let mix = |mut x: u64| {
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    };
    let (first, second) = (mix(number as u64 + 1), mix(!(number as u64)));
    (u128::from(first) << 64 | u128::from(second)).to_be_bytes()
}
