//! Verification: one request against one source at one moment. Pure; every digest, comparison and key is here or below.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hookport_plugin_api::description::Content;
use jiff::Timestamp;

use super::identity::{Declared, dedup_key};
use super::json::Edit;
use super::moment;
use super::signature::Table;
use super::source::{Ready, Source};
use super::template::Lookup;
use super::view::{Parsed, PublicUrl, View};
use crate::event::DedupKey;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

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

/// One comparison that was made, for people who look for a mismatch.
#[derive(Debug, Clone)]
pub struct Try {
    /// The table.
    pub table: usize,
    /// The text that was signed.
    pub message: Vec<u8>,
    /// What the signature would have to be, where that can be computed.
    pub expected: Option<Vec<u8>>,
    /// What was received, decoded.
    pub received: Vec<u8>,
    /// Whether they matched.
    pub matched: bool,
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
    let stale = fresh(source, &view, now)?;
    let declared = source.provider.identity.declare(&source.name, &view, &request.body, now);
    let nonce = source.provider.nonce.as_ref().and_then(|template| template.render(&view).ok());
    let nonce = nonce.map(|nonce| dedup_key(&source.name, "nonce", &nonce, Some(now + source.tolerance * 2)));
    Ok(Found { by: proof.by, declared, document: document(source, &parsed), nonce, stale, malformed })
}

/// Whether the body is what the provider sends.
fn malformed(source: &Source, parsed: &Parsed<'_>) -> Option<String> {
    if source.provider.content != Content::Json {
        return None;
    }
    if let Some(error) = parsed.not_json() {
        return Some(error.to_string());
    }
    let duplicate =
        parsed.json().filter(|_| source.provider.reads_fields).and_then(|document| document.duplicate_key());
    duplicate.map(|key| format!("the key {key:?} comes twice, and the signature is over fields"))
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

/// What proved a request.
struct Proof<'s> {
    by: Option<usize>,
    /// A signature, not a shared token or nothing.
    real: bool,
    url: Option<&'s PublicUrl>,
    sig: Vec<(String, String)>,
}

/// Tries the tables in order; the first match accepts.
fn prove<'s>(source: &'s Source, parsed: &Parsed<'_>, tries: &mut Option<Vec<Try>>) -> Result<Proof<'s>, Rejection> {
    if source.provider.unsigned().is_some() {
        return match asserted(source, parsed) {
            true => Ok(Proof { by: None, real: false, url: None, sig: Vec::new() }),
            false => Err(Rejection::new(Reason::SignatureMismatch, "an assert of the description does not hold")),
        };
    }
    let (mut applied, mut closed, mut found) = (false, None, false);
    for (index, (table, ready)) in source.provider.tables.iter().zip(&source.ready).enumerate() {
        let view = source.view(parsed);
        if table.when.as_ref().is_some_and(|when| when.holds(&view).is_err()) {
            continue;
        }
        if ready.keys.is_empty() {
            closed = Some(index);
            continue;
        }
        applied = true;
        for text in table.texts(&view) {
            let Ok(text) = std::str::from_utf8(&text) else {
                found = true;
                continue;
            };
            let (parts, signatures) = table.signatures(text, &ready.encodings, &ready.layouts);
            found |= parts.candidates.iter().any(|candidate| !candidate.is_empty());
            let sig: Vec<_> = parts.named.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
            let attempt = Attempt { source, parsed, index, table, ready, sig: &sig, signatures: &signatures };
            if let Some(url) = attempt.matches(tries) {
                let sig = sig.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                return Ok(Proof { by: Some(index), real: table.algorithm.name != "static", url, sig });
            }
        }
    }
    Err(match (applied, closed, found) {
        (true, _, true) => {
            Rejection::new(Reason::SignatureMismatch, "no signature matches any signed text with any secret")
        }
        (true, _, false) => Rejection::new(Reason::SignatureMissing, missing(source)),
        (false, Some(index), _) => {
            Rejection::new(Reason::Algorithm, format!("verify.{index} is closed: its key is not configured"))
        }
        (false, None, _) => Rejection::new(
            Reason::Algorithm,
            "no table of [[verify]] applies to what the request says of its algorithm",
        ),
    })
}

fn missing(source: &Source) -> String {
    let places: Vec<_> = source.provider.tables.iter().flat_map(|table| &table.from).map(ToString::to_string).collect();
    format!("no signature in {}", places.join(", "))
}

/// Whether the asserts of an unsigned provider hold with some secrets.
fn asserted(source: &Source, parsed: &Parsed<'_>) -> bool {
    let places =
        source.provider.asserts.iter().flat_map(|(left, right)| [left, right]).flat_map(|template| template.places());
    let names = source.secrets_in(source.provider.reach(places));
    source.combinations(&names).iter().any(|way| {
        let secrets = source.chosen(way);
        holds(source, &View { secrets: &secrets, ..source.view(parsed) })
    })
}

fn holds(source: &Source, view: &View<'_>) -> bool {
    use subtle::ConstantTimeEq;
    source.provider.asserts.iter().all(|(left, right)| match (left.render(view), right.render(view)) {
        (Ok(left), Ok(right)) => left.ct_eq(&right).into(),
        _ => false,
    })
}

/// One text that may hold a signature, against every key, secret, form of the URL and message.
struct Attempt<'a, 's> {
    source: &'s Source,
    parsed: &'a Parsed<'a>,
    index: usize,
    table: &'s Table,
    ready: &'s Ready,
    sig: &'a [(&'a str, &'a str)],
    signatures: &'a [Vec<u8>],
}

impl<'s> Attempt<'_, 's> {
    /// The form of the URL that matched.
    fn matches(&self, tries: &mut Option<Vec<Try>>) -> Option<Option<&'s PublicUrl>> {
        let urls = match (self.source.urls.as_slice(), self.ready.reads_url) {
            ([], _) => vec![None],
            ([first, ..], false) => vec![Some(first)],
            (urls, true) => urls.iter().map(Some).collect(),
        };
        let ways = self.source.combinations(&self.ready.secrets);
        for key in &self.ready.keys {
            let keyed = self.source.chosen(&key.chosen);
            for way in &ways {
                let secrets = [keyed.as_slice(), &self.source.chosen(way)].concat();
                for url in &urls {
                    let view = View { secrets: &secrets, url: *url, sig: self.sig, ..self.source.view(self.parsed) };
                    if self.signed(&view, key.scheme.as_ref(), tries) && holds(self.source, &view) {
                        return Some(*url);
                    }
                }
            }
        }
        None
    }

    fn signed(&self, view: &View<'_>, scheme: &dyn super::algorithm::Scheme, tries: &mut Option<Vec<Try>>) -> bool {
        let nothing = [Cow::Borrowed(&b""[..])];
        let messages: Vec<_> = match self.table.messages.as_slice() {
            [] => nothing.to_vec(),
            templates => templates.iter().filter_map(|template| template.borrow(view).ok()).collect(),
        };
        for (index, message) in messages.iter().enumerate() {
            if messages[..index].contains(message) {
                continue;
            }
            for received in self.signatures {
                let matched = scheme.verify(message, received);
                if let Some(tries) = tries {
                    let expected = scheme.expected(message);
                    tries.push(Try {
                        table: self.index,
                        message: message.to_vec(),
                        expected,
                        received: received.clone(),
                        matched,
                    });
                }
                if matched {
                    return true;
                }
            }
        }
        false
    }
}

/// The sources of a gateway, found by path or by name.
#[derive(Default)]
pub struct Sources {
    by_path: std::collections::HashMap<String, Arc<Source>>,
    by_name: std::collections::BTreeMap<Arc<str>, Arc<Source>>,
}

impl Sources {
    /// Takes the sources; of two on one path the second is returned.
    pub fn new(sources: Vec<Source>) -> Result<Self, Arc<Source>> {
        let mut all = Self::default();
        for source in sources.into_iter().map(Arc::new) {
            if let Some(path) = &source.path
                && all.by_path.insert(path.clone(), source.clone()).is_some()
            {
                return Err(source);
            }
            all.by_name.insert(source.name.clone(), source);
        }
        Ok(all)
    }

    /// The source on exactly this path.
    pub fn at(&self, path: &str) -> Option<&Arc<Source>> {
        self.by_path.get(path)
    }

    /// The source of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Source>> {
        self.by_name.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Source>> {
        self.by_name.values()
    }
}
