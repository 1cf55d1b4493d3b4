//! The demo's destination: takes events, and believes none whose Standard Webhooks signature does not hold.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::server::{Answer, plain, serve};
use crate::clock::Clock;

/// How far a signed time may be off, in seconds, as the specification's own libraries have it.
const TOLERANCE: i64 = 300;

/// One delivery.
pub(super) struct Arrived {
    /// The gateway's id of the event.
    pub(super) id: String,
    /// The CloudEvent.
    pub(super) event: Value,
    /// What is wrong with the signature.
    pub(super) wrong: Option<&'static str>,
}

/// A running receiver; it ends with its runtime.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    pub(super) arrivals: UnboundedReceiver<Arrived>,
}

impl Receiver {
    /// Listens on a free loopback port; the key is that of the secret.
    pub(super) async fn start(key: [u8; 32], clock: Clock) -> std::io::Result<Self> {
        let (sender, arrivals) = unbounded_channel();
        let desk = Arc::new(Desk { key, clock, sender });
        let address = serve(move |request| desk.take(&request)).await?;
        Ok(Self { address, arrivals })
    }
}

struct Desk {
    key: [u8; 32],
    clock: Clock,
    sender: UnboundedSender<Arrived>,
}

impl Desk {
    fn take(&self, request: &Request<Bytes>) -> Answer {
        let wrong = self.check(request.headers(), request.body()).err();
        let id = text(request.headers(), "webhook-id").to_owned();
        let event = serde_json::from_slice(request.body()).unwrap_or_default();
        // The demo has ended when nobody listens.
        let _ = self.sender.send(Arrived { id, event, wrong });
        plain(if wrong.is_none() { StatusCode::OK } else { StatusCode::UNAUTHORIZED }, Bytes::new())
    }

    /// `v1,<base64 HMAC-SHA256>` of `id.timestamp.body`.
    fn check(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
        let (id, time) = (text(headers, "webhook-id"), text(headers, "webhook-timestamp"));
        let seconds: i64 = time.parse().map_err(|_| "no webhook-timestamp")?;
        if (self.clock.now().as_second() - seconds).abs() > TOLERANCE {
            return Err("an old webhook-timestamp");
        }
        let event: Value = serde_json::from_slice(body).map_err(|_| "no JSON")?;
        if id.is_empty() || event["id"] != id {
            return Err("a webhook-id that is not the event's");
        }
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).map_err(|_| "no key")?;
        let mac = mac.chain_update(format!("{id}.{time}.")).chain_update(body);
        let signatures = text(headers, "webhook-signature").split(' ').filter_map(|part| part.strip_prefix("v1,"));
        let mut signatures = signatures.filter_map(|part| STANDARD.decode(part).ok());
        match signatures.any(|signature| mac.clone().verify_slice(&signature).is_ok()) {
            true => Ok(()),
            false => Err("a webhook-signature that does not hold"),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(key: &[u8], id: &str, time: i64, body: &str) -> Request<Bytes> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
        let mac = mac.chain_update(format!("{id}.{time}.{body}")).finalize().into_bytes();
        let request = Request::builder().header("webhook-id", id).header("webhook-timestamp", time);
        let signature = format!("v1,{} v1,{}", STANDARD.encode([0; 32]), STANDARD.encode(mac));
        request.header("webhook-signature", signature).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    #[test]
    fn only_what_is_signed_with_the_secret_now_and_for_this_event_is_believed() {
        let (sender, mut arrivals) = unbounded_channel();
        let clock = Clock::default();
        let (key, now) = ([7; 32], clock.now().as_second());
        let desk = Desk { key, clock, sender };
        for (request, believed) in [
            (signed(&key, "e1", now, r#"{"id":"e1"}"#), true),
            (signed(&[8; 32], "e1", now, r#"{"id":"e1"}"#), false),
            (signed(&key, "e2", now, r#"{"id":"e1"}"#), false),
            (signed(&key, "e1", now - 301, r#"{"id":"e1"}"#), false),
            (Request::new(Bytes::from_static(br#"{"id":"e1"}"#)), false),
        ] {
            assert_eq!(desk.take(&request).status().is_success(), believed, "{request:?}");
            assert_eq!(arrivals.try_recv().unwrap().wrong.is_none(), believed, "{request:?}");
        }
    }
}
