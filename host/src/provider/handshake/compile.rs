//! From a written handshake to one that can answer. What is wrong is told by key.

use std::collections::BTreeMap;

use hookport_plugin_api::description::{self as written, Assert};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use super::domain::Domain;
use super::token::Token;
use super::{Handshake, Mac, is_of_request, spoken};
use crate::provider::ack;
use crate::provider::algorithm::{self, KeyKind};
use crate::provider::complaint::did_you_mean;
use crate::provider::condition::Condition;
use crate::provider::key::KEY_FORMS;
use crate::provider::named::Named;
use crate::provider::place::Place;
use crate::provider::template::Template;

type Wrong = Vec<(String, String)>;

impl Handshake {
    /// Compiles one.
    pub(in crate::provider) fn compile(
        written: &written::Handshake,
        lets: &BTreeMap<String, Named>,
    ) -> Result<Self, Wrong> {
        let mut wrong = Wrong::new();
        let when = one(&mut wrong, "when", Condition::compile(&written.when));
        let require = written.require.iter().enumerate().filter_map(|(index, assert)| {
            let key = format!("require.{index}");
            one(&mut wrong, &key, equality(assert))
        });
        let require: Vec<_> = require.collect();
        let token = one(&mut wrong, "token_pattern", Token::compile(written.token_pattern.as_deref()));
        let mac = written.mac.as_ref().and_then(|mac| {
            let compiled = Mac::compile(mac, lets);
            compiled.map_err(|(key, message)| wrong.push((format!("mac.{key}"), message))).ok()
        });
        let capture = written.capture.iter().filter_map(|(name, place)| {
            let place = one(&mut wrong, &format!("capture.{name}"), captured(place))?;
            Some((name.clone(), place))
        });
        let capture: Vec<_> = capture.collect();
        let status = written.respond.status.unwrap_or(200);
        if !(200..600).contains(&status) {
            let message = format!("{status} is not a status that an answer can have: 200 to 599");
            wrong.push(("respond.status".into(), message));
        }
        let headers = one(&mut wrong, "respond.headers", headers(&written.respond)).unwrap_or_default();
        let body = one(&mut wrong, "respond.body", Template::compile(&written.respond.body));
        let echoed = one(&mut wrong, "respond", echoed(&headers, body.as_ref(), mac.as_ref(), lets));
        match (when, token, body, echoed) {
            (Some(when), Some(token), Some(body), Some(echoed)) if wrong.is_empty() => Ok(Self {
                when,
                method: written.when.method.as_ref().map(|method| method.to_ascii_uppercase()),
                require,
                mac,
                token,
                echoed,
                capture,
                signed: written.signed,
                status,
                headers,
                body,
            }),
            _ => Err(wrong),
        }
    }

    /// The places that it reads.
    pub(in crate::provider) fn places(&self) -> Vec<&Place> {
        let templates = self.require.iter().flat_map(|(left, right)| [left, right]);
        let templates = templates.chain(self.headers.iter().map(|(_, template)| template)).chain([&self.body]);
        let templates = templates.chain(self.mac.iter().flat_map(|mac| [&mac.message, &mac.key.1]));
        let places = templates.flat_map(Template::places).chain(self.when.places());
        // What only the answer has is in no view.
        let mac = self.mac.is_some();
        places
            .filter(|place| !(mac && matches!(place, Place::Let(name) if name == "mac")))
            .chain(self.capture.iter().map(|(_, place)| place))
            .collect()
    }
}

impl Mac {
    fn compile(written: &written::Mac, lets: &BTreeMap<String, Named>) -> Result<Self, (&'static str, String)> {
        let usable = |algorithm: &&algorithm::Algorithm| {
            algorithm.key != KeyKind::Public && algorithm.name != "static" && !algorithm.name.starts_with("jwt-")
        };
        let algorithm = algorithm::named(&written.alg).filter(usable).ok_or_else(|| {
            let names =
                algorithm::names().into_iter().filter(|name| algorithm::named(name).as_ref().is_some_and(usable));
            let near = did_you_mean(&written.alg, names);
            ("alg", format!("{:?} is not a digest or MAC that can be answered{near}", written.alg))
        })?;
        let key = written.key.clone().unwrap_or_else(|| written::Key {
            form: "utf8".into(),
            value: if algorithm.key == KeyKind::None { String::new() } else { "${secret}".into() },
            ..written::Key::default()
        });
        if key.select.is_some() || key.fetch.is_some() || key.from.is_some() || key.chain.is_some() {
            return Err(("key", "takes form and value alone: the key is ours".into()));
        }
        if !KEY_FORMS.contains(&key.form.as_str()) {
            let message = format!("{:?} is not a key form; forms are {}", key.form, KEY_FORMS.join(", "));
            return Err(("key.form", message));
        }
        let value = Template::compile(&key.value).map_err(|error| ("key.value", error))?;
        if spoken(&value, lets).map_err(|error| ("key.value", error))?.iter().any(is_of_request) {
            return Err(("key.value", "reads the request: whoever asks would choose the key".into()));
        }
        let message = Template::compile(&written.message).map_err(|error| ("message", error))?;
        let domain = Domain::compile(&message, lets).map_err(|error| ("message", error))?;
        Ok(Self { algorithm, key: (key.form, value), message, domain })
    }
}

fn one<T>(wrong: &mut Wrong, key: &str, result: Result<T, String>) -> Option<T> {
    result.map_err(|message| wrong.push((key.to_owned(), message))).ok()
}

fn equality(assert: &Assert) -> Result<(Template, Template), String> {
    Ok((Template::compile(&assert.left)?, Template::compile(&assert.right)?))
}

fn captured(text: &str) -> Result<Place, String> {
    let place: Place = text.parse()?;
    match is_of_request(&place) {
        true => Ok(place),
        false => Err(format!("{place} is nothing that a sender tells")),
    }
}

fn headers(written: &written::Respond) -> Result<Vec<(HeaderName, Template)>, String> {
    let mut headers = ack::headers(&written.headers)?;
    if let Some(kind) = &written.content_type {
        HeaderValue::from_str(kind).map_err(|_| format!("{kind:?} is not a content type"))?;
        if headers.iter().any(|(name, _)| name == CONTENT_TYPE) {
            return Err("content-type is there twice: as a header and as content_type".into());
        }
        headers.push((CONTENT_TYPE, Template::compile(kind)?));
    }
    Ok(headers)
}

/// The texts of the request that are answered or signed. A secret may only be part of a MAC.
fn echoed(
    headers: &[(HeaderName, Template)],
    body: Option<&Template>,
    mac: Option<&Mac>,
    lets: &BTreeMap<String, Named>,
) -> Result<Vec<Place>, String> {
    let mut all = Vec::new();
    for template in headers.iter().map(|(_, template)| template).chain(body) {
        let places = spoken(template, lets)?;
        if let Some(place) = places.iter().find(|place| matches!(place, Place::Secret(_))) {
            return Err(format!("{place} would be told to whoever asks: a secret may only be part of mac"));
        }
        all.extend(places);
    }
    if let Some(mac) = mac {
        all.extend(spoken(&mac.message, lets)?);
    }
    all.retain(is_of_request);
    let mut echoed: Vec<Place> = Vec::new();
    for place in all {
        if !echoed.contains(&place) {
            echoed.push(place);
        }
    }
    Ok(echoed)
}
