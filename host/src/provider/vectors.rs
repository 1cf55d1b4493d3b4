//! Signature vectors: published worked examples that a scheme must accept, and tampered copies that it must refuse.

mod given;
mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hookport_plugin_api::description::{Many, SettingValue};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::written::{Written, after_origin};
use super::ack::Outcome;
use super::compile::Provider;
use super::handshake::{Answer, Greeting, greet};
use super::moment;
use super::parse::Places;
use super::remote::Fetched;
use super::source::{Source, SourceParts};
use super::template::Lookup;
use super::token::{self, Token};
use super::verify::{Verified, verify_with};
use super::view::{Parsed, PublicUrl};
use crate::event::Data;
use crate::reason::Rejection;
use crate::request::Incoming;

/// One vector, as written.
#[derive(Debug, Clone, Deserialize)]
pub struct Vector {
    /// Whose.
    pub provider: String,
    /// A description's tables.
    pub scheme: Map<String, Value>,
    #[serde(default)]
    secret: Many<String>,
    #[serde(default)]
    secrets: BTreeMap<String, Many<String>>,
    public_key: Option<String>,
    #[serde(default)]
    config: BTreeMap<String, SettingValue>,
    request: Written,
    #[serde(default)]
    expected: Option<Value>,
    /// What `[decrypt]` must open, or a part of it.
    expected_plaintext: Option<String>,
    /// What the sender must be answered: the body of the answer.
    expected_response: Option<String>,
    expected_plaintext_contains: Option<String>,
    #[serde(default)]
    tamper: Option<Vec<String>>,
}

/// What running one gave; the error says what went wrong.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Whose.
    pub provider: String,
    /// How many tampered copies were refused.
    pub refused: usize,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Runs a vector: the request must verify, every tampered copy must not.
pub fn run(vector: &Vector, now: Timestamp) -> Ran {
    let mut refused = 0;
    let failure = check(vector, now, &mut refused).err();
    Ran { provider: vector.provider.clone(), refused, failure }
}

fn check(vector: &Vector, now: Timestamp, refused: &mut usize) -> Result<(), String> {
    let wanted = vector.expected.as_ref().is_none_or(|expected| expected == "valid" || expected == &json!(true));
    let source = source(vector, vector.keys())?;
    let request = vector.request.read()?;
    let at = signed_time(&source, &request).unwrap_or(now);
    let fetched = given::fetched(&vector.keys());
    let told = match (accepts(&source, request, &fetched, at), wanted) {
        (Err(why), true) => return Err(format!("refused: {why}")),
        (Ok(passed), true) => vector.said(&source, passed, at)?,
        (Ok(_), false) => return Err("accepted, and should have been refused".into()),
        (Err(_), false) => return Ok(()),
    };
    let default = vec!["body".to_owned()];
    for tamper in vector.tamper.as_ref().unwrap_or(&default) {
        let copy = Vector { request: vector.request.tampered(tamper)?, ..vector.clone() };
        if copy.accepted(copy.keys(), at, &told) {
            return Err(format!("the copy tampered by {tamper} was accepted"));
        }
        *refused += 1;
    }
    let other = vector.keys().into_iter().map(|(name, texts)| match vector.public_key.is_some() && name == "main" {
        true => (name, texts),
        false => (name, texts.iter().map(|text| changed(text)).collect()),
    });
    let other: BTreeMap<String, Vec<String>> = other.collect();
    if other != vector.keys() {
        if vector.accepted(other, at, &told) {
            return Err("accepted with another secret".into());
        }
        *refused += 1;
    }
    Ok(())
}

/// What passed.
enum Passed {
    Event(Box<Verified>),
    /// The body of the answer to a handshake.
    Handshake(Bytes),
}

fn accepts(source: &Source, request: Incoming, fetched: &Fetched, at: Timestamp) -> Result<Passed, String> {
    let words = |rejection: &Rejection| format!("{}: {}", rejection.reason, rejection.detail);
    let answered = |answer: Result<Answer, Rejection>| {
        answer.map(|answer| Passed::Handshake(answer.ack.body)).map_err(|rejection| words(&rejection))
    };
    match greet(source, &request) {
        Greeting::Answered(answer) => return answered(answer),
        Greeting::None if source.provider.unsigned().is_some() && !source.provider.handshakes.is_empty() => {
            return Err("no handshake of the scheme answers it".into());
        }
        Greeting::None | Greeting::Signed => {}
    }
    let mut verified = verify_with(source, &Arc::new(request), fetched, at).map_err(|rejection| words(&rejection))?;
    if let Some(answer) = verified.handshake.take() {
        return answered(answer);
    }
    match (&verified.stale, &verified.malformed, &verified.sealed) {
        (Some(stale), ..) => Err(words(stale)),
        (None, Some(what), _) => Err(format!("malformed: {what}")),
        (None, None, Some(what)) => Err(format!("sealed: {what}")),
        (None, None, None) => Ok(Passed::Event(Box::new(verified))),
    }
}

/// Another secret of the same shape: one letter or digit becomes its neighbour.
fn changed(secret: &str) -> String {
    let mut bytes = secret.as_bytes().to_vec();
    let at = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(at) {
        *byte = match *byte {
            b'0'..=b'8' | b'A'..=b'E' | b'a'..=b'e' | b'G'..=b'Y' | b'g'..=b'y' => *byte + 1,
            b'9' => b'8',
            _ => b'a',
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| format!("{secret}x"))
}

impl Vector {
    /// Every secret's values, by name.
    fn keys(&self) -> BTreeMap<String, Vec<String>> {
        let mut keys: BTreeMap<_, _> =
            self.secrets.iter().map(|(name, texts)| (name.clone(), texts.to_vec())).collect();
        let main =
            if self.secret.is_empty() { self.public_key.iter().cloned().collect() } else { self.secret.to_vec() };
        if !main.is_empty() {
            keys.insert("main".to_owned(), main);
        }
        keys
    }

    /// What the sender of the request is answered, where that is the point: as `expected_response` has it.
    fn said(&self, source: &Source, passed: Passed, at: Timestamp) -> Result<Option<Bytes>, String> {
        let (body, handshake) = match passed {
            Passed::Handshake(body) => (body, true),
            Passed::Event(verified) => {
                self.plaintext(&verified)?;
                (source.ack(Outcome::Accepted, verified.request(), at).body, false)
            }
        };
        match &self.expected_response {
            Some(expected) if expected.as_bytes() != body => {
                Err("answered otherwise than expected_response says".into())
            }
            _ => Ok(handshake.then_some(body)),
        }
    }

    /// What the request says, as `expected_plaintext` has it.
    fn plaintext(&self, verified: &Verified) -> Result<(), String> {
        let plain = match &verified.items[0].data {
            Data::Json(bytes) | Data::Bytes(bytes, _) => String::from_utf8_lossy(bytes).into_owned(),
            Data::None => String::new(),
        };
        let whole = self.expected_plaintext.as_ref().is_none_or(|expected| *expected == plain);
        match whole && self.expected_plaintext_contains.as_ref().is_none_or(|part| plain.contains(part)) {
            true => Ok(()),
            false => Err("opened to another plaintext than expected".into()),
        }
    }

    /// Whether the request passes with these keys; what cannot even be read does not, nor a handshake that is answered
    /// otherwise than `told`.
    fn accepted(&self, keys: BTreeMap<String, Vec<String>>, at: Timestamp, told: &Option<Bytes>) -> bool {
        let fetched = given::fetched(&keys);
        let (Ok(source), Ok(request)) = (source(self, keys), self.request.read()) else { return false };
        match accepts(&source, request, &fetched, at) {
            Ok(Passed::Handshake(body)) => told.as_ref() == Some(&body),
            Ok(Passed::Event(_)) => true,
            Err(_) => false,
        }
    }

    /// The scheme as a whole description: what is given and not declared is declared.
    fn description(&self, keys: &BTreeMap<String, Vec<String>>) -> Map<String, Value> {
        let mut scheme = self.scheme.clone();
        let unsigned = json!({ "alg": "none", "reason": "the vector signs nothing" });
        scheme.entry("verify").or_insert(unsigned);
        given::unchained(&mut scheme);
        let mut declare = |table: &str, name: &str, value: Value| {
            let table = scheme.entry(table).or_insert_with(|| json!({}));
            if let Some(table) = table.as_object_mut() {
                table.entry(name).or_insert(value);
            }
        };
        declare("provider", "id", json!("vector"));
        for name in keys.keys() {
            declare("secrets", name, json!({ "about": "given" }));
        }
        for (name, value) in &self.config {
            let kind = match value {
                SettingValue::Bool(_) => "bool",
                SettingValue::Int(_) => "int",
                SettingValue::String(_) => "string",
            };
            declare("settings", name, json!({ "about": "given", "type": kind }));
        }
        scheme
    }
}

/// A source made of the scheme and these keys.
fn source(vector: &Vector, keys: BTreeMap<String, Vec<String>>) -> Result<Source, String> {
    let scheme = vector.description(&keys);
    let mut unknown = Vec::new();
    let description =
        serde_ignored::deserialize(Value::Object(scheme), |path| unknown.push(path.to_string().replace(".?", "")));
    let description = description.map_err(|error| format!("the scheme cannot be read: {error}"))?;
    if !unknown.is_empty() {
        return Err(format!("the scheme has what this version does not know: {}", unknown.join(", ")));
    }
    let provider = Provider::compile(description, &Places::new("", "scheme"));
    let provider = provider.map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let url = &vector.request.url;
    let origin = match &url[..url.len() - after_origin(url).len()] {
        "" => "https://vector.invalid",
        origin => origin,
    };
    let parts = SourceParts {
        secrets: keys.into_iter().map(|(name, texts)| (name, texts.into_iter().map(Into::into).collect())).collect(),
        settings: vector.config.clone(),
        public_urls: vec![PublicUrl::parse(origin)?],
        ..SourceParts::default()
    };
    Source::build("vector", Arc::new(provider), parts).map_err(|wrong| wrong.join("; "))
}

/// The time that the request says it was signed at.
fn signed_time(source: &Source, request: &Incoming) -> Option<Timestamp> {
    let parsed = Parsed::new(request, source.provider.reads);
    let view = source.view(&parsed);
    let tables = &source.provider.tables;
    let texts: Vec<_> =
        tables.iter().flat_map(|table| table.texts(&view).into_iter().map(move |text| (table, text))).collect();
    let texts = texts.iter().filter_map(|(table, text)| Some((*table, std::str::from_utf8(text).ok()?)));
    let (tokens, others): (Vec<_>, Vec<_>) = texts.partition(|(table, _)| table.algorithm.token.is_some());
    let tokens: Vec<_> = tokens
        .into_iter()
        .flat_map(|(table, text)| {
            table.tokens(text).into_iter().filter_map(|text| Token::read(text, table.algorithm.token?).ok())
        })
        .collect();
    let claims: Vec<_> = tokens.iter().flat_map(Token::named).collect();
    let Some((place, formats)) = &source.provider.timestamp else { return token::moment(&claims) };
    let parts: Vec<_> = others.iter().map(|(table, text)| table.signatures(text, &[], &[]).0).collect();
    let named = parts.iter().flat_map(|parts| parts.named.iter().cloned());
    let sig: Vec<_> = claims.into_iter().chain(named).collect();
    let view = super::view::View { sig: &sig, ..view };
    let text = view.bytes(place)?;
    moment::read(std::str::from_utf8(&text).ok()?, formats)
}
