//! Whether a request that proves itself comes in its time, and what of it may come only once.

use bytes::Bytes;
use jiff::Timestamp;

use super::DAY;
use crate::event::DedupKey;
use crate::provider::identity::{dedup_key, later};
use crate::provider::item::Telling;
use crate::provider::prove::Proof;
use crate::provider::source::Source;
use crate::provider::template::Lookup;
use crate::provider::view::{Parsed, View};
use crate::provider::{moment, token};
use crate::reason::{Reason, Rejection};

/// Why it is out of time, and what may come only once.
pub(super) fn in_time(
    telling: &Telling<'_>,
    pieces: &Option<Vec<Bytes>>,
    proofs: &[Proof<'_>],
) -> Result<(Option<Rejection>, Option<DedupKey>), Rejection> {
    let Telling { source, parsed, now } = *telling;
    let (mut stale, mut nonces) = (None, None);
    for (nth, proof) in proofs.iter().enumerate() {
        let piece = pieces.as_ref().map(|pieces| telling.standing_in(pieces[nth].clone()));
        let piece = piece.as_ref().map(|piece| Parsed::new(piece, source.provider.reads));
        let inner = piece.as_ref().unwrap_or(parsed);
        let view = View { sig: &proof.sig, url: proof.url.or(source.urls.first()), ..source.view(inner) };
        stale = stale.or(fresh(source, &view, now)?);
        if is_token(source, proof) {
            stale = stale.or(token::in_time(source, &proof.sig, now)?);
        }
        nonces = nonces.or(nonce(source, &view, now)?);
    }
    Ok((stale, nonces))
}

pub(super) fn is_token(source: &Source, proof: &Proof<'_>) -> bool {
    proof.by.is_some_and(|by| source.provider.tables[by].algorithm.token.is_some())
}

/// Whether the proof may stand beside a body that cannot be read. A token need not bind the body: an old one would let
/// anybody who saw it leave what he likes.
pub(super) fn holds(source: &Source, proof: &Proof<'_>, now: Timestamp) -> bool {
    !is_token(source, proof) || matches!(token::in_time(source, &proof.sig, now), Ok(None))
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
