//! From a description to a [`Provider`]: every template compiled, every rule checked, everything wrong said at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookport_plugin_api::description::{Content, Description};

use crate::event::Build;

use super::ack::{Answers, Outcome};
use super::check::{Check, not_a_pointer};
use super::complaint::Complaint;
use super::handshake::Handshake;
use super::headers::HeaderCheck;
use super::identity::Identity;
use super::json::pointer;
use super::moment::Format;
use super::named::Named;
use super::outgoing::Calls;
use super::parse::Places;
use super::payload::Payload;
use super::pieces::Cut;
use super::place::Place;
use super::remote::Remote;
use super::signature::Table;
use super::template::Template;
use super::token::WINDOW;
use super::view::Reads;

/// A compiled description. What it needs of an operator is in [`super::source::Source`].
pub struct Provider {
    /// Its id.
    pub id: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Which build it is of, where whoever compiled it knows.
    pub build: Option<Arc<Build>>,
    /// As written.
    pub description: Description,
    /// What a body is.
    pub content: Content,
    pub(super) headers: Vec<HeaderCheck>,
    pub(super) lets: BTreeMap<String, Named>,
    /// Empty where the description says `none`.
    pub(super) tables: Vec<Table>,
    pub(super) asserts: Vec<(Template, Template)>,
    pub(super) timestamp: Option<(Place, Vec<Format>)>,
    /// Whether the time is the token's own `nbf` and `exp`.
    pub(super) window: bool,
    pub(super) nonce: Option<Template>,
    /// Where what must prove itself stands, if not the whole request.
    pub(super) each: Option<Cut>,
    pub(super) payload: Payload,
    pub(super) identity: Identity,
    pub(super) handshakes: Vec<Handshake>,
    pub(super) answers: Answers,
    /// Where signatures are in the document; left out of `data`.
    pub(super) signed_fields: Vec<Vec<String>>,
    pub(super) opened: Vec<Opened>,
    pub(super) redacted: Vec<Vec<String>>,
    /// What goes out, and how it is signed.
    pub calls: Calls,
    /// What verification and identification read.
    pub(super) reads: Reads,
    /// What answers read.
    pub(super) answer_reads: Reads,
    /// What signatures are over, the signatures themselves included: what repeats there is `malformed`.
    pub(super) signed_over: Vec<Place>,
    /// What handshakes read.
    pub(super) handshake_reads: Reads,
}

/// One of `[[open]]`, compiled.
pub(super) struct Opened {
    pub(super) fields: Vec<Vec<String>>,
    pub(super) block: usize,
    pub(super) key: String,
}

impl Provider {
    /// Compiles a description; `places` finds the lines of what is wrong.
    pub fn compile(description: Description, places: &Places<'_>) -> Result<Self, Vec<Complaint>> {
        let mut check = Check { places, complaints: Vec::new() };
        check.names(&description);
        let lets = check.lets(&description);
        let (tables, asserts) = check.proofs(&description);
        let handshakes = check.handshakes(&description, &lets);
        let headers = check.list("headers", &description.headers, HeaderCheck::compile);
        let window = description.timestamp.as_ref().is_some_and(|time| time.from == WINDOW);
        let timestamp = description.timestamp.as_ref().filter(|_| !window).and_then(|time| {
            let from = check.one("timestamp.from", time.from.parse())?;
            Some((from, check.list("timestamp.format", &time.format, |text| Format::compile(text))))
        });
        if let Some(covers) =
            description.event.covers.as_deref().filter(|covers| !["body", "fields", "none"].contains(covers))
        {
            check.add("event.covers", format!("{covers:?} is not one of body, fields, none"));
        }
        let nonce = description.replay.as_ref().map(|replay| Template::place_or_template(&replay.nonce));
        let nonce = nonce.and_then(|template| check.one("replay.nonce", template));
        let each = description.each.as_deref().map(Cut::compile);
        let each = each.and_then(|each| check.one("each", each));
        let payload = Payload::compile(&description, &mut check);
        let identity =
            Identity::compile(&description.event).map_err(|wrong| check.add("event", wrong)).unwrap_or_default();
        let answers = Answers::compile(&description.ack, description.provider.content, payload.decrypt.as_ref())
            .map_err(|wrong| check.add("ack", wrong))
            .unwrap_or_default();
        let opened = check.opened(&description);
        let redacted =
            check.list("redact", &description.redact, |text| pointer(text).ok_or_else(|| not_a_pointer(text)));
        let whole = if payload.is_body() { Reads::of(description.provider.content) } else { Reads::default() };
        let reads = Reads { json: whole.json || each.is_some(), ..whole };
        let calls = check.calls(&description, &lets);
        let mut provider = Self {
            id: description.provider.id.as_str().into(),
            version: description.provider.version.as_str().into(),
            build: None,
            content: description.provider.content,
            headers,
            signed_fields: tables
                .iter()
                .flat_map(|table| &table.from)
                .filter_map(|from| from.place.pointer())
                .collect(),
            reads,
            answer_reads: Reads::default(),
            signed_over: signed_over(&tables, &lets),
            handshake_reads: Reads::default(),
            lets,
            tables,
            asserts,
            timestamp,
            window,
            nonce,
            each,
            payload,
            identity,
            handshakes,
            answers,
            opened,
            redacted,
            calls,
            description,
        };
        provider.reads = provider.reading(provider.reads, provider.all_places().into_iter().map(|(_, place)| place));
        let greeted = provider.handshake_places().into_iter().map(|(_, place)| place);
        let greeted = greeted.chain(provider.payload.places());
        provider.handshake_reads = provider.reading(Reads::default(), provider.reach(greeted));
        if provider.handshakes.iter().any(|handshake| handshake.signed) {
            // They are answered from the view that verification has.
            provider.reads = provider.reads.with(provider.handshake_reads);
        }
        let sealed = provider.answers.seals(Outcome::Accepted) || provider.answers.seals(Outcome::Duplicate);
        let opening = if sealed { provider.payload.places() } else { Vec::new() };
        let answering = provider.answers.places().into_iter().chain(opening);
        provider.answer_reads = provider.reading(Reads::default(), provider.reach(answering));
        check.provider(&provider);
        if check.complaints.is_empty() { Ok(provider) } else { Err(check.complaints) }
    }

    /// Whether requests prove nothing, and why the description says so.
    pub fn unsigned(&self) -> Option<&str> {
        self.description.verify.iter().find(|table| table.alg == "none").and_then(|table| table.reason.as_deref())
    }

    /// The places that templates read, those of the lets that they name too.
    pub(super) fn reach<'p>(&'p self, places: impl IntoIterator<Item = &'p Place>) -> Vec<&'p Place> {
        reach(places, &self.lets)
    }
}

pub(super) fn reach<'p>(
    places: impl IntoIterator<Item = &'p Place>,
    lets: &'p BTreeMap<String, Named>,
) -> Vec<&'p Place> {
    let mut all: Vec<&Place> = Vec::new();
    let mut open: Vec<&Place> = places.into_iter().collect();
    while let Some(place) = open.pop() {
        if all.contains(&place) {
            continue;
        }
        all.push(place);
        if let Place::Let(name) = place {
            open.extend(lets.get(name).map(Named::places).unwrap_or_default());
        }
    }
    all
}

fn signed_over(tables: &[Table], lets: &BTreeMap<String, Named>) -> Vec<Place> {
    let messages = tables.iter().flat_map(Table::bound).flat_map(Template::places);
    let from = tables.iter().flat_map(|table| &table.from).map(|from| &from.place);
    reach(messages.chain(from), lets).into_iter().cloned().collect()
}

impl Provider {
    fn reading<'p>(&'p self, mut reads: Reads, places: impl IntoIterator<Item = &'p Place>) -> Reads {
        places.into_iter().for_each(|place| reads.add(place, &self.lets));
        reads
    }

    /// Every place of a request that is read, headers with a rule of their own among them.
    pub fn reads_of_requests(&self) -> Vec<Place> {
        let rules = self.description.headers.iter().filter_map(|rule| format!("header:{}", rule.name).parse().ok());
        let named = self.all_places().into_iter().chain(self.handshake_places());
        named.map(|(_, place)| place.clone()).chain(rules).collect()
    }

    pub(super) fn all_places(&self) -> Vec<(String, &Place)> {
        let mut all: Vec<(String, &Place)> = Vec::new();
        for (name, named) in &self.lets {
            all.extend(named.places().into_iter().map(|place| (format!("let.{name}"), place)));
        }
        for (index, table) in self.tables.iter().enumerate() {
            let templates = table
                .bound()
                .chain(&table.encodings)
                .chain(&table.forms)
                .chain(&table.user_ids)
                .chain([&table.key.1])
                .chain(&table.select);
            let places = templates
                .flat_map(Template::places)
                .chain(table.from.iter().map(|from| &from.place))
                .chain(table.remote.iter().flat_map(Remote::places))
                .chain(table.when.iter().flat_map(|when| when.places()));
            all.extend(places.map(|place| (format!("verify.{index}"), place)));
        }
        for (index, (left, right)) in self.asserts.iter().enumerate() {
            all.extend(
                [left, right].into_iter().flat_map(Template::places).map(|place| (format!("assert.{index}"), place)),
            );
        }
        all.extend(self.timestamp.iter().map(|(place, _)| ("timestamp.from".to_owned(), place)));
        all.extend(self.nonce.iter().flat_map(Template::places).map(|place| ("replay.nonce".to_owned(), place)));
        all.extend(self.payload.places().into_iter().map(|place| ("payload".to_owned(), place)));
        all.extend(self.identity.places().into_iter().map(|place| ("event".to_owned(), place)));
        all.extend(self.answers.places().into_iter().map(|place| ("ack".to_owned(), place)));
        all
    }

    pub(super) fn handshake_places(&self) -> Vec<(String, &Place)> {
        let handshakes = self.handshakes.iter().enumerate();
        handshakes
            .flat_map(|(index, shake)| {
                shake.places().into_iter().map(move |place| (format!("handshake.{index}"), place))
            })
            .collect()
    }

    /// The first table that says nothing of the request's content, although the description says that it binds it.
    pub fn binds_nothing(&self) -> Option<usize> {
        let content = |place: &&Place| match place {
            Place::Body | Place::Json(_) | Place::Form(_) | Place::Xml(_) | Place::Query(_) => true,
            Place::Url | Place::UrlTarget => true,
            Place::Let(name) => self.lets.get(name).is_some_and(|named| named.collected_from().is_some()),
            _ => false,
        };
        let claimed = self.description.event.covers.as_deref().is_none_or(|covers| covers != "none");
        let sides = self.asserts.iter().flat_map(|(left, right)| [left, right]);
        if !claimed || self.reach(sides.flat_map(Template::places)).iter().any(content) {
            return None;
        }
        self.tables.iter().position(|table| {
            let claims = table.claims.iter().flat_map(|(_, template)| template.places());
            let texts = table.messages.iter().flat_map(Template::places).chain(claims);
            table.algorithm.name != "static" && !self.reach(texts).iter().any(content)
        })
    }

    /// Whether the table's signature is over the place: every message contains it, or a claim of the token.
    pub(super) fn covers(&self, table: &Table, wanted: &Place) -> bool {
        let contains = |template: &Template| {
            self.reach(template.places()).into_iter().any(|place| match (place, wanted) {
                (place, wanted) if place == wanted => true,
                (Place::Body, Place::Json(_) | Place::Form(_) | Place::Xml(_)) => true,
                (Place::Url | Place::UrlTarget, Place::Query(_)) => true,
                (Place::Let(name), wanted) => self.lets.get(name).is_some_and(|named| named.collects(wanted)),
                _ => false,
            })
        };
        match (table.algorithm.token, wanted) {
            (Some(_), Place::Claim(_)) => true,
            (Some(_), _) => table.claims.iter().any(|(_, template)| contains(template)),
            // A shared token signs nothing.
            (None, _) => table.algorithm.name != "static" && table.messages.iter().all(contains),
        }
    }
}
