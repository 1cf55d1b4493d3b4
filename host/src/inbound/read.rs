//! From HTTP to an [`Incoming`]: find the source by the head, then read the body within its limits.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming as HttpBody};
use hyper::header::{CONTENT_LENGTH, EXPECT};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode, Version};
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::held::Held;
use super::{Inbound, answer, own, peer};
use crate::provider::source::Source;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// After an early refusal so much is still read, so that the sender gets to the answer.
const DISCARD: usize = 16 << 20;
/// So much of a body is kept although its address or its sender is not known; one byte more than the journal keeps.
const KEPT: usize = (64 << 10) + 1;

impl Inbound {
    /// A whole exchange: find, read, receive, answer.
    pub(super) async fn exchange(self: Arc<Self>, socket: IpAddr, request: Request<HttpBody>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let head = self.head(socket, parts);
        let bare = head.request.method == Method::HEAD.as_str();
        let response = self.answer(head, body).await;
        if bare { answer::bare(response) } else { response }
    }

    async fn answer(self: Arc<Self>, head: Head, body: HttpBody) -> Response<Full<Bytes>> {
        let source = match self.find(&head) {
            Ok(source) => source,
            Err((source, rejection)) => return self.early(source, rejection, head, body),
        };
        let turn = match source.allowance.take() {
            Ok(turn) => turn,
            Err(detail) => return self.early(Some(source), Rejection::new(Reason::Unavailable, detail), head, body),
        };
        match self.body(&head, body).await {
            Ok((bytes, budget)) => {
                let mut request = Incoming { body: bytes, ..head.request };
                own::headers(&mut request.headers);
                let received = async move {
                    let ack = self.receive(&source, Arc::new(request)).await;
                    drop((turn, budget));
                    ack
                };
                // Whoever hangs up from here on takes nothing back: what is authentic is kept.
                let broken = |_| answer::host(StatusCode::SERVICE_UNAVAILABLE);
                tokio::spawn(received).await.map_or_else(broken, answer::ack)
            }
            Err((rejection, body)) => self.early(Some(source), rejection, head, body),
        }
    }

    fn head(&self, socket: IpAddr, parts: Parts) -> Head {
        let now = self.clock.now();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let request = Incoming {
            method: parts.method.as_str().to_owned(),
            target: target.to_owned(),
            peer: Some(peer::peer(socket, &parts.headers, &self.limits.trusted_proxies)),
            headers: parts.headers,
            body: Bytes::new(),
            // As the journal keeps it.
            received: Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now),
        };
        Head { request, version: parts.version }
    }

    /// The source on exactly this path, if it takes the method and the caller.
    fn find(&self, head: &Head) -> Result<Arc<Source>, (Option<Arc<Source>>, Rejection)> {
        let request = &head.request;
        let source = self.sources.at(request.path()).cloned();
        let source = source.ok_or_else(|| (None, Rejection::new(Reason::UnknownPath, "no source has this path")))?;
        if !source.takes(&request.method) {
            return Err((
                Some(source),
                Rejection::new(Reason::Method, format!("the source does not take {}", request.method)),
            ));
        }
        if !source.allows(request.peer) {
            return Err((Some(source), Rejection::new(Reason::Address, "the sender's address is not in allow_from")));
        }
        if let Err(rejection) = self.paused.pass(&source.name) {
            return Err((Some(source), rejection));
        }
        Ok(source)
    }

    /// The body, with its share of the memory for bodies; a refusal gives back what was not read.
    async fn body(&self, head: &Head, body: HttpBody) -> Result<(Bytes, OwnedSemaphorePermit), (Rejection, HttpBody)> {
        let announced =
            head.request.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.limits.max_body) {
            return Err((self.too_large(), body));
        }
        let mut body = body;
        let read = timeout(self.limits.request_timeout, self.frames(head.bytes(), announced, &mut body)).await;
        let slow = || Rejection::new(Reason::Timeout, "the body did not come in time");
        read.unwrap_or_else(|_| Err(slow())).map_err(|rejection| (rejection, body))
    }

    async fn frames(
        &self,
        head: usize,
        announced: Option<usize>,
        body: &mut HttpBody,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Rejection> {
        let busy = |_| Rejection::new(Reason::Unavailable, "too many bodies are in memory");
        let mut held = Held::new(&self.budget, head, announced).map_err(busy)?;
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| Rejection::new(Reason::Malformed, format!("the body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if held.len() + data.len() > self.limits.max_body {
                return Err(self.too_large());
            }
            held.add(data).map_err(busy)?;
        }
        Ok(held.take())
    }

    fn too_large(&self) -> Rejection {
        Rejection::new(Reason::TooLarge, format!("the body is longer than {} bytes", self.limits.max_body))
    }

    /// A refusal before the body was read: answered at once, while the rest is read and thrown away.
    fn early(
        self: Arc<Self>,
        source: Option<Arc<Source>>,
        rejection: Rejection,
        head: Head,
        body: HttpBody,
    ) -> Response<Full<Bytes>> {
        self.refused(source.as_ref(), &rejection, &head.request);
        let response = match (rejection.reason, &source) {
            (Reason::Method, Some(source)) => answer::ack(answer::not_allowed(source)),
            (Reason::TooLarge, _) => answer::host(StatusCode::PAYLOAD_TOO_LARGE),
            (Reason::Timeout, _) => answer::host(StatusCode::REQUEST_TIMEOUT),
            (reason, Some(source)) => answer::ack(source.ack(answer::outcome(reason), &head.request, self.clock.now())),
            (_, None) => answer::host(StatusCode::NOT_FOUND),
        };
        let expects = head.request.headers.contains_key(EXPECT);
        let unread = !body.is_end_stream();
        // On HTTP/2 only the stream ends.
        let response = if unread && head.version < Version::HTTP_2 { answer::closing(response) } else { response };
        if rejection.reason == Reason::Timeout || !unread || expects {
            self.keep(source.as_ref(), &rejection, &head.request);
            return response;
        }
        let patience = self.limits.request_timeout;
        tokio::spawn(async move {
            let mut body = body;
            // Read all the same, so it may be kept: its path may have a source tomorrow.
            let room = if self.may_keep(source.as_ref(), rejection.reason) { KEPT } else { 0 };
            let kept = timeout(patience, self.beginning(&mut body, room)).await.ok().flatten();
            let request = Incoming { body: kept.unwrap_or_default(), ..head.request };
            self.keep(source.as_ref(), &rejection, &request);
            timeout(patience, discard(body)).await
        });
        response
    }

    /// Whether a body that was not asked for is worth keeping, and somebody can say what in it must be masked.
    fn may_keep(&self, source: Option<&Arc<Source>>, reason: Reason) -> bool {
        let known = source.is_some() || !self.sources.iter().any(|source| source.redacts());
        known && matches!(reason, Reason::UnknownPath | Reason::Address)
    }

    /// The body, if it is whole and there is memory for it; of one that is longer so much that it is seen to be cut off.
    async fn beginning(&self, body: &mut HttpBody, room: usize) -> Option<Bytes> {
        let mut held = Held::new(&self.budget, 0, None).ok()?;
        while held.len() < room {
            let Some(frame) = body.frame().await else { break };
            let Ok(data) = frame.ok()?.into_data() else { continue };
            held.add(data).ok()?;
        }
        let (mut bytes, _budget) = held.take();
        bytes.truncate(room);
        Some(bytes)
    }
}

/// A request whose body is not there yet.
pub(super) struct Head {
    request: Incoming,
    version: Version,
}

impl Head {
    /// What it holds in memory, about.
    fn bytes(&self) -> usize {
        let headers = self.request.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        self.request.target.len() + headers.sum::<usize>()
    }
}

async fn discard(mut body: HttpBody) {
    let mut left = DISCARD;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
}
