//! What may be wrong with operations and with how they are signed; each complaint with its key and the way out.

use std::collections::{BTreeMap, BTreeSet};

use hookport_plugin_api::description::{Description, Operation, SecretKind, SettingKind, Sign, Signing};

use super::super::algorithm::KeyKind;
use super::super::check::Check;
use super::super::compile::reach;
use super::super::named::Named;
use super::super::place::Place;
use super::super::template::Template;
use super::super::view::Reads;
use super::answer::Answering;
use super::request::Request;
use super::reverse::reverse;
use super::signer::Signer;
use super::{Call, Calls};

type Lets = BTreeMap<String, Named>;

impl Check<'_> {
    /// Compiles `[[operations]]` and `[[sign]]`.
    pub(in crate::provider) fn calls(&mut self, description: &Description, lets: &Lets) -> Calls {
        let mut calls = Calls::default();
        let shared = self.signers("sign", description.sign.as_ref(), description, lets, &mut calls);
        if description.sign.is_some() && description.operations.is_empty() {
            self.add("sign", "signs the requests of operations, and there are no [[operations]]");
        }
        let mut ids = BTreeSet::new();
        for (index, operation) in description.operations.iter().enumerate() {
            let at = format!("operations.{index}");
            if operation.id.is_empty() || !ids.insert(&operation.id) {
                let message = format!("{:?} is no id: one that no other operation has, and not empty", operation.id);
                self.add(&format!("{at}.id"), message);
            }
            let signers = match &operation.sign {
                None => shared.clone(),
                signing => self.signers(&format!("{at}.sign"), signing.as_ref(), description, lets, &mut calls),
            };
            let request = self.request(&at, operation, description, lets, &mut calls);
            if let Some(request) = &request {
                self.room(&signers, request, operation, &calls);
            }
            let answering = self.answering(&at, operation, lets, &mut calls);
            calls.calls.push(Call { id: operation.id.clone(), request, signers, answering });
        }
        calls
    }

    fn request(
        &mut self,
        at: &str,
        operation: &Operation,
        description: &Description,
        lets: &Lets,
        calls: &mut Calls,
    ) -> Option<Request> {
        let compiled = Request::compile(operation.request.as_ref()?, &plain(description));
        let key = |key: &str| format!("{at}.request.{key}").trim_end_matches('.').to_owned();
        let request = match compiled {
            Ok(request) => request,
            Err(wrong) => {
                wrong.into_iter().for_each(|(name, message)| self.add(&key(&name), message));
                return None;
            }
        };
        for (name, place) in request.places() {
            for place in reach([place], lets) {
                match place {
                    Place::Own(own @ ("now" | "nonce")) if !request.fresh.has(own) => {
                        self.add(&key(&name), undeclared(own));
                    }
                    Place::Input { .. } | Place::Config(_) | Place::Secret(_) | Place::Let(_) => {}
                    Place::Own("now" | "nonce") => {}
                    _ => {
                        let message = format!(
                            "{place} is not there: a request is made of input:, config:, secret:, now and nonce"
                        );
                        self.add(&key(&name), message);
                    }
                }
            }
            calls.places.push((key(&name), place.clone()));
        }
        Some(request)
    }

    /// What a signer writes must have room in the body.
    fn room(&mut self, signers: &[usize], request: &Request, operation: &Operation, calls: &Calls) {
        for index in signers {
            let signer = &calls.signers[*index];
            let written = signer.set.iter().map(|(place, _)| ("set", place)).chain([("to", &signer.to)]);
            for (name, place) in written.filter(|(_, place)| !request.holds(place)) {
                let kind = match place {
                    Place::Json(_) => "json",
                    Place::Xml(_) => "text",
                    _ => "form",
                };
                let message = format!(
                    "{place} cannot be written: the request of \"{}\" has no `{kind}` body; give it one, or a `sign` of its own",
                    operation.id
                );
                self.add(&format!("{}.{name}", signer.at), message);
            }
        }
    }

    fn answering(&mut self, at: &str, operation: &Operation, lets: &Lets, calls: &mut Calls) -> Answering {
        let Some(written) = &operation.answer else { return Answering::default() };
        let mut answering = match Answering::compile(written) {
            Ok(answering) => answering,
            Err(wrong) => {
                wrong.into_iter().for_each(|(key, message)| self.add(&format!("{at}.answer.{key}"), message));
                return Answering::default();
            }
        };
        let mut reads = Reads::default();
        for (key, place) in answering.places() {
            let key = format!("{at}.answer.{key}");
            reads.add(place, lets);
            if matches!(place, Place::Secret(_) | Place::Input { .. } | Place::Sig(_) | Place::Let(_))
                || matches!(place, Place::Own(name) if *name != "status")
                || matches!(place, Place::Url | Place::UrlTarget | Place::UrlPath | Place::Method | Place::Query(_))
            {
                let message = format!("{place} is nothing that an answer has; it has status, header:, body and json:");
                self.add(&key, message);
            }
            calls.places.push((key, place.clone()));
        }
        answering.reads = reads;
        answering
    }

    /// Compiles the tables of one `sign`, and says which they are.
    fn signers(
        &mut self,
        at: &str,
        signing: Option<&Signing>,
        description: &Description,
        lets: &Lets,
        calls: &mut Calls,
    ) -> Vec<usize> {
        let tables = match signing {
            None => Vec::new(),
            Some(Signing::Tables(tables)) => {
                let keyed = tables.iter().enumerate();
                keyed.map(|(index, table)| (format!("{at}.{index}"), table.clone(), None)).collect()
            }
            Some(Signing::Verify) => match reverse(description) {
                Ok(tables) => tables.into_iter().map(|(table, stamp)| (at.to_owned(), table, stamp)).collect(),
                Err(why) => {
                    self.add(at, format!("\"verify\": {why}"));
                    Vec::new()
                }
            },
        };
        let mut indices = Vec::new();
        for (at, table, stamp) in tables {
            if let Some(signer) = self.signer(&at, &table, stamp, description, lets, calls) {
                indices.push(calls.signers.len());
                calls.signers.push(signer);
            }
        }
        indices
    }

    fn signer(
        &mut self,
        at: &str,
        table: &Sign,
        stamp: Option<String>,
        description: &Description,
        lets: &Lets,
        calls: &mut Calls,
    ) -> Option<Signer> {
        let mut signer = match Signer::compile(table, &plain(description)) {
            Ok(signer) => signer,
            Err(wrong) => {
                wrong.into_iter().for_each(|(key, message)| self.add(&format!("{at}.{key}"), message));
                return None;
            }
        };
        (signer.at, signer.stamp) = (at.to_owned(), stamp);
        let mut reads = Reads::default();
        for (key, place) in signer.places() {
            for place in reach([place], lets) {
                reads.add(place, lets);
                self.signs_with(&format!("{at}.{key}"), &key, place, &signer);
            }
            calls.places.push((format!("{at}.{key}"), place.clone()));
        }
        signer.reads = reads;
        self.keyed(at, &signer, description, lets);
        Some(signer)
    }

    /// Whether a place is there when a request is signed.
    fn signs_with(&mut self, at: &str, key: &str, place: &Place, signer: &Signer) {
        let message = match place {
            Place::Own(own @ ("now" | "nonce")) if !signer.fresh.has(own) => undeclared(own),
            Place::Own("now" | "nonce") => return,
            Place::Own("mac") if key == "value" => return,
            Place::Own("k" | "v") => return,
            Place::Own(_) => format!("{place} is not there when a request is signed"),
            Place::Input { .. } => {
                format!(
                    "{place} is not there: what is signed is the request; read it from body, json:, header:, query:"
                )
            }
            Place::Sig(name) if signer.stamp.as_ref() != Some(name) => {
                format!("{place} is a part of a received signature, and none was received")
            }
            _ => return,
        };
        self.add(at, message);
    }

    /// A signature that anybody could make, or a key that is none.
    fn keyed(&mut self, at: &str, signer: &Signer, description: &Description, lets: &Lets) {
        let secrets = |template: &Template| -> Vec<String> {
            let places = reach(template.places(), lets).into_iter();
            places.filter_map(|place| if let Place::Secret(name) = place { Some(name.clone()) } else { None }).collect()
        };
        let name = signer.algorithm.name;
        if signer.algorithm.key == KeyKind::None {
            if !signer.messages.iter().all(|message| !secrets(message).is_empty()) {
                let message =
                    format!("{name} has no key, so a secret must be part of its text: anybody can compute it");
                self.add(&format!("{at}.message"), message);
            }
            return;
        }
        let keys = secrets(signer.key());
        if keys.is_empty() {
            self.add(&format!("{at}.key.value"), format!("{name} signs with a key, and this is no secret"));
        }
        let kind = |key: &String| description.secrets.get(key).map(|slot| slot.kind);
        if signer.algorithm.key == KeyKind::Public
            && let Some(key) = keys.iter().find(|key| kind(key).is_some_and(|kind| kind != SecretKind::PrivateKey))
        {
            let message = format!("{name} signs with a private key: secrets.{key} needs kind = \"private_key\"");
            self.add(&format!("{at}.key.value"), message);
        }
    }
}

/// Settings that are numbers or `true` and `false`, and what is drawn for each request.
fn plain(description: &Description) -> impl Fn(&Place) -> bool {
    |place| match place {
        Place::Own(name) => matches!(*name, "now" | "nonce"),
        Place::Config(name) => description.settings.get(name).is_some_and(|rule| rule.kind != SettingKind::String),
        _ => false,
    }
}

fn undeclared(own: &str) -> String {
    let example = if own == "now" { "now = \"unix_s\"" } else { "nonce = { length = 32 }" };
    format!("${{{own}}} is not declared here: write {example} beside it")
}
