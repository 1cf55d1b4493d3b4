//! `[event]`: what an event is called, what it is about, when it happened, and by which key a repeat is known.

use std::time::Duration;

use hookport_plugin_api::description::EventRule;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::moment::{self, Format};
use super::pieces::Cut;
use super::place::Place;
use super::template::{Lookup, Template};
use crate::event::DedupKey;
use crate::request::Incoming;

/// The compiled rule.
#[derive(Default)]
pub struct Identity {
    kind: Vec<Template>,
    id: Vec<Template>,
    subject: Vec<Template>,
    time: Vec<Template>,
    formats: Vec<Format>,
    hash_hold: Duration,
    /// Where several events stand in one document.
    pub(super) batch: Option<Cut>,
}

/// What it says of one request.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The provider's own name of the event; `event` without a rule.
    pub kind: String,
    /// The provider's own id.
    pub id: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// By which a repeat is known.
    pub key: DedupKey,
}

impl Identity {
    /// Compiles the rule.
    pub fn compile(written: &EventRule) -> Result<Self, String> {
        let list = |texts: &[String]| {
            texts.iter().map(|text| Template::place_or_template(text)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            kind: list(&written.kind)?,
            id: list(&written.id)?,
            subject: list(&written.subject)?,
            time: list(&written.time)?,
            formats: written.format.iter().map(|text| Format::compile(text)).collect::<Result<_, _>>()?,
            hash_hold: Duration::from_secs(written.hash_hold_s),
            batch: written.batch.as_deref().map(Cut::compile).transpose()?,
        })
    }

    /// The places that it reads.
    pub fn places(&self) -> Vec<&Place> {
        [&self.kind, &self.id, &self.subject, &self.time].into_iter().flatten().flat_map(Template::places).collect()
    }

    /// Applies it; without an id the hash of the body is the key, and holds for a day unless said. A request without a
    /// body says what it says in its target. Of several events in one request, `nth` tells those apart that have no id
    /// of their own.
    pub fn declare(
        &self,
        source: &str,
        lookup: &dyn Lookup,
        request: &Incoming,
        nth: Option<usize>,
        now: Timestamp,
    ) -> Declared {
        let (id, own) = match first(&self.id, lookup) {
            Some((template, id)) => (Some(id), nth.is_some() && template.places().into_iter().any(Place::in_document)),
            None => (None, false),
        };
        let until = Some(later(now, self.hash_hold));
        let key = match &id {
            Some(id) => dedup_key(source, "id", id.as_bytes(), None),
            None if request.body.is_empty() => dedup_key(source, "target", request.target.as_bytes(), until),
            None => dedup_key(source, "body", &request.body, until),
        };
        let key = match nth.filter(|_| !own) {
            Some(nth) => dedup_key(source, "nth", &[&key.hash[..], &nth.to_be_bytes()].concat(), key.until),
            None => key,
        };
        Declared {
            kind: text(&self.kind, lookup).unwrap_or_else(|| "event".into()),
            id,
            subject: text(&self.subject, lookup),
            time: text(&self.time, lookup).and_then(|text| moment::read(&text, &self.formats)),
            key,
        }
    }
}

/// A time so much later; the end of time where there is none.
pub(super) fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The first template whose places are there and not empty, but for those that may be missing, and that is not empty.
pub(super) fn first<'t>(templates: &'t [Template], lookup: &dyn Lookup) -> Option<(&'t Template, String)> {
    templates.iter().find_map(|template| {
        let bytes = template.borrow(lookup).ok().filter(|bytes| !bytes.is_empty())?;
        // One place alone is filled when there is a text at all.
        let filled = |place| lookup.bytes(place).is_some_and(|bytes| !bytes.is_empty());
        let filled = template.alone().is_some() || template.required().all(filled);
        Some((template, String::from_utf8(bytes.into_owned()).ok().filter(|_| filled)?))
    })
}

fn text(templates: &[Template], lookup: &dyn Lookup) -> Option<String> {
    first(templates, lookup).map(|(_, text)| text)
}

/// 128 bits of a SHA-256 over source, kind and key, so that no source and no kind can meet another's keys.
pub fn dedup_key(source: &str, kind: &str, key: &[u8], until: Option<Timestamp>) -> DedupKey {
    let digest =
        Sha256::new().chain_update(source).chain_update([0]).chain_update(kind).chain_update([0]).chain_update(key);
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest.finalize()[..16]);
    DedupKey { hash, until }
}
