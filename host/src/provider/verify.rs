//! Verification: one request against one source at one moment. Pure; every digest, comparison and key is here or below.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookport_plugin_api::description::Content;
use jiff::Timestamp;

use super::identity::{Declared, dedup_key, later};
use super::json::Edit;
use super::moment;
use super::prove::{Try, prove};
use super::source::Source;
use super::template::Lookup;
use super::view::{Parsed, View};
use crate::event::DedupKey;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// How long what has no other bound is remembered.
const DAY: Duration = Duration::from_secs(86_400);

/// A request that is its provider's. Only [`verify`] makes one.
#[derive(Debug)]
pub struct Verified {
    request: Arc<Incoming>,
    /// The table that accepted it; none where the provider does not sign.
    pub by: Option<usize>,
    /// What the description says of its event.
    pub declared: Declared,
    /// The body's document without the signature, compact; absent where the body is not JSON.
    pub document: Option<Bytes>,
    /// May come only once.
    pub nonce: Option<DedupKey>,
    /// Authentic, but out of time.
    pub stale: Option<Rejection>,
    /// Authentic, but not what the provider sends; why.
    pub malformed: Option<String>,
}

impl Verified {
    /// As received.
    pub fn request(&self) -> &Arc<Incoming> {
        &self.request
    }
}

/// Verifies a request.
pub fn verify(source: &Source, request: &Arc<Incoming>, now: Timestamp) -> Result<Verified, Rejection> {
    examine(source, request, now, &mut None).map(|found| found.with(request.clone()))
}

/// As [`verify`], with every comparison written down.
pub fn trace(source: &Source, request: &Arc<Incoming>, now: Timestamp) -> (Vec<Try>, Result<Verified, Rejection>) {
    let mut tries = Some(Vec::new());
    let result = examine(source, request, now, &mut tries).map(|found| found.with(request.clone()));
    (tries.unwrap_or_default(), result)
}

struct Found {
    by: Option<usize>,
    declared: Declared,
    document: Option<Bytes>,
    nonce: Option<DedupKey>,
    stale: Option<Rejection>,
    malformed: Option<String>,
}

impl Found {
    fn with(self, request: Arc<Incoming>) -> Verified {
        let Self { by, declared, document, nonce, stale, malformed } = self;
        Verified { request, by, declared, document, nonce, stale, malformed }
    }
}

fn examine(
    source: &Source,
    request: &Incoming,
    now: Timestamp,
    tries: &mut Option<Vec<Try>>,
) -> Result<Found, Rejection> {
    source.provider.headers.iter().try_for_each(|rule| rule.check(&request.headers))?;
    let parsed = Parsed::new(request, source.provider.reads);
    let malformed = malformed(source, &parsed);
    let proof = match (prove(source, &parsed, tries), &malformed) {
        (Ok(proof), None) => proof,
        (Ok(proof), Some(_)) if proof.real => proof,
        (Err(rejection), None) => return Err(rejection),
        // What does not parse has one answer, whoever sent it.
        (_, Some(what)) => return Err(Rejection::new(Reason::Malformed, what)),
    };
    let sig: Vec<_> = proof.sig.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let view = View { sig: &sig, url: proof.url.or(source.urls.first()), ..source.view(&parsed) };
    let mut declared = source.provider.identity.declare(&source.name, &view, request, now);
    if malformed.is_some() {
        // It may take nobody else's place: its key is its own bytes, and neither time nor nonce is asked for.
        let whole = [request.target.as_bytes(), b"\n", &request.body].concat();
        let key = dedup_key(&source.name, "malformed", &whole, Some(later(now, DAY)));
        declared = Declared { id: None, key, ..declared };
        return Ok(Found { by: proof.by, declared, document: None, nonce: None, stale: None, malformed });
    }
    let stale = fresh(source, &view, now)?;
    let nonce = nonce(source, &view, now)?;
    Ok(Found { by: proof.by, declared, document: document(source, &parsed), nonce, stale, malformed })
}

/// What may come only once; a request without it could come again and again.
fn nonce(source: &Source, view: &View<'_>, now: Timestamp) -> Result<Option<DedupKey>, Rejection> {
    let Some(template) = &source.provider.nonce else { return Ok(None) };
    let nonce = template.render(view).ok().filter(|nonce| !nonce.is_empty());
    let nonce = nonce.ok_or_else(|| Rejection::new(Reason::ReplayedNonce, "the nonce is missing"))?;
    // Twice the tolerance: a time may be that far ahead when it is first seen.
    let hold = if source.tolerance.is_zero() { DAY } else { source.tolerance.saturating_mul(2) };
    Ok(Some(dedup_key(&source.name, "nonce", &nonce, Some(later(now, hold)))))
}

/// Whether the body is what the provider sends.
fn malformed(source: &Source, parsed: &Parsed<'_>) -> Option<String> {
    if let Some(error) = parsed.not_json().filter(|_| source.provider.content == Content::Json) {
        return Some(error.to_string());
    }
    let duplicate = parsed.json().filter(|_| source.provider.reads_fields)?.duplicate_key()?;
    // The name is the sender's: short, or nothing where the provider redacts.
    let name: String = duplicate.chars().take(if source.provider.redacted.is_empty() { 40 } else { 0 }).collect();
    Some(format!("a key comes twice ({name:?}), and the signature is over fields"))
}

/// `Ok(None)` is fresh, `Ok(Some)` is out of time, `Err` is no time at all.
fn fresh(source: &Source, view: &View<'_>, now: Timestamp) -> Result<Option<Rejection>, Rejection> {
    let Some((place, formats)) = source.provider.timestamp.as_ref().filter(|_| !source.tolerance.is_zero()) else {
        return Ok(None);
    };
    let missing = |what: &str| Rejection::new(Reason::TimestampMissing, format!("{place} {what}"));
    let text = view.bytes(place).ok_or_else(|| missing("is missing"))?;
    let time = std::str::from_utf8(&text).ok().and_then(|text| moment::read(text.trim(), formats));
    let time = time.ok_or_else(|| missing("is not a time as the description writes it"))?;
    Ok(moment::fresh(time, now, source.tolerance).err())
}

/// The body's document as `data` shows it.
fn document(source: &Source, parsed: &Parsed<'_>) -> Option<Bytes> {
    let document = parsed.json().filter(|_| source.provider.content == Content::Json)?;
    let signed: Vec<_> = source.provider.signed_fields.iter().filter_map(|steps| document.root().at(steps)).collect();
    let mut data = Vec::with_capacity(parsed.request.body.len());
    document.root().write(&mut data, &mut |value| match signed.iter().any(|field| field.is(value)) {
        true => Edit::Drop,
        false => Edit::Keep,
    });
    Some(data.into())
}
