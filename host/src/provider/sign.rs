//! Signing: a declared scheme run backwards, which makes of a sample the request that the provider would send now.
//!
//! What is made here, [`verify`] accepts; that is checked before it is given out. Sending it is the simulator's.

pub(super) mod edit;
mod key;
mod layout;
mod renew;
mod seal;
mod stamp;
mod step;
mod tamper;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::key::PrivateKey;
pub use self::renew::renew;
pub use self::seal::seal;
use self::step::Step;
pub use self::tamper::Tamper;
use super::json::Document;
use super::pieces::Cut;
use super::place::Place;
use super::remote::Fetched;
use super::signature::Table;
use super::source::{Ready, Source};
use super::template::{Lookup, Template};
use super::verify::verify_with;
use super::view::{Parsed, View};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// Private keys, by the name of the public key of the source that each belongs to.
pub type PrivateKeys = BTreeMap<String, PrivateKey>;

/// A request as its provider would send it.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What is sent.
    pub request: Incoming,
    /// The table that it was signed by; none where the provider does not sign.
    pub by: Option<usize>,
    mark: Option<Mark>,
    /// The public key, where the source would have to fetch it.
    fetched: Fetched,
}

/// Where a signature stands.
#[derive(Debug, Clone)]
struct Mark {
    place: Place,
    /// The whole text of the place.
    text: String,
    /// The part of it that is the signature.
    signature: String,
}

/// Why a sample cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The sample asks for an algorithm that no table has, or whose key is not configured.
    #[error("no table of [[verify]] applies to the sample, or the key of the one that does is not configured")]
    NoTable,
    /// The scheme is asymmetric.
    #[error("verify.{table} is asymmetric: the private key that belongs to {name} is needed")]
    NoKey {
        /// The table.
        table: usize,
        /// The public key's name.
        name: String,
    },
    /// A private key cannot make this signature.
    #[error("verify.{table} cannot be signed: {why}")]
    Key {
        /// The table.
        table: usize,
        /// Why.
        why: String,
    },
    /// The sample lacks what the signed text needs.
    #[error("verify.{table} cannot be signed: {why} in the sample")]
    Lacking {
        /// The table.
        table: usize,
        /// What.
        why: String,
    },
    /// The sample holds none of the pieces that are signed.
    #[error("nothing stands in the sample where `each` of the description looks for what is signed")]
    NothingToSign,
    /// Nothing can be written there.
    #[error("{place} cannot be set: {why}")]
    Fixed {
        /// The place.
        place: Place,
        /// Why.
        why: String,
    },
    /// The signature is made and not accepted.
    #[error("the source does not accept what is signed so ({0}: {1}); does the private key belong to the public one?")]
    NotAccepted(Reason, String),
    /// There is nothing of that kind to tamper with.
    #[error("{0}")]
    NothingToTamper(&'static str),
}

/// Signs a sample for a source: its path, its secrets, its clock. Ids stay; [`renew`] makes new ones.
pub fn sign(source: &Source, sample: &Incoming, keys: &PrivateKeys, now: Timestamp) -> Result<Signed, SignError> {
    let mut request = sample.clone();
    if let Some(path) = &source.path {
        request.target = match request.query() {
            "" => path.clone(),
            query => format!("{path}?{query}"),
        };
    }
    if source.provider.unsigned().is_some() || source.provider.tables.is_empty() {
        agree(source, &mut request)?;
        return Ok(Signed { request, by: None, mark: None, fetched: Fetched::default() });
    }
    let signed = match &source.provider.each {
        Some(each) => each_piece(source, each, request, keys, now)?,
        None => whole(source, request, keys, now)?,
    };
    accepted(source, &signed, now)?;
    Ok(signed)
}

fn whole(source: &Source, mut request: Incoming, keys: &PrivateKeys, now: Timestamp) -> Result<Signed, SignError> {
    let (index, table, ready) = table(source, &request)?;
    let mut named = layout::named(source, table, &request);
    stamp::stamp(source, &mut request, &mut named, now)?;
    agree(source, &mut request)?;
    let step = Step { source, index, table, ready, named: &named };
    let signature = match table.algorithm.token {
        Some(name) => step.token(&request, keys, name, now)?,
        None => step.signature(&request, keys)?,
    };
    let fetched = step.fetched(keys);
    let place = layout::place(source, table, &request);
    let signature = layout::cased(source, table, &request, signature);
    let signature = layout::escaped(table, &place, signature);
    let text = layout::unfiltered(table, &place, layout::compose(table, &named, &signature));
    let signature = if text.contains(&signature) { signature } else { text.clone() };
    edit::put(&mut request, &place, &text)?;
    // Of a token only its last part.
    let signature = match table.algorithm.token {
        Some(_) => signature.rsplit('.').next().unwrap_or_default().to_owned(),
        None => signature,
    };
    Ok(Signed { request, by: Some(index), mark: Some(Mark { place, text, signature }), fetched })
}

/// Every piece signed for itself and put back where it stood; the mark is the first one's.
fn each_piece(
    source: &Source,
    each: &Cut,
    sample: Incoming,
    keys: &PrivateKeys,
    now: Timestamp,
) -> Result<Signed, SignError> {
    let spans: Vec<_> = match Document::parse(&sample.body) {
        Ok(document) => each.pieces(&document).unwrap_or_default().iter().map(|piece| piece.span()).collect(),
        Err(_) => Vec::new(),
    };
    let mut body = sample.body.to_vec();
    let mut first = None;
    // From the last, so that what is in front keeps its place.
    for span in spans.into_iter().rev() {
        let piece = Incoming { body: sample.body.slice(span.clone()), ..sample.clone() };
        let signed = whole(source, piece, keys, now)?;
        body.splice(span, signed.request.body.iter().copied());
        first = Some(signed);
    }
    let first = first.ok_or(SignError::NothingToSign)?;
    Ok(Signed { request: Incoming { body: body.into(), ..sample }, ..first })
}

/// The first table that applies and has a key.
fn table<'s>(source: &'s Source, request: &Incoming) -> Result<(usize, &'s Table, &'s Ready), SignError> {
    let parsed = Parsed::new(request, source.provider.reads);
    let view = source.view(&parsed);
    let mut tables = source.provider.tables.iter().zip(&source.ready).enumerate();
    let found = tables.find(|(_, (table, ready))| table.applies(&view) && !ready.is_closed(table));
    found.map(|(index, (table, ready))| (index, table, ready)).ok_or(SignError::NoTable)
}

/// Makes every assert hold whose one side is a single place of the request.
fn agree(source: &Source, request: &mut Incoming) -> Result<(), SignError> {
    for assert in &source.provider.description.assert {
        for (to, from) in [(&assert.left, &assert.right), (&assert.right, &assert.left)] {
            let Some(place) = alone(to).filter(edit::writable) else { continue };
            let parsed = Parsed::new(request, source.provider.reads);
            let names = source.secrets_in(
                source.provider.reach(
                    source
                        .provider
                        .asserts
                        .iter()
                        .flat_map(|(left, right)| [left, right].into_iter().flat_map(Template::places)),
                ),
            );
            let ways = source.combinations(&names);
            let secrets = ways.first().map(|way| source.chosen(way)).unwrap_or_default();
            let view = View { secrets: &secrets, ..source.view(&parsed) };
            let text = Template::compile(from).ok().and_then(|template| template.render(&view).ok());
            let Some(text) = text.and_then(|text| String::from_utf8(text).ok()) else { continue };
            if view.bytes(&place).as_deref() != Some(text.as_bytes()) {
                edit::put(request, &place, &text)?;
            }
            break;
        }
    }
    Ok(())
}

/// The place of a template that is one place and nothing else.
fn alone(template: &str) -> Option<Place> {
    let inner = template.strip_prefix("${")?.strip_suffix('}')?;
    inner.parse().ok()
}

/// Whatever else is wrong with a sample is the sample's own; the proof must hold.
fn accepted(source: &Source, signed: &Signed, now: Timestamp) -> Result<(), SignError> {
    use Reason::{Algorithm, SignatureMismatch, SignatureMissing, TimestampExpired, TimestampFuture, TimestampMissing};
    let rejection = match verify_with(source, &Arc::new(signed.request.clone()), &signed.fetched, now) {
        Ok(verified) => verified.stale,
        Err(rejection) => Some(rejection),
    };
    match rejection {
        Some(Rejection { reason, detail })
            if matches!(
                reason,
                Algorithm
                    | SignatureMismatch
                    | SignatureMissing
                    | TimestampExpired
                    | TimestampFuture
                    | TimestampMissing
            ) =>
        {
            Err(SignError::NotAccepted(reason, detail))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
