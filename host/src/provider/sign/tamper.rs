//! Copies of a signed request that must be refused: one thing is changed behind the signature's back.

use std::sync::Arc;

use hookport_plugin_api::description::Content;
use jiff::{SignedDuration, Timestamp};

use super::super::json::Document;
use super::super::moment;
use super::super::place::Place;
use super::super::source::Source;
use super::super::verify::verify_with;
use super::token::Draft;
use super::{Mark, SignError, Signed, edit, layout, stamp};
use crate::reason::Reason;
use crate::request::Incoming;

/// So many characters of a body are tried; the first is enough unless much of the body is unsigned.
const TRIED: usize = 512;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tamper {
    /// One letter or digit that the signature covers.
    Body,
    /// One character of the signature.
    Signature,
    /// The signed time, by a second.
    Timestamp,
}

impl Signed {
    /// A copy that is not what was signed.
    pub fn tampered(&self, source: &Source, tamper: Tamper, now: Timestamp) -> Result<Incoming, SignError> {
        match tamper {
            _ if self.mark.is_none() => Err(SignError::NothingToTamper(
                "the provider signs nothing: nobody could tell a tampered request from a true one",
            )),
            Tamper::Body => self.other_body(source, now),
            Tamper::Signature => self.other_signature(),
            Tamper::Timestamp => self.other_time(source),
        }
    }

    /// What of a body is signed only the scheme knows, so it is asked.
    fn other_body(&self, source: &Source, now: Timestamp) -> Result<Incoming, SignError> {
        let body = &self.request.body;
        let document = Document::parse(body).ok();
        let signature = self.mark.as_ref().and_then(|mark| find(body, mark.signature.as_bytes()));
        let letters = (0..body.len()).rev().filter(|&at| body[at].is_ascii_alphanumeric());
        let letters = letters.filter(|at| signature.as_ref().is_none_or(|span| !span.contains(at)));
        for at in letters.take(TRIED) {
            let mut bytes = body.to_vec();
            bytes[at] = neighbour(bytes[at]);
            if source.provider.content == Content::Json && document.is_some() && Document::parse(&bytes).is_err() {
                continue;
            }
            let request = Incoming { body: bytes.into(), ..self.request.clone() };
            let refused = verify_with(source, &Arc::new(request.clone()), &self.fetched, now).err();
            if refused.is_some_and(|rejection| rejection.reason == Reason::SignatureMismatch) {
                return Ok(request);
            }
        }
        Err(SignError::NothingToTamper("no letter and no digit of the body is signed"))
    }

    fn other_signature(&self) -> Result<Incoming, SignError> {
        let Some(mark) = &self.mark else { return Ok(self.request.clone()) };
        let mut other = mark.signature.clone().into_bytes();
        // Not the last: of that, base64 may not use every bit.
        let middle = (0..=other.len() / 2).rev().find(|&at| other.get(at).is_some_and(u8::is_ascii_alphanumeric));
        let at = middle.ok_or(SignError::NothingToTamper("the signature has no letter and no digit"))?;
        other[at] = neighbour(other[at]);
        let other = String::from_utf8_lossy(&other).into_owned();
        let mut request = self.request.clone();
        match find(&request.body, mark.signature.as_bytes()) {
            Some(span) => {
                let body = &self.request.body;
                request.body = [&body[..span.start], other.as_bytes(), &body[span.end..]].concat().into();
            }
            None => edit::put(&mut request, &mark.place, &mark.text.replace(&mark.signature, &other))?,
        }
        Ok(request)
    }

    /// The token's own times, behind its signature's back.
    fn other_token(&self, mark: &Mark) -> Result<Incoming, SignError> {
        let token = mark.text.rsplit(' ').next().unwrap_or_default();
        let mut draft = Draft::read(token).ok_or(SignError::NothingToTamper("the token cannot be read"))?;
        draft.shift(SignedDuration::from_secs(1));
        let other = format!("{}.{}", draft.written(), mark.signature);
        if other == token {
            return Err(SignError::NothingToTamper("the token says no time"));
        }
        let mut request = self.request.clone();
        edit::put(&mut request, &mark.place, &mark.text.replace(token, &other))?;
        Ok(request)
    }

    fn other_time(&self, source: &Source) -> Result<Incoming, SignError> {
        if let (Some(mark), Some(by)) = (&self.mark, self.by)
            && source.provider.tables[by].algorithm.token.is_some()
        {
            return self.other_token(mark);
        }
        let (Some((place, formats)), Some(mark), Some(by)) = (&source.provider.timestamp, &self.mark, self.by) else {
            return Err(SignError::NothingToTamper("the provider signs no time"));
        };
        let table = &source.provider.tables[by];
        let mut named = layout::named(source, table, &self.request);
        let old = stamp::text(source, &self.request, &named, place).unwrap_or_default();
        let time = moment::read(&old, formats).ok_or(SignError::NothingToTamper("the signed time cannot be read"))?;
        let new = stamp::write(time + SignedDuration::from_secs(1), &stamp::format(Some(&old), formats));
        let mut request = self.request.clone();
        match place {
            Place::Sig(name) => {
                named.iter_mut().filter(|(part, _)| part == name).for_each(|(_, value)| value.clone_from(&new));
                edit::put(&mut request, &mark.place, &layout::compose(table, &named, &mark.signature))?;
            }
            place => edit::put(&mut request, place, &new)?,
        }
        Ok(request)
    }
}

/// Where a text stands in a body, for signatures that stand there.
fn find(body: &[u8], text: &[u8]) -> Option<std::ops::Range<usize>> {
    let at = body.windows(text.len().max(1)).position(|window| window == text)?;
    Some(at..at + text.len())
}

/// Another character of the same kind; a hexadecimal digit stays one.
fn neighbour(byte: u8) -> u8 {
    match byte {
        b'9' => b'8',
        b'f' => b'e',
        b'F' => b'E',
        b'z' => b'y',
        b'Z' => b'Y',
        byte => byte + 1,
    }
}
