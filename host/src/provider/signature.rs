//! One of `[[verify]]`, compiled: where the signature is, how it is split and written, and which texts it may sign.

mod encoding;
mod split;

use std::borrow::Cow;
use std::str::FromStr;

use hookport_plugin_api::description::Verify;

use self::encoding::ENCODINGS;
pub use self::encoding::Encoding;
pub use self::split::{Part, Parts, Split};
use super::Few;
use super::algorithm::{self, Algorithm, KeyKind, Layout};
use super::condition::Condition;
use super::filter::Filter;
use super::key::KEY_FORMS;
use super::place::{Place, numbered};
use super::remote::{Origin, Remote};
use super::template::{Lookup, Template};
use super::view::View;

/// Signatures that are looked at in one text; a sender that rolls its keys sends a handful.
const MAX_SIGNATURES: usize = 32;
/// As many of an asymmetric scheme, where each costs a check of its own.
const MAX_ASYMMETRIC: usize = 8;

/// A compiled table; `alg = "none"` has none.
pub struct Table {
    /// Applies only where this holds.
    pub when: Option<Condition>,
    /// Where the signature is.
    pub from: Vec<Where>,
    /// How it is split.
    pub split: Split,
    /// Required before it, and removed.
    pub prefix: Option<String>,
    /// How it may be written; may read settings.
    pub encodings: Vec<Template>,
    /// Computes or checks it.
    pub algorithm: &'static Algorithm,
    /// The key's form and text.
    pub key: (String, Template),
    /// Where the key comes from when it is not configured.
    pub(super) remote: Option<Remote>,
    /// Of several keys in that text the one of this name.
    pub select: Option<Template>,
    /// What it may sign; a token signs itself.
    pub messages: Vec<Template>,
    /// What claims of a token must say.
    pub claims: Vec<(String, Template)>,
    /// How `r` and `s` of a curve's signature are laid out; may read settings.
    pub forms: Vec<Template>,
    /// SM2: the user id; may read settings.
    pub user_ids: Vec<Template>,
}

/// A place, and the filters that its text goes through before it is split: `header:signature|urldecode`.
pub struct Where {
    /// The place.
    pub place: Place,
    /// What its text goes through, in order.
    pub filters: Vec<Filter>,
}

impl FromStr for Where {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = text.split('|');
        let place = pieces.next().unwrap_or_default().parse()?;
        let filters = pieces.map(|name| Filter::named(name).ok_or_else(|| format!("{name:?} is not a filter")));
        Ok(Self { place, filters: filters.collect::<Result<_, _>>()? })
    }
}

impl Where {
    /// The texts there, filtered; what a filter cannot take is none.
    pub(super) fn read<'v>(&self, view: &'v View<'_>) -> Few<Cow<'v, [u8]>> {
        let mut texts = Few::new();
        self.read_into(view, &mut texts);
        texts
    }

    fn read_into<'v>(&self, view: &'v View<'_>, texts: &mut Few<Cow<'v, [u8]>>) {
        let mut take = |text: Cow<'v, [u8]>| {
            texts.extend(self.filters.iter().try_fold(text, |text, filter| filter.run(&text).map(Cow::Owned)));
        };
        let headers = &view.parsed.request.headers;
        match &self.place {
            Place::Header(name) => headers.get_all(name).iter().for_each(|value| take(value.as_bytes().into())),
            Place::HeaderSeq(prefix) => (1..=MAX_SIGNATURES)
                .map_while(|number| headers.get(numbered(prefix, number)?))
                .for_each(|value| take(value.as_bytes().into())),
            place => view.bytes(place).into_iter().for_each(take),
        }
    }
}

impl Table {
    /// Compiles one; complaints are by key.
    pub fn compile(written: &Verify) -> Result<Self, Vec<(&'static str, String)>> {
        let mut wrong = Vec::new();
        let algorithm = algorithm::named(&written.alg);
        let unknown = || {
            let names = algorithm::names();
            let near = super::complaint::did_you_mean(&written.alg, names.iter().copied());
            format!("{:?} is not an algorithm{near}; algorithms are none, {}", written.alg, names.join(", "))
        };
        let mut templates = |key, texts: &[String]| -> Vec<Template> {
            let compiled = texts.iter().map(|text| Template::compile(text));
            compiled.filter_map(|template| template.map_err(|error| wrong.push((key, error))).ok()).collect()
        };
        let messages = templates("message", &written.message);
        let claims = templates("claims", &written.claims.values().cloned().collect::<Vec<_>>());
        let claims = written.claims.keys().cloned().zip(claims).collect();
        let encodings = templates("encoding", &written.encoding);
        let forms = templates("form", &written.form);
        let user_ids = templates("user_id", &written.user_id);
        let keyless = algorithm.is_some_and(|algorithm| algorithm.key == KeyKind::None);
        let comes = written.key.as_ref().is_some_and(|key| key.fetch.is_some() || key.from.is_some());
        let value = written.key.as_ref().map_or("${secret}", |key| &key.value);
        let value = if comes || (keyless && written.key.is_none()) { "" } else { value };
        let value = templates("key.value", std::slice::from_ref(&value.to_owned())).pop();
        let select = written.key.as_ref().and_then(|key| key.select.clone());
        let select = templates("key.select", select.as_slice()).pop();
        let from = written
            .from
            .iter()
            .filter_map(|text| text.parse().map_err(|error| wrong.push(("from", error))).ok())
            .collect();
        let when = written
            .when
            .as_ref()
            .map(Condition::choosing)
            .transpose()
            .map_err(|error| wrong.push(("when", error)))
            .ok()
            .flatten();
        wrong.extend(algorithm.is_none().then(|| ("alg", unknown())));
        if written.from.is_empty() {
            wrong.push(("from", "missing: where is the signature? A header is written header:x-signature".into()));
        }
        if algorithm.is_some_and(|algorithm| algorithm.layouts.is_empty()) && !forms.is_empty() {
            wrong.push((
                "form",
                "is how a curve's signature is laid out: only with ecdsa-p256-sha256 and sm2-sm3".into(),
            ));
        }
        let word = |text: &&String| !text.contains("${");
        if let Some(text) = written.encoding.iter().filter(word).find(|text| Encoding::named(text).is_none()) {
            wrong.push(("encoding", format!("{text:?} is not an encoding: {ENCODINGS}")));
        }
        let token = algorithm.is_some_and(|algorithm| algorithm.token.is_some());
        wrong.extend(misplaced(written, token).map(|(key, why)| (key, why.to_owned())));
        let shared = algorithm.is_some_and(|algorithm| algorithm.name == "static");
        if written.message.is_empty() && !shared && !token {
            wrong.push(("message", "missing: which text is signed? The raw body is \"${body}\"".into()));
        }
        let public = algorithm.is_some_and(|algorithm| algorithm.key == KeyKind::Public);
        let form = written.key.as_ref().map(|key| key.form.clone()).filter(|form| !public || form != "utf8");
        let form = form.unwrap_or_else(|| if public { "pem".into() } else { "utf8".into() });
        if !KEY_FORMS.contains(&form.as_str()) {
            wrong.push(("key.form", format!("{form:?} is not a key form; forms are {}", KEY_FORMS.join(", "))));
        }
        if select.is_some() && !["x509_pem", "jwks"].contains(&form.as_str()) {
            wrong.push(("key.select", format!("chooses among certificates and JWKs: the form {form:?} is one key")));
        }
        let remote = written.key.as_ref().map(|key| Remote::compile(key, &form, algorithm));
        let remote = remote.transpose().map_err(|mut more| wrong.append(&mut more)).ok().flatten().flatten();
        match (algorithm, value) {
            (Some(algorithm), Some(value)) if wrong.is_empty() => Ok(Self {
                when,
                from,
                split: Split::new(written),
                prefix: written.prefix.clone(),
                encodings,
                algorithm,
                key: (form, value),
                remote,
                select,
                messages,
                claims,
                forms,
                user_ids,
            }),
            _ => Err(wrong),
        }
    }

    /// Whether it is meant for what the request says of itself.
    pub fn applies(&self, view: &View<'_>) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(view).is_ok())
    }

    /// Whether its key must be fetched.
    pub fn fetches(&self) -> bool {
        self.remote.as_ref().is_some_and(|remote| matches!(remote.origin, Origin::Fetched(_)))
    }

    /// The templates that the signature binds.
    pub fn bound(&self) -> impl Iterator<Item = &Template> {
        self.messages.iter().chain(self.claims.iter().map(|(_, template)| template))
    }

    /// The decoded signatures that a text of the request may hold, with its named parts.
    pub fn signatures<'t>(&self, text: &'t str, encodings: &[Encoding], forms: &[Layout]) -> (Parts<'t>, Few<Vec<u8>>) {
        let parts = self.split.apply(text);
        let most = if self.algorithm.key == KeyKind::Public { MAX_ASYMMETRIC } else { MAX_SIGNATURES };
        let mut signatures = Few::new();
        for candidate in self.bare(&parts) {
            for bytes in encodings.iter().filter_map(|encoding| encoding.decode(candidate)) {
                match forms {
                    [] => signatures.push(bytes),
                    forms => signatures.extend(forms.iter().filter_map(|form| form.plain(&bytes))),
                }
            }
            if signatures.len() >= most {
                break;
            }
        }
        signatures.truncate(most);
        (parts, signatures)
    }

    /// The tokens that a text of the request may hold.
    pub fn tokens<'t>(&self, text: &'t str) -> Vec<&'t str> {
        self.bare(&self.split.apply(text)).take(MAX_ASYMMETRIC).collect()
    }

    /// The candidates without the prefix; those that lack it are none.
    fn bare<'t>(&self, parts: &Parts<'t>) -> impl Iterator<Item = &'t str> {
        parts.candidates.iter().filter_map(|candidate| match &self.prefix {
            Some(prefix) => candidate.strip_prefix(prefix.as_str()),
            None => Some(*candidate),
        })
    }

    /// The texts in the request that hold signatures; a header that comes twice holds two.
    pub fn texts<'v>(&self, view: &'v View<'_>) -> Few<Cow<'v, [u8]>> {
        let mut texts = Few::new();
        self.from.iter().for_each(|from| from.read_into(view, &mut texts));
        texts.retain(|text| !text.is_empty());
        texts
    }
}

/// Words of a table that mean nothing beside its algorithm.
fn misplaced(written: &Verify, token: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let signed = "a token signs itself: what it must say is under claims";
    let wrong = [
        (token && !written.message.is_empty(), "message", signed),
        (token && !written.encoding.is_empty(), "encoding", "a token is always written in base64url"),
        (!token && !written.claims.is_empty(), "claims", "are what a token says: only with alg = \"jwt-...\""),
    ];
    wrong.into_iter().filter(|(applies, ..)| *applies).map(|(_, key, why)| (key, why))
}
