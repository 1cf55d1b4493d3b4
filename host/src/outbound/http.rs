//! HTTP destinations: a delivery becomes a signed POST, its answer a reply. What the reply means is left to `judge`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::{Method, Request, Uri};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use url::Url;

use super::destination::{DestinationError, tls};
use super::judge::Reply;
use super::payload::Payload;
use super::shape::Shape;
use super::sign::Signer;
use crate::config::resolved::{Format, Http};
use crate::event::Event;
use crate::net::{Answer, Client, Limits, retry_after};
use crate::request::Incoming;
use crate::traces::{Context, TRACEPARENT};

/// The start of an answer that an attempt keeps.
const KEPT: usize = 1024;

/// An HTTP endpoint, ready to be sent to.
pub(super) struct Endpoint {
    uri: Uri,
    authorization: Option<HeaderValue>,
    shape: Shape,
    signer: Signer,
    headers: HeaderMap,
    limits: Limits,
    client: Client,
}

impl Endpoint {
    pub(super) fn build(written: &Http) -> Result<Self, DestinationError> {
        let (uri, authorization) = target(written.url.clone())?;
        if written.concurrency == 0 {
            return Err(DestinationError::Concurrency);
        }
        let shortest = written.connect_timeout.min(written.first_byte_timeout.unwrap_or(written.timeout));
        if shortest.min(written.timeout).is_zero() {
            return Err(DestinationError::Timeout);
        }
        Ok(Self {
            uri,
            authorization,
            shape: Shape::build(written.format, written.transform.as_deref(), written.timeout)?,
            signer: Signer::new(&written.signing_secrets)?,
            headers: written.headers.clone(),
            limits: Limits { first_byte: written.first_byte_timeout, whole: written.timeout },
            client: Client::build(
                &tls(written.ca.as_deref(), written.client_cert.as_ref())?,
                written.allow_private,
                Some(written.connect_timeout),
            ),
        })
    }

    pub(super) fn format(&self) -> Format {
        self.shape.format
    }

    /// Sends once; `now` is the attempt's own time.
    pub(super) async fn deliver(
        &self,
        event: &Event,
        received: &Incoming,
        context: Option<Context>,
        now: Timestamp,
    ) -> Reply {
        let payload = match self.shape.payload(event, received).await {
            Ok(Some(payload)) => payload,
            Ok(None) => return Reply::Skipped,
            Err(error) => return Reply::Unsent(error),
        };
        let request = self.request(payload, event, context, now);
        match self.client.send(request, KEPT, self.limits).await {
            Ok(answer) => answered(&answer, now),
            Err(error) => Reply::Failed(error.to_string()),
        }
    }

    fn request(
        &self,
        mut payload: Payload,
        event: &Event,
        context: Option<Context>,
        now: Timestamp,
    ) -> Request<Full<Bytes>> {
        self.sign(&mut payload.headers, &payload.body, &event.id.to_string(), now);
        if let Some(authorization) = &self.authorization {
            payload.headers.insert(AUTHORIZATION, authorization.clone());
        }
        // What the provider sent is passed on as it came.
        if let Some(value) = context.filter(|_| !payload.headers.contains_key(TRACEPARENT)).and_then(Context::header) {
            payload.headers.insert(TRACEPARENT, value);
        }
        // What the operator says goes before what the provider said.
        for (name, value) in &self.headers {
            payload.headers.insert(name, value.clone());
        }
        let mut request = Request::new(Full::new(payload.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = payload.headers;
        request
    }

    /// Standard Webhooks; where the provider sent such headers itself they stand, and ours have our own name.
    fn sign(&self, headers: &mut HeaderMap, body: &[u8], id: &str, now: Timestamp) {
        let taken = headers.keys().any(|name| name.as_str().starts_with("webhook-"));
        let [id_name, timestamp_name, signature_name] =
            if taken { OURS_BESIDE_THE_PROVIDERS } else { STANDARD_WEBHOOKS };
        headers.insert(HeaderName::from_static(id_name), visible(id));
        if self.signer.signs() {
            let timestamp = now.as_second();
            headers.insert(HeaderName::from_static(timestamp_name), HeaderValue::from(timestamp));
            let signature = self.signer.sign(id, timestamp, body);
            headers.insert(HeaderName::from_static(signature_name), visible(&signature));
        }
    }
}

const STANDARD_WEBHOOKS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];
const OURS_BESIDE_THE_PROVIDERS: [&str; 3] = ["hookport-id", "hookport-timestamp", "hookport-signature"];

/// Ids are UUIDs and signatures base64.
fn visible(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("it is visible ASCII")
}

/// The address without its credentials and fragment, and the credentials as a header.
fn target(mut url: Url) -> Result<(Uri, Option<HeaderValue>), DestinationError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(DestinationError::Scheme(url.scheme().to_owned()));
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| {
        let pair = format!("{}:{}", decoded(url.username()), decoded(url.password().unwrap_or_default()));
        let mut value = visible(&format!("Basic {}", STANDARD.encode(pair)));
        value.set_sensitive(true);
        value
    });
    url.set_fragment(None);
    // Both only fail on addresses without a host, which http does not have.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let uri = Uri::try_from(url.as_str()).map_err(|error| DestinationError::Url(error.to_string()))?;
    Ok((uri, authorization))
}

fn answered(answer: &Answer, now: Timestamp) -> Reply {
    let location = answer.headers.get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    Reply::Answered {
        status: answer.status.as_u16(),
        retry_after: retry_after(&answer.headers, now),
        location,
        text: String::from_utf8_lossy(&answer.body).into_owned(),
    }
}
