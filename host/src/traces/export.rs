//! Sends spans in batches, one after the other. What the collector does not take is dropped and counted: traces are for
//! looking, and nothing waits for them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::span::Span;
use super::{Terms, wire};
use crate::metrics::{Counts, Spanned};
use crate::net::Client;

/// Spans of one batch.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How long a collector that is away is left alone, at first and at most.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// Of its answer nothing is needed.
const KEPT: usize = 256;

/// Until nobody makes spans any more.
pub(super) async fn export(terms: Terms, mut spans: mpsc::Receiver<Span>, counted: Arc<Counts<Spanned>>) {
    // Whoever configures a collector says where it is.
    let client = Client::new(true);
    let (mut batch, mut away) = (Vec::new(), None);
    while spans.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH && !spans.is_closed() {
            sleep(GATHER).await;
            while batch.len() < BATCH
                && let Ok(span) = spans.try_recv()
            {
                batch.push(span);
            }
        }
        let count = batch.len();
        let failed = send(&client, &terms, std::mem::take(&mut batch)).await.err();
        let became = if failed.is_some() { Spanned::Failed } else { Spanned::Sent };
        (0..count).for_each(|_| counted.count(became));
        match failed {
            None if away.take().is_some() => tracing::info!("the collector of traces takes them again"),
            None => {}
            Some(error) => {
                if away.is_none() {
                    tracing::warn!("the collector of traces does not take them: {error}; look at [traces] endpoint");
                }
                let wait = away.map_or(FIRST, |wait: Duration| (wait * 2).min(LONGEST));
                away = Some(wait);
                if !spans.is_closed() {
                    sleep(wait).await;
                }
            }
        }
    }
}

async fn send(client: &Client, terms: &Terms, spans: Vec<Span>) -> Result<(), String> {
    let mut request = Request::new(Full::<Bytes>::new(wire::body(spans)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = terms.endpoint.clone();
    *request.headers_mut() = terms.headers.clone();
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    let answer = client.send(request, KEPT, terms.timeout).await.map_err(|error| error.to_string())?;
    if answer.status.is_success() { Ok(()) } else { Err(format!("status {}", answer.status.as_u16())) }
}
