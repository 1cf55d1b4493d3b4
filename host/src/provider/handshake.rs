//! `[[handshake]]`: what a sender asks to know that the address is ours, and the answer. No event comes of it.
//!
//! What may be answered at all is `token`'s; that no signature of an answer passes for an event's is `domain`'s.

mod answer;
mod check;
mod compile;
mod domain;
#[cfg(test)]
mod tests;
mod token;

use std::collections::BTreeMap;
use std::fmt;

use hyper::header::HeaderName;
use secrecy::SecretString;

use self::answer::{Told, unfit};
use self::domain::Domain;
use self::token::Token;
use super::ack::Ack;
use super::algorithm::{Algorithm, Scheme};
use super::condition::Condition;
use super::key::KeyText;
use super::named::Named;
use super::place::Place;
use super::prove::Proof;
use super::source::Source;
use super::template::Template;
use super::view::{Parsed, View};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// One of `[[handshake]]`, compiled.
pub struct Handshake {
    pub(super) when: Condition,
    /// The method that `when` names, upper case.
    pub(super) method: Option<String>,
    require: Vec<(Template, Template)>,
    mac: Option<Mac>,
    token: Token,
    /// Texts of the request that are answered or signed.
    echoed: Vec<Place>,
    capture: Vec<(String, Place)>,
    /// Whether the request must be signed as an event is.
    pub signed: bool,
    status: u16,
    headers: Vec<(HeaderName, Template)>,
    body: Template,
}

/// `mac`, compiled.
struct Mac {
    algorithm: &'static Algorithm,
    /// Form and text.
    key: (String, Template),
    message: Template,
    domain: Domain,
}

/// What a handshake comes to.
#[derive(Clone)]
pub struct Answer {
    /// What the sender is told.
    pub ack: Ack,
    /// Secrets that the sender told, by name; kept until an operator confirms.
    pub captured: Vec<(String, SecretString)>,
}

/// The ack may repeat a secret.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.captured.iter().map(|(name, _)| name).collect();
        f.debug_struct("Answer").field("status", &self.ack.status).field("captured", &names).finish_non_exhaustive()
    }
}

/// What a request asks before anybody looks for its signature.
#[derive(Debug)]
pub enum Greeting {
    /// It is no handshake.
    None,
    /// A handshake that needs no signature.
    Answered(Result<Answer, Rejection>),
    /// A handshake that is answered once the request is verified.
    Signed,
}

/// Looks for a handshake in a request that is not verified.
pub fn greet(source: &Source, request: &Incoming) -> Greeting {
    if !source.provider.handshakes.iter().any(|handshake| handshake.takes(request)) {
        return Greeting::None;
    }
    let parsed = Parsed::new(request, source.provider.handshake_reads);
    source.of_document(&source.view(&parsed), |view| match source.asked(view) {
        None => Greeting::None,
        Some(index) if source.provider.handshakes[index].signed => Greeting::Signed,
        Some(index) => Greeting::Answered(source.answer(index, view)),
    })
}

impl Source {
    /// The handshake that a request asks for, where it is answered only once the request is verified.
    pub(super) fn asks_signed(&self, parsed: &Parsed<'_>) -> Option<usize> {
        if !self.provider.handshakes.iter().any(|handshake| handshake.signed) {
            return None;
        }
        let asked = self.of_document(&self.view(parsed), |view| self.asked(view));
        asked.filter(|index| self.provider.handshakes[*index].signed)
    }

    /// The answer to a handshake whose request is verified.
    pub(super) fn answer_proven(
        &self,
        index: usize,
        parsed: &Parsed<'_>,
        proof: &Proof<'_>,
    ) -> Result<Answer, Rejection> {
        let view = View { sig: &proof.sig, url: proof.url.or(self.urls.first()), ..self.view(parsed) };
        self.of_document(&view, |view| self.answer(index, view))
    }

    /// Looks at the document, which may stand in the request or be encrypted in it; at the request where it does not.
    fn of_document<T>(&self, view: &View<'_>, look: impl FnOnce(&View<'_>) -> T) -> T {
        let Ok(Some(document)) = self.provider.payload.read(self, view) else { return look(view) };
        let inner = Incoming { body: document.into(), ..view.parsed.request.clone() };
        let parsed = Parsed::new(&inner, self.provider.handshake_reads);
        look(&View { parsed: &parsed, envelope: Some(view.parsed), ..*view })
    }

    /// The first whose `when` holds.
    fn asked(&self, view: &View<'_>) -> Option<usize> {
        let request = view.envelope.unwrap_or(view.parsed).request;
        let asks = |handshake: &Handshake| handshake.takes(request) && handshake.when.holds(view).is_ok();
        self.provider.handshakes.iter().position(asks)
    }

    fn answer(&self, index: usize, view: &View<'_>) -> Result<Answer, Rejection> {
        let handshake = &self.provider.handshakes[index];
        handshake.required(self, index, view)?;
        handshake.bounded(view)?;
        let captured = handshake.captured(view)?;
        let secrets = self.first_secrets();
        let view = View { secrets: &secrets, ..*view };
        let mac = match (&handshake.mac, &self.macs[index]) {
            (None, _) => None,
            (Some(mac), Some(scheme)) => scheme.expected(&mac.message.render(&view).map_err(unfit)?),
            (Some(_), None) => {
                let detail = format!("handshake.{index} is closed: its key is not configured");
                return Err(Rejection::new(Reason::Algorithm, detail));
            }
        };
        let ack = handshake.ack(&Told { view: &view, mac: mac.as_deref() })?;
        Ok(Answer { ack, captured })
    }

    /// Whether a handshake may have made this signed text's signature for somebody who is not the provider.
    pub(super) fn guards(&self, algorithm: &str, message: &[u8]) -> bool {
        let mut macs = self.provider.handshakes.iter().filter_map(|handshake| {
            let mac = handshake.mac.as_ref().filter(|mac| signs_as(mac.algorithm.name, algorithm))?;
            Some((mac, &handshake.token))
        });
        let Some(first) = macs.next() else { return false };
        let nothing = Incoming::nothing();
        let parsed = Parsed::new(&nothing, super::view::Reads::default());
        std::iter::once(first).chain(macs).any(|(mac, token)| {
            let names = self.secrets_in(self.provider.reach(mac.message.places()));
            self.combinations(&names).iter().any(|way| {
                let secrets = self.chosen(way);
                mac.domain.holds(message, token, &View { secrets: &secrets, ..self.view(&parsed) })
            })
        })
    }

    /// The MACs of the handshakes, ready; none where the key is not there yet.
    pub(super) fn handshake_macs(&self) -> Result<Vec<Option<Box<dyn Scheme>>>, Vec<String>> {
        let (nothing, secrets) = (Incoming::nothing(), self.first_secrets());
        let parsed = Parsed::new(&nothing, super::view::Reads::default());
        let view = View { secrets: &secrets, ..self.view(&parsed) };
        let (mut macs, mut wrong) = (Vec::new(), Vec::new());
        for (index, handshake) in self.provider.handshakes.iter().enumerate() {
            let Some(mac) = &handshake.mac else {
                macs.push(None);
                continue;
            };
            match mac.ready(&view) {
                Ok(scheme) => macs.push(scheme),
                Err(error) => wrong.push(format!("handshake.{index}.mac: {error}")),
            }
        }
        if wrong.is_empty() { Ok(macs) } else { Err(wrong) }
    }
}

/// Whether two algorithms give the same signature; a token's is over its own text.
fn signs_as(mac: &str, algorithm: &str) -> bool {
    mac == algorithm || algorithm.strip_prefix("jwt-hs").is_some_and(|bits| mac.strip_prefix("hmac-sha") == Some(bits))
}

impl Mac {
    fn ready(&self, view: &View<'_>) -> Result<Option<Box<dyn Scheme>>, String> {
        let (form, text) = &self.key;
        match text.render(view) {
            Ok(text) => (self.algorithm.prepare)(&KeyText { form, text: &text, user_id: "" }).map(Some),
            Err(_) => Ok(None),
        }
    }
}

impl Handshake {
    /// Whether such a request may ask for it. One that only asks brings no body.
    fn takes(&self, request: &Incoming) -> bool {
        let only_asks = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        self.method.as_ref().is_none_or(|wanted| *wanted == request.method) && (request.body.is_empty() || !only_asks)
    }
}

/// Whether whoever sends the request chooses the place's text. The method is one of a few, the path is the source's own.
fn is_of_request(place: &Place) -> bool {
    let ours = matches!(place, Place::Method | Place::UrlPath | Place::Secret(_) | Place::Config(_));
    !ours && !matches!(place, Place::Let(_) | Place::Own(_))
}

/// The places whose text becomes part of what the template gives, those of its lets too.
fn spoken(template: &Template, lets: &BTreeMap<String, Named>) -> Result<Vec<Place>, String> {
    let mut places = Vec::new();
    for place in template.places() {
        let inner = match place {
            Place::Let(name) => match lets.get(name) {
                Some(Named::Template(template) | Named::Conditional(_, template)) => vec![template],
                Some(Named::Sort(parts, _)) => parts.iter().collect(),
                Some(_) => return Err(format!("{place} is made of fields that nobody has named: name each")),
                None => vec![],
            },
            _ => {
                places.push(place.clone());
                continue;
            }
        };
        for template in inner {
            places.extend(spoken(template, lets)?);
        }
    }
    Ok(places)
}
