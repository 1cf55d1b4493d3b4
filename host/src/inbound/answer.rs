//! The one place where refusals and acks become HTTP responses. The sender learns little; log and journal learn all.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

use crate::provider::ack::{Ack, Outcome};
use crate::provider::source::Source;
use crate::reason::Reason;

/// What a sender is told of a reason, in its own words.
pub fn outcome(reason: Reason) -> Outcome {
    match reason {
        Reason::Malformed => Outcome::Malformed,
        Reason::Unavailable => Outcome::Unavailable,
        _ => Outcome::Rejected,
    }
}

/// An ack, as it goes out.
pub(super) fn ack(ack: Ack) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(ack.body));
    *response.status_mut() = StatusCode::from_u16(ack.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in ack.headers {
        response.headers_mut().append(name, value);
    }
    response
}

/// What the host says itself, where no source speaks: short text, nothing about why.
pub(super) fn host(status: StatusCode) -> Response<Full<Bytes>> {
    let text = status.canonical_reason().unwrap_or("refused");
    let mut response = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// 405 with the methods that the source takes: the host's own answer.
pub fn not_allowed(source: &Source) -> Ack {
    let plain = (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let allow = HeaderValue::from_str(&source.allowed_methods().join(", ")).map(|methods| (ALLOW, methods));
    let headers = [plain].into_iter().chain(allow).collect();
    Ack { status: 405, headers, body: Bytes::from_static(b"Method Not Allowed\n") }
}

/// The answer to HEAD: as long as the one to GET would be, and without what it says.
pub(super) fn bare(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let length = response.body().size_hint().exact().filter(|length| *length > 0);
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Full::default();
    response
}

/// The same, and the connection ends with it.
pub(super) fn closing(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
