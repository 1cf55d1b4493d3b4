//! From a description to a [`Provider`]: every template compiled, every rule checked, everything wrong said at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use hookport_plugin_api::description::{CollectFrom, Content, Description, Verify};

use super::ack::Answers;
use super::algorithm::KeyKind;
use super::complaint::{Complaint, did_you_mean};
use super::headers::HeaderCheck;
use super::identity::Identity;
use super::json::pointer;
use super::moment::Format;
use super::named::{Named, acyclic};
use super::parse::Places;
use super::place::Place;
use super::signature::Table;
use super::template::Template;
use super::view::Reads;

/// A compiled description. What it needs of an operator is in [`super::source::Source`].
pub struct Provider {
    /// Its id.
    pub id: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
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
    pub(super) nonce: Option<Template>,
    pub(super) identity: Identity,
    pub(super) answers: Answers,
    /// Where signatures are in the document; left out of `data`.
    pub(super) signed_fields: Vec<Vec<String>>,
    pub(super) opened: Vec<Opened>,
    pub(super) redacted: Vec<Vec<String>>,
    /// What verification and identification read.
    pub(super) reads: Reads,
    /// What answers read.
    pub(super) answer_reads: Reads,
    /// Whether a repeated key in the body is `malformed`.
    pub(super) reads_fields: bool,
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
        let headers = check.list("headers", &description.headers, HeaderCheck::compile);
        let timestamp = description.timestamp.as_ref().and_then(|time| {
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
        let identity =
            Identity::compile(&description.event).map_err(|wrong| check.add("event", wrong)).unwrap_or_default();
        let answers = Answers::compile(&description.ack).map_err(|wrong| check.add("ack", wrong)).unwrap_or_default();
        let opened = check.opened(&description);
        let redacted =
            check.list("redact", &description.redact, |text| pointer(text).ok_or_else(|| not_a_pointer(text)));
        let mut provider = Self {
            id: description.provider.id.as_str().into(),
            version: description.provider.version.as_str().into(),
            content: description.provider.content,
            headers,
            signed_fields: tables
                .iter()
                .flat_map(|table| &table.from)
                .filter_map(|from| json_steps(&from.place))
                .collect(),
            reads: Reads { json: description.provider.content == Content::Json, ..Reads::default() },
            answer_reads: Reads::default(),
            reads_fields: tables.iter().any(|table| reads_fields(table, &lets)),
            lets,
            tables,
            asserts,
            timestamp,
            nonce,
            identity,
            answers,
            opened,
            redacted,
            description,
        };
        provider.reads = provider.reading(provider.reads, provider.all_places().into_iter().map(|(_, place)| place));
        provider.answer_reads = provider.reading(Reads::default(), provider.reach(provider.answers.places()));
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

fn reach<'p>(places: impl IntoIterator<Item = &'p Place>, lets: &'p BTreeMap<String, Named>) -> Vec<&'p Place> {
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

fn json_steps(place: &Place) -> Option<Vec<String>> {
    match place {
        Place::Json(steps) => Some(steps.clone()),
        _ => None,
    }
}

fn not_a_pointer(text: &str) -> String {
    format!("{text:?} is not a JSON pointer: it begins with /")
}

fn reads_fields(table: &Table, lets: &BTreeMap<String, Named>) -> bool {
    let places =
        reach(table.messages.iter().flat_map(Template::places).chain(table.from.iter().map(|from| &from.place)), lets);
    places.iter().any(|place| match place {
        Place::Json(_) => true,
        Place::Let(name) => lets.get(name).and_then(Named::collected_from) == Some(CollectFrom::Json),
        _ => false,
    })
}

/// Whether a table says more than why it proves nothing.
fn proves(table: &Verify) -> bool {
    let texts = [&table.from, &table.message, &table.encoding].iter().any(|list| !list.is_empty());
    texts || table.when.is_some() || table.key.is_some() || table.pick.is_some() || table.prefix.is_some()
}

struct Check<'c> {
    places: &'c Places<'c>,
    complaints: Vec<Complaint>,
}

impl Check<'_> {
    fn add(&mut self, key: &str, message: impl Into<String>) {
        self.complaints.push(self.places.complain(key, message));
    }

    fn one<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(key, message)).ok()
    }

    fn list<W, T>(&mut self, key: &str, written: &[W], compile: impl Fn(&W) -> Result<T, String>) -> Vec<T> {
        let compiled = written.iter().enumerate().map(|(index, written)| (format!("{key}.{index}"), compile(written)));
        compiled.collect::<Vec<_>>().into_iter().filter_map(|(key, result)| self.one(&key, result)).collect()
    }

    fn names(&mut self, description: &Description) {
        let id = &description.provider.id;
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            self.add("provider.id", format!("{id:?} is not an id: lower-case letters, digits and - only"));
        }
        if let Some(route) = &description.route {
            if !route.path.starts_with('/') || route.path.contains(['?', '#']) {
                self.add("route.path", format!("{:?} is not a path: it begins with / and has no query", route.path));
            }
            let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
            if let Some(method) = route.methods.iter().find(|method| !known.contains(&method.as_str())) {
                self.add("route.methods", format!("{method:?} is not a method: {}", known.join(", ")));
            }
        }
    }

    fn lets(&mut self, description: &Description) -> BTreeMap<String, Named> {
        let compiled = description.lets.iter().map(|(name, written)| (name, Named::compile(written)));
        let compiled: Vec<_> = compiled.collect();
        let mut lets = BTreeMap::new();
        for (name, named) in compiled {
            if let Some(named) = self.one(&format!("let.{name}"), named) {
                lets.insert(name.clone(), named);
            }
        }
        self.one("let", acyclic(&lets));
        lets
    }

    fn proofs(&mut self, description: &Description) -> (Vec<Table>, Vec<(Template, Template)>) {
        let written = &description.verify;
        if description.route.is_some() && written.is_empty() {
            self.add("verify", "missing: how does a request prove itself? A sender without signature says alg = \"none\" with a reason");
        }
        let mut tables = Vec::new();
        for (index, table) in written.iter().enumerate() {
            match (table.alg.as_str(), table.reason.as_deref().unwrap_or_default()) {
                ("none", "") => self.add(
                    &format!("verify.{index}"),
                    "alg = \"none\" needs a reason = \"...\": why can anybody be the sender?",
                ),
                ("none", _) if written.len() > 1 => {
                    self.add(
                        &format!("verify.{index}"),
                        "alg = \"none\" beside other tables would accept what they refuse",
                    );
                }
                ("none", _) if proves(table) => {
                    self.add(
                        &format!("verify.{index}"),
                        "alg = \"none\" takes nothing but its reason: it would not be looked at",
                    );
                }
                ("none", _) => {}
                _ => match Table::compile(table) {
                    Ok(table) => tables.push(table),
                    Err(wrong) => {
                        wrong.into_iter().for_each(|(key, message)| self.add(&format!("verify.{index}.{key}"), message))
                    }
                },
            }
        }
        let mut asserts = Vec::new();
        for (index, assert) in description.assert.iter().enumerate() {
            let left = self.one(&format!("assert.{index}.left"), Template::compile(&assert.left));
            let right = self.one(&format!("assert.{index}.right"), Template::compile(&assert.right));
            asserts.extend(left.zip(right));
        }
        (tables, asserts)
    }

    fn opened(&mut self, description: &Description) -> Vec<Opened> {
        let mut opened = Vec::new();
        for (index, open) in description.open.iter().enumerate() {
            if open.alg != "rsa-pkcs1-v1_5" {
                self.add(&format!("open.{index}.alg"), format!("{:?} is not known here: rsa-pkcs1-v1_5", open.alg));
            }
            if open.block == 0 {
                self.add(&format!("open.{index}.block"), "a block has at least one byte; RSA 2048 has 256");
            }
            let key = format!("open.{index}.field");
            let fields = self.list(&key, &open.field, |text| pointer(text).ok_or_else(|| not_a_pointer(text)));
            opened.push(Opened { fields, block: open.block, key: open.key.clone() });
        }
        opened
    }

    /// What can only be seen with everything compiled: names that are not there, a time that is not signed.
    fn provider(&mut self, provider: &Provider) {
        let description = &provider.description;
        for (key, place) in provider.all_places() {
            let (kind, name, known): (_, _, Vec<&str>) = match place {
                Place::Let(name) => ("let", name, provider.lets.keys().map(String::as_str).collect()),
                Place::Secret(name) => ("secrets", name, description.secrets.keys().map(String::as_str).collect()),
                Place::Config(name) => ("settings", name, description.settings.keys().map(String::as_str).collect()),
                _ => continue,
            };
            if !known.contains(&name.as_str()) {
                let near = did_you_mean(name, known);
                self.add(&key, format!("{place} is not declared under [{kind}]{near}"));
            }
        }
        for (index, opened) in provider.opened.iter().enumerate() {
            if !description.secrets.contains_key(&opened.key) {
                self.add(&format!("open.{index}.key"), format!("{:?} is not declared under [secrets]", opened.key));
            }
        }
        let signed = |place: &Place| {
            provider.unsigned().is_none() && provider.tables.iter().all(|table| provider.covers(table, place))
        };
        if let Some((place, _)) = provider.timestamp.as_ref().filter(|(place, _)| !signed(place)) {
            let message = format!("{place} is not part of every signed message: an unsigned time proves nothing");
            self.add("timestamp.from", message);
        }
        let nonces = provider.nonce.iter().flat_map(Template::places);
        if let Some(place) = nonces.filter(|place| !signed(place)).next() {
            let message = format!("{place} is not part of every signed message: anybody can change an unsigned nonce");
            self.add("replay.nonce", message);
        }
        for (index, table) in provider.tables.iter().enumerate() {
            let secret = |message: &Template| {
                provider.reach(message.places()).iter().any(|place| matches!(place, Place::Secret(_)))
            };
            if table.algorithm.key == KeyKind::None && !table.messages.iter().all(secret) {
                let message = format!(
                    "{} has no key, so a secret must be part of its text: anybody can compute it",
                    table.algorithm.name
                );
                self.add(&format!("verify.{index}.message"), message);
            }
        }
    }
}

impl Provider {
    fn reading<'p>(&'p self, mut reads: Reads, places: impl IntoIterator<Item = &'p Place>) -> Reads {
        places.into_iter().for_each(|place| reads.add(place, &self.lets));
        reads
    }

    fn all_places(&self) -> Vec<(String, &Place)> {
        let mut all: Vec<(String, &Place)> = Vec::new();
        for (name, named) in &self.lets {
            all.extend(named.places().into_iter().map(|place| (format!("let.{name}"), place)));
        }
        for (index, table) in self.tables.iter().enumerate() {
            let templates = table
                .messages
                .iter()
                .chain(&table.encodings)
                .chain(&table.forms)
                .chain(&table.user_ids)
                .chain([&table.key.1]);
            let places = templates
                .flat_map(Template::places)
                .chain(table.from.iter().map(|from| &from.place))
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
        all.extend(self.identity.places().into_iter().map(|place| ("event".to_owned(), place)));
        all.extend(self.answers.places().into_iter().map(|place| ("ack".to_owned(), place)));
        all
    }

    /// Whether every message of the table contains the place.
    fn covers(&self, table: &Table, wanted: &Place) -> bool {
        // A token signs nothing.
        table.algorithm.name != "static"
            && table.messages.iter().all(|message| {
                self.reach(message.places()).into_iter().any(|place| match (place, wanted) {
                    (place, wanted) if place == wanted => true,
                    (Place::Body, Place::Json(_) | Place::Form(_)) => true,
                    (Place::Url | Place::UrlTarget, Place::Query(_)) => true,
                    (Place::Let(name), wanted) => self.lets.get(name).is_some_and(|named| named.collects(wanted)),
                    _ => false,
                })
            })
    }
}
