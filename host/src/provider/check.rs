//! What may be wrong with a description, each complaint with its key and the way out.

use std::collections::BTreeMap;

use hookport_plugin_api::description::{Description, Key, Verify};

use super::algorithm::KeyKind;
use super::certificate::Chain;
use super::compile::{Opened, Provider};
use super::complaint::{Complaint, did_you_mean};
use super::json::pointer;
use super::named::{Named, acyclic};
use super::parse::Places;
use super::place::Place;
use super::signature::Table;
use super::template::Template;
use super::token::WINDOW;

/// The methods that a sender may use.
pub(super) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Whether a text can be a provider's id.
pub(crate) fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(fits)
}

/// The complaint about a text that is no JSON pointer.
pub(super) fn not_a_pointer(text: &str) -> String {
    format!("{text:?} is not a JSON pointer: it begins with /")
}

/// Whether a table says more than why it proves nothing.
fn proves(table: &Verify) -> bool {
    let texts = [&table.from, &table.message, &table.encoding].iter().any(|list| !list.is_empty());
    texts || table.when.is_some() || table.key.is_some() || table.pick.is_some() || table.prefix.is_some()
}

/// Whether a secret is part of every text that the template gives: not one that may be missing, or comes with each of
/// some fields, of which there may be none.
fn holds_secret(template: &Template, lets: &BTreeMap<String, Named>) -> bool {
    template.required().any(|place| match place {
        Place::Secret(_) => true,
        Place::Let(name) => match lets.get(name) {
            Some(Named::Template(template) | Named::Conditional(_, template)) => holds_secret(template, lets),
            Some(Named::Sort(parts, _)) => parts.iter().any(|part| holds_secret(part, lets)),
            _ => false,
        },
        _ => false,
    })
}

/// A description that is being checked, and what is wrong with it so far.
pub(super) struct Check<'c> {
    pub(super) places: &'c Places<'c>,
    pub(super) complaints: Vec<Complaint>,
}

impl Check<'_> {
    pub(super) fn add(&mut self, key: &str, message: impl Into<String>) {
        self.complaints.push(self.places.complain(key, message));
    }

    pub(super) fn one<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.add(key, message)).ok()
    }

    pub(super) fn list<W, T>(&mut self, key: &str, written: &[W], compile: impl Fn(&W) -> Result<T, String>) -> Vec<T> {
        let compiled = written.iter().enumerate().map(|(index, written)| (format!("{key}.{index}"), compile(written)));
        compiled.collect::<Vec<_>>().into_iter().filter_map(|(key, result)| self.one(&key, result)).collect()
    }

    pub(super) fn names(&mut self, description: &Description) {
        let id = &description.provider.id;
        if !is_id(id) {
            self.add("provider.id", format!("{id:?} is not an id: lower-case letters, digits and - only"));
        }
        if let Some(route) = &description.route {
            if !route.path.starts_with('/') || route.path.contains(['?', '#']) {
                self.add("route.path", format!("{:?} is not a path: it begins with / and has no query", route.path));
            }
            if let Some(method) = route.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
                self.add("route.methods", format!("{method:?} is not a method: {}", METHODS.join(", ")));
            }
        }
    }

    pub(super) fn lets(&mut self, description: &Description) -> BTreeMap<String, Named> {
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

    pub(super) fn proofs(&mut self, description: &Description) -> (Vec<Table>, Vec<(Template, Template)>) {
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

    pub(super) fn opened(&mut self, description: &Description) -> Vec<Opened> {
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
    pub(super) fn provider(&mut self, provider: &Provider) {
        if provider.each.is_some() {
            // Both look at the request as a whole.
            let fetches = |key: &Key| key.fetch.is_some();
            if provider.description.verify.iter().any(|table| table.key.as_ref().is_some_and(fetches)) {
                self.add("each", "a key that is fetched is one for the whole request: leave out one of both");
            }
            if provider.nonce.is_some() {
                self.add("replay.nonce", "each item would have a nonce of its own: a repeat is known by [event] id");
            }
        }
        let description = &provider.description;
        let places =
            provider.all_places().into_iter().chain(provider.handshake_places()).chain(provider.calls.places());
        for (key, place) in places {
            let (kind, name, known): (_, _, Vec<&str>) = match place {
                Place::Let(name) => ("let", name, provider.lets.keys().map(String::as_str).collect()),
                Place::Secret(name) => ("secrets", name, description.secrets.keys().map(String::as_str).collect()),
                Place::Config(name) => ("settings", name, description.settings.keys().map(String::as_str).collect()),
                Place::Input { .. } if !key.starts_with("operations.") => {
                    self.add(&key, format!("{place} is there in [operations.request] only"));
                    continue;
                }
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
        self.tokens(provider);
        self.roots(provider);
        self.texts(provider);
        let mut nonces = provider.nonce.iter().flat_map(Template::places);
        if let Some(place) = nonces.find(|place| !signed(place)) {
            let message = format!("{place} is not part of every signed message: anybody can change an unsigned nonce");
            self.add("replay.nonce", message);
        }
        // Said already where they have no end.
        let lets = acyclic(&provider.lets).is_ok();
        for (index, table) in provider.tables.iter().enumerate() {
            let secret = |message: &Template| holds_secret(message, &provider.lets);
            if table.algorithm.key == KeyKind::None && lets && !table.messages.iter().all(secret) {
                let message = format!(
                    "{} has no key, so a secret must be part of its text: anybody can compute it",
                    table.algorithm.name
                );
                self.add(&format!("verify.{index}.message"), message);
            }
        }
    }

    /// Claims are read only where there is a token.
    fn tokens(&mut self, provider: &Provider) {
        let tokens = provider.tables.iter().filter(|table| table.algorithm.token.is_some()).count();
        if provider.window && tokens < provider.tables.len() {
            self.add("timestamp.from", format!("{WINDOW} is a token's: every table must have alg = \"jwt-...\""));
        }
        let mut places = provider.all_places().into_iter().filter(|_| tokens == 0);
        if let Some((key, place)) = places.find(|(_, place)| matches!(place, Place::Claim(_))) {
            self.add(&key, format!("{place} is a claim of a token, and no table has alg = \"jwt-...\""));
        }
    }

    /// The roots of certificates that come with a request are a secret, if they are not those of browsers.
    fn roots(&mut self, provider: &Provider) {
        let known = &provider.description.secrets;
        for (index, table) in provider.tables.iter().enumerate() {
            let chain = table.remote.as_ref().and_then(|remote| remote.trust.chain.as_ref());
            if let Some(Chain::Secret(name)) = chain
                && !known.contains_key(name)
            {
                let near = did_you_mean(name, known.keys().map(String::as_str).chain(["webpki"]));
                let message = format!("{name:?} is neither webpki nor declared under [secrets]{near}");
                self.add(&format!("verify.{index}.key.chain"), message);
            }
        }
    }
}
