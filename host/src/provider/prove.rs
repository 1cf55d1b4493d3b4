//! The proof: a request's signatures against every table that applies, with every secret, URL and text it may have.

use std::borrow::Cow;

use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::Few;
use super::algorithm::Scheme;
use super::remote::Fetched;
use super::signature::{Part, Table};
use super::source::{Ready, ReadyKey, Source};
use super::token::Token;
use super::view::{Parsed, PublicUrl, View};
use crate::reason::{Reason, Rejection};

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

/// What a request is proven with, besides itself and its source; and what is written down.
pub(super) struct Proving<'f> {
    pub(super) fetched: &'f Fetched,
    pub(super) now: Timestamp,
    /// Every comparison, for who wants it.
    pub(super) tries: Option<Vec<Try>>,
    /// Why it is not proven, where more can be said than that no signature matches.
    unlike: Option<Rejection>,
}

impl<'f> Proving<'f> {
    pub(super) fn new(fetched: &'f Fetched, now: Timestamp, tries: Option<Vec<Try>>) -> Self {
        Self { fetched, now, tries, unlike: None }
    }

    /// The last counts; but a key that could not be had now may be there when the sender comes again.
    fn note(&mut self, rejection: Rejection) {
        if self.unlike.as_ref().is_none_or(|unlike| unlike.reason != Reason::Unavailable) {
            self.unlike = Some(rejection);
        }
    }
}

/// What proved a request.
pub(super) struct Proof<'s> {
    pub(super) by: Option<usize>,
    /// A signature, not a shared token or nothing.
    pub(super) real: bool,
    pub(super) url: Option<&'s PublicUrl>,
    /// The named parts of the signature, for `${sig:name}`.
    pub(super) sig: Vec<Part<'static>>,
}

/// Tries the tables in order; the first match accepts.
pub(super) fn prove<'s>(
    source: &'s Source,
    parsed: &Parsed<'_>,
    proving: &mut Proving<'_>,
) -> Result<Proof<'s>, Rejection> {
    if source.provider.unsigned().is_some() {
        return match asserted(source, parsed) {
            true => Ok(Proof { by: None, real: false, url: None, sig: Vec::new() }),
            false => Err(Rejection::new(Reason::SignatureMismatch, "an assert of the description does not hold")),
        };
    }
    let (mut applied, mut closed, mut found) = (false, None, false);
    proving.unlike = None;
    for (index, (table, ready)) in source.provider.tables.iter().zip(&source.ready).enumerate() {
        let view = source.view(parsed);
        if !table.applies(&view) {
            continue;
        }
        if ready.is_closed(table) {
            closed = Some(index);
            continue;
        }
        applied = true;
        let texts = table.texts(&view);
        let came = match table.remote.as_ref().filter(|_| !texts.is_empty()) {
            Some(remote) => remote.keys(table, ready, &view, proving.fetched, proving.now),
            None => Ok(Vec::new()),
        };
        let came = came.unwrap_or_else(|rejection| {
            proving.note(rejection);
            Vec::new()
        });
        let keys = if table.remote.is_some() { &came } else { &ready.keys };
        for text in texts {
            let Ok(text) = std::str::from_utf8(&text) else {
                found = true;
                continue;
            };
            let (parts, signatures) = table.signatures(text, &ready.encodings, &ready.layouts);
            found |= parts.candidates.iter().any(|candidate| !candidate.is_empty());
            let attempt = Attempt {
                source,
                parsed,
                index,
                table,
                ready,
                keys,
                sig: &parts.named,
                signatures: &signatures,
                token: None,
            };
            let proof = match table.algorithm.token {
                Some(name) => attempt.tokens(table.tokens(text), name, proving),
                None => attempt.matches(proving),
            };
            if let Some(proof) = proof {
                return Ok(proof);
            }
        }
    }
    Err(match (applied, closed, found) {
        (true, _, true) => proving.unlike.take().unwrap_or_else(|| {
            Rejection::new(Reason::SignatureMismatch, "no signature matches any signed text with any secret")
        }),
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
    let places: Vec<_> =
        source.provider.tables.iter().flat_map(|table| &table.from).map(|from| from.place.to_string()).collect();
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
    /// Those of the source, or those that came with the request.
    keys: &'a [ReadyKey],
    sig: &'a [Part<'a>],
    signatures: &'a [Vec<u8>],
    /// Where the signature is a token's.
    token: Option<&'a Token<'a>>,
}

impl<'s> Attempt<'_, 's> {
    /// The first of the tokens that is signed and says what it must.
    fn tokens(&self, texts: Vec<&str>, algorithm: &str, proving: &mut Proving<'_>) -> Option<Proof<'s>> {
        texts.into_iter().find_map(|text| match Token::read(text, algorithm) {
            Ok(token) => {
                let (sig, signatures) = (token.named(), std::slice::from_ref(&token.signature));
                Attempt { sig: &sig, signatures, token: Some(&token), ..*self }.matches(proving)
            }
            Err(rejection) => {
                proving.note(rejection);
                None
            }
        })
    }

    /// What proves the request, if a signature matches.
    fn matches(&self, proving: &mut Proving<'_>) -> Option<Proof<'s>> {
        // Which form of the URL is tried makes no difference to who does not read it.
        let urls = match (self.source.urls.as_slice(), self.ready.reads_url) {
            ([first, ..], false) => std::slice::from_ref(first),
            (urls, _) => urls,
        };
        let forms = || urls.iter().map(Some).chain(urls.is_empty().then_some(None));
        for key in self.keys() {
            for way in &self.ready.ways {
                let secrets = self.source.chosen(key.chosen.iter().chain(way));
                for url in forms() {
                    let view = View { secrets: &secrets, url, sig: self.sig, ..self.source.view(self.parsed) };
                    let signed = self.signed(&view, key.scheme.as_ref(), &mut proving.tries);
                    if let Some(rejection) = self.parsed.texts.failed() {
                        proving.note(rejection);
                        return None;
                    }
                    if signed && self.says(&view, proving) && holds(self.source, &view) {
                        let sig =
                            self.sig.iter().map(|(name, value)| (name.to_string().into(), value.to_string().into()));
                        let real = self.table.algorithm.name != "static";
                        return Some(Proof { by: Some(self.index), real, url, sig: sig.collect() });
                    }
                }
            }
        }
        None
    }

    /// Whether a token that is signed says what it must.
    fn says(&self, view: &View<'_>, proving: &mut Proving<'_>) -> bool {
        let wrong = self.token.and_then(|token| token.unlike(&self.table.claims, view));
        if let Some(name) = wrong {
            let what = format!("the token is signed, but its claim {name} is not what the description says");
            proving.note(Rejection::new(Reason::SignatureMismatch, what));
        }
        wrong.is_none()
    }

    /// The keys that the request may be signed with; of several in one text the one that it names.
    fn keys(&self) -> impl Iterator<Item = &ReadyKey> {
        let view = View { sig: self.sig, ..self.source.view(self.parsed) };
        let several = self.keys.iter().any(|key| key.id.is_some());
        let kid = self.token.and_then(|token| token.kid.as_ref()).filter(|_| several);
        let named = match &self.table.select {
            Some(select) => Some(select.render(&view).unwrap_or_default()),
            None => kid.map(|kid| kid.as_bytes().to_vec()),
        };
        self.keys.iter().filter(move |key| named.as_ref().is_none_or(|name| key.is_named(name)))
    }

    /// The candidate that is the message's signature. What can be computed is computed once, however many there are.
    fn matching(&self, scheme: &dyn Scheme, message: &[u8]) -> Option<&Vec<u8>> {
        let several = self.signatures.len() > 1;
        match (self.signatures, several.then(|| scheme.expected(message)).flatten()) {
            ([_, _, ..], Some(expected)) => {
                self.signatures.iter().find(|received| expected.as_slice().ct_eq(received.as_slice()).into())
            }
            (signatures, _) => signatures.iter().find(|received| scheme.verify(message, received)),
        }
    }

    fn signed(&self, view: &View<'_>, scheme: &dyn Scheme, tries: &mut Option<Vec<Try>>) -> bool {
        let messages: Few<_> = match (self.token, self.table.messages.as_slice()) {
            (Some(token), _) => Few::from_iter([Cow::Borrowed(token.signed.as_bytes())]),
            (None, []) => Few::from_iter([Cow::Borrowed(&b""[..])]),
            (None, templates) => templates.iter().filter_map(|template| template.borrow(view).ok()).collect(),
        };
        for (index, message) in messages.iter().enumerate() {
            if messages[..index].contains(message) {
                continue;
            }
            // What a handshake would sign for anybody proves nothing.
            let guarded = |message| self.source.guards(self.table.algorithm.name, message);
            let matched = self.matching(scheme, message).filter(|_| !guarded(message));
            if let Some(tries) = tries {
                let expected = scheme.expected(message);
                let received = matched.or(self.signatures.first()).cloned().unwrap_or_default();
                let (table, message, matched) = (self.index, message.to_vec(), matched.is_some());
                tries.push(Try { table, message, expected, received, matched });
            }
            if matched.is_some() {
                return true;
            }
        }
        false
    }
}
