//! Keys that come with a request: fetched from a URL that it names, or carried in it. Pure: who fetches, and how long
//! what was fetched is kept, is left to `keys`.

mod pin;
mod rule;

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::ExposeSecret;

pub(super) use self::pin::glob;
pub(super) use self::rule::{Origin, Remote};
use super::algorithm::Algorithm;
use super::certificate::{self, Anchors, Chain, Trust};
use super::jwks;
use super::key::{self, KeyText, Prepared};
use super::signature::{Table, Where};
use super::source::{Ready, ReadyKey, Source};
use super::token::Token;
use super::view::{Parsed, View};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// A text with keys that a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteKey {
    /// https, and pinned by the description.
    pub url: String,
    /// What is there.
    pub kind: RemoteKind,
}

/// What a text with keys is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteKind {
    /// Certificates, or one public key.
    Certificates,
    /// A JWK set, and the key of it that the request names.
    KeySet(Option<String>),
}

impl RemoteKey {
    /// Whether a text that was fetched before will do; if not, the sender may have rolled its keys since.
    pub fn is_in(&self, text: &[u8]) -> bool {
        match &self.kind {
            RemoteKind::Certificates | RemoteKind::KeySet(None) => true,
            RemoteKind::KeySet(Some(kid)) => {
                let keys = jwks::keys(text).unwrap_or_default();
                keys.iter().filter_map(|key| key.id.as_ref()).any(|id| certificate::same_id(id, kid.as_bytes()))
            }
        }
    }
}

/// What was fetched for a request, by URL; or why it could not be.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    by_url: HashMap<String, Result<Bytes, String>>,
    given: Option<Bytes>,
    unchecked: bool,
}

impl Fetched {
    /// What came of a URL.
    pub fn with(mut self, url: String, came: Result<Bytes, String>) -> Self {
        self.by_url.insert(url, came);
        self
    }

    /// For looking at a request later and elsewhere: this text stands for whatever would be fetched, and no certificate
    /// is asked whose it is.
    pub fn given(text: Option<Bytes>) -> Self {
        Self { given: text, unchecked: true, ..Self::default() }
    }

    /// What came of a URL; nothing if nobody asked.
    pub fn at(&self, url: &str) -> Option<&Result<Bytes, String>> {
        self.by_url.get(url)
    }

    fn text(&self, url: &str, host: &str) -> Result<&Bytes, Rejection> {
        let why = match (&self.given, self.at(url)) {
            (Some(given), _) | (None, Some(Ok(given))) => return Ok(given),
            (None, Some(Err(why))) => why.as_str(),
            (None, None) => "nothing was fetched",
        };
        Err(Rejection::new(Reason::Unavailable, format!("the key at {host} cannot be had: {why}")))
    }
}

impl Source {
    /// Whether there may be anything to fetch.
    pub fn fetches(&self) -> bool {
        self.provider.tables.iter().any(Table::fetches)
    }

    /// What must be fetched before the request can be verified; nothing for a request that could not be its provider's.
    pub fn wants(&self, request: &Incoming) -> Vec<RemoteKey> {
        let tables = || self.provider.tables.iter().filter(|table| table.fetches());
        if !self.fetches() || self.provider.headers.iter().any(|rule| rule.check(&request.headers).is_err()) {
            return Vec::new();
        }
        let parsed = Parsed::new(request, self.provider.reads);
        let view = self.view(&parsed);
        let mut wanted: Vec<RemoteKey> = Vec::new();
        for table in tables().filter(|table| table.applies(&view)) {
            let key = table.remote.as_ref().and_then(|remote| remote.wants(table, &view));
            wanted.extend(key.filter(|key| !wanted.contains(key)));
        }
        wanted
    }
}

impl Source {
    /// The roots that certificates of a table must chain to.
    pub(super) fn anchors(&self, table: &Table) -> Result<Anchors, String> {
        let chain = table.remote.as_ref().and_then(|remote| remote.trust.chain.as_ref());
        let name = match chain {
            None => return Ok(Anchors::None),
            Some(Chain::WebPki) => return Ok(Anchors::WebPki),
            Some(Chain::Secret(name)) => name,
        };
        let mut pinned = Vec::new();
        for text in self.secrets.get(name).into_iter().flatten() {
            let roots = certificate::roots(text.expose_secret().as_bytes());
            pinned.extend(roots.map_err(|error| format!("secrets.{name}: {error}"))?);
        }
        Ok(Anchors::Pinned(pinned))
    }
}

impl Remote {
    /// What the key goes by that nothing configures: the field that carries it, or what is fetched.
    pub(super) fn name(&self, table: &Table) -> String {
        let carried = match &self.origin {
            Origin::Carried(from) => from.place.to_string(),
            Origin::Fetched(_) if table.key.0 == "jwks" => "jwks".into(),
            Origin::Fetched(_) => "certificate".into(),
        };
        carried.rsplit([':', '/']).next().unwrap_or_default().to_owned()
    }

    fn wants(&self, table: &Table, view: &View<'_>) -> Option<RemoteKey> {
        let Origin::Fetched(fetch) = &self.origin else { return None };
        let texts = table.texts(view);
        let text =
            texts.iter().find_map(|text| std::str::from_utf8(text).ok().filter(|text| !text.trim().is_empty()))?;
        let (url, _) = fetch.url(view).ok()?;
        let kid = || {
            let token = Token::read(table.tokens(text).first()?, table.algorithm.token?).ok()?;
            token.kid
        };
        let named = table.select.as_ref().and_then(|select| String::from_utf8(select.render(view).ok()?).ok());
        let kind = match table.key.0.as_str() {
            "jwks" => RemoteKind::KeySet(named.or_else(kid)),
            _ => RemoteKind::Certificates,
        };
        Some(RemoteKey { url, kind })
    }

    /// The keys that the request may be signed with.
    pub(super) fn keys(
        &self,
        table: &Table,
        ready: &Ready,
        view: &View<'_>,
        fetched: &Fetched,
        now: Timestamp,
    ) -> Result<Vec<ReadyKey>, Rejection> {
        let text: Cow<'_, [u8]> = match &self.origin {
            Origin::Fetched(fetch) => {
                let (url, host) = fetch.url(view).map_err(|why| Rejection::new(Reason::SignatureMismatch, why))?;
                Cow::Borrowed(fetched.text(&url, &host)?)
            }
            Origin::Carried(from) => carried(from, view)?,
        };
        let select = table.select.as_ref().map(|select| select.render(view).unwrap_or_default());
        let form = Some(&*table.key.0).filter(|_| !fetched.unchecked).unwrap_or_else(|| shape(&text));
        let key = KeyText { form, text: &text, user_id: key::SM2_USER_ID };
        let keys = match key.form {
            "x509_pem" if !fetched.unchecked => {
                certified(table.algorithm, &key, select.as_deref(), &self.trust, &ready.anchors, now)
            }
            _ => key::prepare(table.algorithm, &key),
        };
        let ready = |key: Prepared| ReadyKey { chosen: Vec::new(), id: key.id, scheme: key.scheme };
        let keys = keys.map(|keys| keys.into_iter().map(ready).collect());
        keys.map_err(|why| Rejection::new(Reason::SignatureMismatch, why))
    }
}

fn certified(
    algorithm: &Algorithm,
    key: &KeyText<'_>,
    serial: Option<&[u8]>,
    trust: &Trust,
    anchors: &Anchors,
    now: Timestamp,
) -> Result<Vec<Prepared>, String> {
    let held = certificate::trusted(key.text, serial, trust, anchors, now)?;
    key::prepared(algorithm, key, held).map(|key| vec![key])
}

/// The form of a key that is given in place of one that would be fetched.
fn shape(text: &[u8]) -> &'static str {
    let holds = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    match text.trim_ascii_start().first() {
        Some(b'{') => "jwks",
        _ if holds(b"-----BEGIN CERTIFICATE") => "x509_pem",
        _ if holds(b"-----BEGIN") => "pem",
        _ => "spki_base64",
    }
}

fn carried<'v>(from: &Where, view: &'v View<'_>) -> Result<Cow<'v, [u8]>, Rejection> {
    let text = from.read(view).into_iter().next().filter(|text| !text.is_empty());
    let missing = || Rejection::new(Reason::SignatureMissing, format!("no certificate in {}", from.place));
    text.ok_or_else(missing)
}
