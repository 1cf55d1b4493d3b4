//! The answer to a handshake: what it requires, what it takes from the request, and what its sender is told.

use std::borrow::Cow;

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::SecretString;
use subtle::{Choice, ConstantTimeEq};

use super::Handshake;
use crate::provider::ack::Ack;
use crate::provider::place::Place;
use crate::provider::source::Source;
use crate::provider::template::{Lookup, Template, Unfit};
use crate::provider::view::View;
use crate::reason::{Reason, Rejection};

/// Characters of a secret that a sender tells.
const LONGEST_SECRET: usize = 512;

impl Handshake {
    /// Every equality, with all ways to take the secrets that it reads.
    pub(super) fn required(&self, source: &Source, index: usize, view: &View<'_>) -> Result<(), Rejection> {
        for (number, (left, right)) in self.require.iter().enumerate() {
            let names = source.secrets_in(source.provider.reach(left.places().into_iter().chain(right.places())));
            let mut held = Choice::from(0);
            for way in source.combinations(&names) {
                let secrets = source.chosen(&way);
                let view = View { secrets: &secrets, ..*view };
                if let (Ok(left), Ok(right)) = (left.render(&view), right.render(&view)) {
                    held |= left.ct_eq(&right);
                }
            }
            if !bool::from(held) {
                let detail = format!("handshake.{index}.require.{number} does not hold with any secret");
                return Err(Rejection::new(Reason::SignatureMismatch, detail));
            }
        }
        Ok(())
    }

    /// Whether every text of the request that is answered or signed is a token.
    pub(super) fn bounded(&self, view: &View<'_>) -> Result<(), Rejection> {
        for place in &self.echoed {
            if view.bytes(place).is_some_and(|text| !self.token.fits(&text)) {
                return Err(malformed(format!(
                    "{place} is no text that may be answered: it does not fit token_pattern"
                )));
            }
            once(place, view)?;
        }
        Ok(())
    }

    pub(super) fn captured(&self, view: &View<'_>) -> Result<Vec<(String, SecretString)>, Rejection> {
        let secret = |(name, place): &(String, Place)| {
            once(place, view)?;
            let text = view.bytes(place).ok_or_else(|| malformed(format!("{place} is missing")))?;
            let fits = !text.is_empty() && text.len() <= LONGEST_SECRET && text.iter().all(u8::is_ascii_graphic);
            let text = String::from_utf8(text.into_owned()).ok().filter(|_| fits);
            let text = text.ok_or_else(|| {
                malformed(format!("{place} is no secret: 1 to {LONGEST_SECRET} letters, digits and signs"))
            })?;
            Ok((name.clone(), SecretString::from(text)))
        };
        self.capture.iter().map(secret).collect()
    }

    pub(super) fn ack(&self, told: &Told<'_>) -> Result<Ack, Rejection> {
        let header = |(name, template): &(HeaderName, Template)| {
            let value = HeaderValue::from_bytes(&template.render(told).map_err(unfit)?);
            Ok((name.clone(), value.map_err(|_| malformed(format!("no header {name} can be made of the request")))?))
        };
        let body = self.body.render(told).map_err(unfit)?;
        let mut headers = self.headers.iter().map(header).collect::<Result<Vec<_>, Rejection>>()?;
        if !body.is_empty() && !headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
            headers.push((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")));
        }
        Ok(Ack { status: self.status, headers, body: body.into() })
    }
}

fn malformed(detail: String) -> Rejection {
    Rejection::new(Reason::Malformed, detail)
}

pub(super) fn unfit(unfit: Unfit) -> Rejection {
    malformed(unfit.to_string())
}

/// Refuses a header that comes twice: two readers could take different ones.
fn once(place: &Place, view: &View<'_>) -> Result<(), Rejection> {
    let Place::Header(name) = place else { return Ok(()) };
    match view.parsed.request.headers.get_all(name).iter().nth(1) {
        None => Ok(()),
        Some(_) => Err(malformed(format!("{place} comes more than once"))),
    }
}

/// A view in which `${let:mac}` is the answer's MAC.
pub(super) struct Told<'v> {
    pub(super) view: &'v View<'v>,
    pub(super) mac: Option<&'v [u8]>,
}

impl Lookup for Told<'_> {
    fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        match (place, self.mac) {
            (Place::Let(name), Some(mac)) if name == "mac" => Some(Cow::Borrowed(mac)),
            _ => self.view.bytes(place),
        }
    }
}
