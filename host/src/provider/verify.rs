//! Verification: one request against one source at one moment. Pure; every digest, comparison and key is here or below.

mod time;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use self::time::{holds, in_time};
use super::decrypt::DecryptError;
use super::document::{repeated, unreadable};
use super::handshake::Answer;
use super::identity::{Declared, dedup_key, later};
use super::item::{Item, Telling};
use super::prove::{Proof, Proving, Try, prove};
use super::remote::Fetched;
use super::source::Source;
use super::view::{Parsed, View};
use crate::event::{Data, DedupKey};
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
    /// What it says; nothing where it is a handshake.
    pub items: Vec<Item>,
    /// May come only once.
    pub nonce: Option<DedupKey>,
    /// Authentic, but out of time.
    pub stale: Option<Rejection>,
    /// Authentic, but not what the provider sends; why.
    pub malformed: Option<String>,
    /// Authentic, but what it says cannot be opened with this source's keys; why.
    pub sealed: Option<String>,
    /// It is no event: what its sender asks, answered or refused.
    pub handshake: Option<Result<Answer, Rejection>>,
}

impl Verified {
    /// As received.
    pub fn request(&self) -> &Arc<Incoming> {
        &self.request
    }
}

/// Verifies a request.
pub fn verify(source: &Source, request: &Arc<Incoming>, now: Timestamp) -> Result<Verified, Rejection> {
    verify_with(source, request, &Fetched::default(), now)
}

/// As [`verify`], for a request whose key had to be fetched: see [`Source::wants`].
pub fn verify_with(
    source: &Source,
    request: &Arc<Incoming>,
    fetched: &Fetched,
    now: Timestamp,
) -> Result<Verified, Rejection> {
    examine(source, request, now, &mut Proving::new(fetched, now, None)).map(|found| found.with(request.clone()))
}

/// As [`verify_with`], with every comparison written down.
pub fn trace(
    source: &Source,
    request: &Arc<Incoming>,
    fetched: &Fetched,
    now: Timestamp,
) -> (Vec<Try>, Result<Verified, Rejection>) {
    let mut proving = Proving::new(fetched, now, Some(Vec::new()));
    let result = examine(source, request, now, &mut proving).map(|found| found.with(request.clone()));
    (proving.tries.unwrap_or_default(), result)
}

#[derive(Default)]
struct Found {
    by: Option<usize>,
    items: Vec<Item>,
    nonce: Option<DedupKey>,
    stale: Option<Rejection>,
    malformed: Option<String>,
    sealed: Option<String>,
    handshake: Option<Result<Answer, Rejection>>,
}

impl Found {
    fn with(self, request: Arc<Incoming>) -> Verified {
        let Self { by, items, nonce, stale, malformed, sealed, handshake } = self;
        Verified { request, by, items, nonce, stale, malformed, sealed, handshake }
    }
}

/// Whether a request is its provider's and in time, without what it says: verification alone, for who measures it.
pub fn authentic(source: &Source, request: &Incoming, now: Timestamp) -> Result<(), Rejection> {
    source.provider.headers.iter().try_for_each(|rule| rule.check(&request.headers))?;
    let fetched = Fetched::default();
    let parsed = Parsed::new(request, source.provider.reads);
    let telling = Telling { source, parsed: &parsed, now };
    let Proven { pieces, proofs, broken, .. } = proven(&telling, &mut Proving::new(&fetched, now, None))?;
    match (broken, in_time(&telling, &pieces, &proofs)?) {
        (Some(what), _) => Err(Rejection::new(Reason::Malformed, what)),
        (None, (stale, _)) => stale.map_or(Ok(()), Err),
    }
}

/// What stands before anybody reads what a request says.
struct Proven<'s> {
    /// The handshake that it asks for.
    asked: Option<usize>,
    /// Why its body is not what the provider sends.
    broken: Option<String>,
    pieces: Option<Vec<Bytes>>,
    /// Never empty.
    proofs: Vec<Proof<'s>>,
}

fn proven<'s>(telling: &Telling<'s>, proving: &mut Proving<'_>) -> Result<Proven<'s>, Rejection> {
    let Telling { source, parsed, now } = *telling;
    let asked = source.asks_signed(parsed);
    // What asks is no event, so it need not look like one.
    let broken = if asked.is_some() { None } else { broken(source, parsed) };
    let pieces = pieces(telling);
    let proofs = match (proofs(telling, &pieces, proving), &broken) {
        (Ok(proofs), None) => proofs,
        (Ok(proofs), Some(_)) if proofs.iter().all(|proof| proof.real && holds(source, proof, now)) => proofs,
        (Err(rejection), None) => return Err(rejection),
        // What does not parse has one answer, whoever sent it.
        (_, Some(what)) => return Err(Rejection::new(Reason::Malformed, what)),
    };
    Ok(Proven { asked, broken, pieces, proofs })
}

fn examine(source: &Source, request: &Incoming, now: Timestamp, proving: &mut Proving<'_>) -> Result<Found, Rejection> {
    source.provider.headers.iter().try_for_each(|rule| rule.check(&request.headers))?;
    let parsed = Parsed::new(request, source.provider.reads);
    let telling = Telling { source, parsed: &parsed, now };
    let Proven { asked, broken, pieces, proofs } = proven(&telling, proving)?;
    let proof = &proofs[0];
    if let Some(what) = broken {
        return Ok(telling.unread(proof, Some(what), None));
    }
    let (stale, nonce) = in_time(&telling, &pieces, &proofs)?;
    if let Some(index) = asked {
        let stands = Found { by: proof.by, nonce, ..Found::default() };
        return Ok(match stale {
            Some(_) => Found { stale, ..telling.unread(proof, None, None) },
            None => Found { handshake: Some(source.answer_proven(index, &parsed, proof)), ..stands },
        });
    }
    let items = match &pieces {
        Some(pieces) => telling.pieces(pieces, &proofs),
        None => {
            let view = View { sig: &proof.sig, url: proof.url.or(source.urls.first()), ..source.view(&parsed) };
            match source.provider.payload.read(source, &view) {
                Ok(None) if source.provider.payload.is_body() => telling.body(proof),
                Ok(None) => telling.payload(request.body.to_vec(), proof),
                Ok(Some(bytes)) => match telling.payload(bytes, proof) {
                    // A sender who proved nothing does not learn whether what he made up could be opened.
                    Err(_) if !proof.real && source.provider.payload.decrypt.is_some() => {
                        return Err(Rejection::new(Reason::SignatureMismatch, DecryptError::Broken.to_string()));
                    }
                    items => items,
                },
                Err(error) if proof.real && error != DecryptError::Receiver => {
                    return Ok(Found { stale, nonce, ..telling.unread(proof, None, Some(error.to_string())) });
                }
                Err(error) => return Err(Rejection::new(Reason::SignatureMismatch, error.to_string())),
            }
        }
    };
    match items {
        Ok(items) => Ok(Found { by: proof.by, items, nonce, stale, ..Found::default() }),
        Err(what) if proof.real => Ok(telling.unread(proof, Some(what), None)),
        Err(what) => Err(Rejection::new(Reason::Malformed, what)),
    }
}

/// The pieces that must each prove themselves, where the description says `each`. A request is made of one only while it
/// is looked at: thousands of copies of the headers would cost more than the body that asks for them.
fn pieces(telling: &Telling<'_>) -> Option<Vec<Bytes>> {
    let each = telling.source.provider.each.as_ref()?;
    let body = &telling.parsed.request.body;
    let values = telling.parsed.json().and_then(|document| each.pieces(document).ok()).unwrap_or_default();
    Some(values.into_iter().map(|value| body.slice(value.span())).collect())
}

/// The proof of the request, or one of each of its pieces.
fn proofs<'s>(
    telling: &Telling<'s>,
    pieces: &Option<Vec<Bytes>>,
    proving: &mut Proving<'_>,
) -> Result<Vec<Proof<'s>>, Rejection> {
    let source = telling.source;
    match pieces {
        None => prove(source, telling.parsed, proving).map(|proof| vec![proof]),
        Some(pieces) if pieces.is_empty() => {
            let each = source.provider.description.each.as_deref().unwrap_or_default();
            Err(Rejection::new(Reason::SignatureMissing, format!("nothing stands at {each} that could be signed")))
        }
        Some(pieces) => {
            let reads = source.provider.reads;
            let mut one =
                |piece: &Bytes| prove(source, &Parsed::new(&telling.standing_in(piece.clone()), reads), proving);
            pieces.iter().map(&mut one).collect()
        }
    }
}

impl Telling<'_> {
    fn pieces(&self, pieces: &[Bytes], proofs: &[Proof<'_>]) -> Result<Vec<Item>, String> {
        let several = pieces.len() > 1;
        let items = pieces.iter().zip(proofs).enumerate();
        let item = |(nth, (piece, proof)): (usize, (&Bytes, &Proof<'_>))| {
            self.piece(&self.standing_in(piece.clone()), proof, several.then_some(nth))
        };
        items.map(item).collect()
    }

    /// A request that is kept as it came. It may take nobody else's place: its key is its own bytes, and neither time nor
    /// nonce is asked for.
    fn unread(&self, proof: &Proof<'_>, malformed: Option<String>, sealed: Option<String>) -> Found {
        let request = self.parsed.request;
        let whole = [request.target.as_bytes(), b"\n", &request.body].concat();
        let key = dedup_key(&self.source.name, "malformed", &whole, Some(later(self.now, DAY)));
        let item = self.item(self.parsed, Data::None, proof, None);
        let declared = Declared { id: None, key, ..item.declared };
        let data = self.raw();
        Found { by: proof.by, items: vec![Item { declared, data }], malformed, sealed, ..Found::default() }
    }
}

/// Why the body is not what the provider sends; what stands in it is looked at when it is proven.
fn broken(source: &Source, parsed: &Parsed<'_>) -> Option<String> {
    let provider = &source.provider;
    if let Some(why) = unreadable(provider.content, parsed).filter(|_| provider.payload.is_body()) {
        return Some(why);
    }
    let repeated = repeated(parsed, &provider.signed_over, &provider.lets)?;
    // The name is the sender's: short, or nothing where the provider redacts.
    let name: String = repeated.chars().take(if provider.redacted.is_empty() { 40 } else { 0 }).collect();
    Some(format!("a key comes twice ({name:?}), and the signature is over fields"))
}
