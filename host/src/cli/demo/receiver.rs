//! The demo's destination: takes events, and believes none whose Standard Webhooks signature does not hold.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (sender, arrivals) = unbounded_channel();
        let desk = Arc::new(Desk { key, clock, sender });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let desk = desk.clone();
                let service = service_fn(move |request| take(desk.clone(), request));
                // A peer that goes away is the peer's business.
                tokio::spawn(async move {
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, arrivals })
    }
}

struct Desk {
    key: [u8; 32],
    clock: Clock,
    sender: UnboundedSender<Arrived>,
}

async fn take(desk: Arc<Desk>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(Full::default());
    let Ok(body) = body.collect().await.map(|body| body.to_bytes()) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let wrong = desk.check(&head.headers, &body).err();
    if wrong.is_some() {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    let id = text(&head.headers, "webhook-id").to_owned();
    let event = serde_json::from_slice(&body).unwrap_or_default();
    // The demo has ended when nobody listens.
    let _ = desk.sender.send(Arrived { id, event, wrong });
    Ok(response)
}

impl Desk {
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
