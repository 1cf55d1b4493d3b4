//! A token made anew: the claims of the sample's own, those that the description wants, and times of now.

use std::collections::BTreeMap;

use base64::alphabet;
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use super::super::filter::lenient_base64;
use super::super::json::write_string;
use super::super::place::Place;
use super::super::signature::{Encoding, Table};
use super::super::source::Source;
use super::super::token::numeric_date;
use super::{SignError, edit, layout, stamp};
use crate::request::Incoming;

/// How long a token holds whose sample does not say.
const HOLDS: SignedDuration = SignedDuration::from_mins(5);

/// A member's JSON text by its name.
type Members = BTreeMap<String, Box<RawValue>>;

/// Header and claims, which nobody has signed.
#[derive(Default)]
pub(super) struct Draft {
    header: Members,
    claims: Members,
}

impl Draft {
    /// Of the sample; empty where it holds no token yet.
    pub(super) fn of(source: &Source, table: &Table, request: &Incoming) -> Self {
        let text = layout::current(source, table, request);
        table.tokens(&text).first().and_then(|token| Self::read(token)).unwrap_or_default()
    }

    /// Of a token, whoever signed it.
    pub(super) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.').map(|part| {
            let json = lenient_base64(part.as_bytes(), &alphabet::URL_SAFE)?;
            serde_json::from_slice::<Members>(&json).ok()
        });
        Some(Self { header: parts.next()??, claims: parts.next()?? })
    }

    /// Names the algorithm, and the key where the sample names none.
    pub(super) fn signed_with(&mut self, algorithm: &str, kid: Option<&str>) {
        self.header.insert("alg".into(), text(algorithm));
        self.header.entry("typ".into()).or_insert_with(|| text("JWT"));
        if let Some(kid) = kid {
            self.header.entry("kid".into()).or_insert_with(|| text(kid));
        }
    }

    /// Sets a claim, unless it says so already or is a list that does; truth and numbers stay what they are.
    pub(super) fn claim(&mut self, name: &str, wanted: &str) {
        let json = text(wanted);
        let says = |old: &RawValue| {
            let list = || serde_json::from_str::<Vec<Box<RawValue>>>(old.get()).unwrap_or_default();
            old.get() == json.get() || old.get() == wanted || list().iter().any(|one| one.get() == json.get())
        };
        if self.claims.get(name).is_some_and(|old| says(old)) {
            return;
        }
        let bare = match self.claims.get(name).map(|old| old.get()) {
            Some(old) => !old.starts_with(['"', '[', '{']),
            None => matches!(wanted, "true" | "false"),
        };
        let raw = RawValue::from_string(wanted.to_owned()).ok().filter(|_| bare);
        self.claims.insert(name.to_owned(), raw.unwrap_or(json));
    }

    /// Moves every time that the token says, so that it was made now; where it must say one it does.
    pub(super) fn renew(&mut self, source: &Source, now: Timestamp) {
        let made = self.time("iat").or_else(|| self.time("nbf"));
        let made = made.or_else(|| self.time("exp").map(|until| until - HOLDS)).unwrap_or(now);
        self.shift(now.duration_since(made));
        if source.provider.window {
            self.claims.entry("exp".into()).or_insert_with(|| number(now + HOLDS));
        }
        if let Some((Place::Claim(name), formats)) = &source.provider.timestamp {
            let old = self.claims.get(name).map(|old| old.get().trim_matches('"').to_owned());
            let new = stamp::write(now, &stamp::format(old.as_deref(), formats));
            let digits = new.bytes().all(|byte| byte.is_ascii_digit());
            let json =
                if digits { RawValue::from_string(new.clone()).unwrap_or_else(|_| text(&new)) } else { text(&new) };
            self.claims.insert(name.clone(), json);
        }
    }

    /// Moves `iat`, `nbf` and `exp`.
    pub(super) fn shift(&mut self, by: SignedDuration) {
        for name in ["iat", "nbf", "exp"] {
            if let Some(time) = self.time(name).and_then(|time| time.checked_add(by).ok()) {
                self.claims.insert(name.into(), number(time));
            }
        }
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        numeric_date(self.claims.get(name)?.get())
    }

    /// What is signed.
    pub(super) fn written(&self) -> String {
        let part = |members: &Members| {
            let json = serde_json::to_vec(members).unwrap_or_default();
            Encoding::Base64Url.encode(&json)
        };
        format!("{}.{}", part(&self.header), part(&self.claims))
    }
}

fn text(text: &str) -> Box<RawValue> {
    let mut json = Vec::with_capacity(text.len() + 2);
    write_string(text.as_bytes(), &mut json);
    let json = String::from_utf8(json).unwrap_or_default();
    RawValue::from_string(json).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn number(time: Timestamp) -> Box<RawValue> {
    let seconds = time.as_second().to_string();
    RawValue::from_string(seconds).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// What a claim of the sample's token says.
pub(super) fn claim(source: &Source, request: &Incoming, name: &str) -> Option<String> {
    let table = tables(source).next()?;
    let draft = Draft::of(source, table, request);
    let json = draft.claims.get(name)?.get();
    Some(serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()))
}

/// Sets a claim of the sample's token, which is then nobody's until it is signed.
pub(super) fn put(source: &Source, request: &mut Incoming, name: &str, wanted: &str) -> Result<(), SignError> {
    let Some(table) = tables(source).next() else { return Ok(()) };
    let mut draft = Draft::of(source, table, request);
    draft.claim(name, wanted);
    let place = layout::place(source, table, request);
    let token = format!("{}.", draft.written());
    edit::put(request, &place, &layout::unfiltered(table, &place, layout::compose(table, &[], &token)))
}

fn tables(source: &Source) -> impl Iterator<Item = &Table> {
    source.provider.tables.iter().filter(|table| table.algorithm.token.is_some())
}
