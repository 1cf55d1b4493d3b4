//! A request that goes out, as far as it is made: the bytes that are signed are the bytes that are sent.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use hookport_plugin_api::operation::RequestPlan;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use hyper::{Method, Uri};
use jiff::Timestamp;
use url::Url;

use super::super::view::PublicUrl;
use crate::request::Incoming;

const AGENT: &str = concat!("hookport/", env!("CARGO_PKG_VERSION"));
/// What no request may say by itself, because the connection is the host's.
const OURS: [HeaderName; 6] = [HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING, TE, UPGRADE];

/// A request that goes out; a debug print shows neither headers nor body, in which secrets may be.
#[derive(Clone)]
pub struct Draft {
    pub(super) origin: PublicUrl,
    /// With the `Host` that the connection will send, because it may be signed.
    pub(super) request: Incoming,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (hidden)", self.request.method, self.origin.origin)
    }
}

impl Draft {
    /// Makes one; the URL is taken as a browser would send it.
    pub(super) fn new(method: &str, url: &str, headers: HeaderMap, body: Bytes) -> Result<Self, String> {
        let parsed = target(url)?;
        Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method:?} is no method"))?;
        let host = parsed.host_str().unwrap_or_default();
        let authority = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Incoming { method: method.to_owned(), headers, body, ..Incoming::nothing() };
        request.target = parsed[url::Position::BeforePath..].to_owned();
        request.received = Timestamp::UNIX_EPOCH;
        request.headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        let host = HeaderValue::try_from(&authority).map_err(|_| "the URL's host is no header's value")?;
        request.headers.insert(HOST, host);
        let origin = PublicUrl { origin: format!("{}://{authority}", parsed.scheme()), base: String::new() };
        Ok(Self { origin, request })
    }

    /// Of a plugin's plan, with these secrets in place of `${secret:NAME}` in its headers: no plugin sees a credential.
    pub(super) fn of_plan(plan: &RequestPlan, secrets: &[(&str, &[u8])]) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &plan.headers {
            let filled = filled(value, secrets)?;
            let (name, mut value) = header(name, filled.as_bytes())?;
            value.set_sensitive(matches!(filled, Cow::Owned(_)));
            headers.append(name, value);
        }
        Self::new(&plan.method, &plan.url, headers, Bytes::copy_from_slice(&plan.body))
    }

    /// Upper case.
    pub fn method(&self) -> &str {
        &self.request.method
    }

    /// Absolute.
    pub fn url(&self) -> String {
        format!("{}{}", self.origin.origin, self.request.target)
    }

    /// As they are sent, but for those that the connection adds.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.request.headers.clone();
        headers.remove(HOST);
        headers
    }

    /// As it is sent.
    pub fn body(&self) -> &Bytes {
        &self.request.body
    }

    /// The parts of an HTTP request.
    pub fn parts(self) -> Result<(Method, Uri, HeaderMap, Bytes), String> {
        let url = self.url();
        let uri = Uri::try_from(&url).map_err(|error| format!("the URL is none: {error}"))?;
        let method = Method::from_bytes(self.method().as_bytes()).map_err(|error| error.to_string())?;
        Ok((method, uri, self.headers(), self.request.body))
    }
}

/// A header that a request may have.
pub(super) fn header(name: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), String> {
    let header = header_name(name)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| format!("the header {name} has no header's value"))?;
    Ok((header, value))
}

/// The name of a header that a request may have.
pub(super) fn header_name(name: &str) -> Result<HeaderName, String> {
    let header = HeaderName::try_from(name).map_err(|_| format!("{name:?} is no header's name"))?;
    match OURS.contains(&header) {
        true => Err(format!("the header {name} is the gateway's own")),
        false => Ok(header),
    }
}

/// A complaint does not show the URL: a secret may stand in it.
fn target(url: &str) -> Result<Url, String> {
    let mut parsed = Url::parse(url).map_err(|error| format!("the URL is none: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err("the URL does not begin with http:// or https://".to_owned());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("the URL holds credentials, which belong into a header".to_owned());
    }
    parsed.set_fragment(None);
    Ok(parsed)
}

/// A header's value with secrets in place of `${secret:NAME}`.
fn filled<'v>(value: &'v str, secrets: &[(&str, &[u8])]) -> Result<Cow<'v, str>, String> {
    const OPEN: &str = "${secret:";
    let mut filled = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, after) = after.split_once('}').ok_or("a header's value has ${secret: without an end")?;
        let secret = secrets.iter().find(|(known, _)| *known == name);
        let (_, secret) = secret.ok_or_else(|| format!("it needs secrets.{name}, which the source does not set"))?;
        filled.push_str(before);
        filled.push_str(&String::from_utf8_lossy(secret));
        rest = after;
    }
    Ok(if rest.len() == value.len() { Cow::Borrowed(value) } else { Cow::Owned(filled + rest) })
}
