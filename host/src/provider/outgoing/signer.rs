//! One of `[[sign]]`, compiled, and made ready with a source's key.

use hookport_plugin_api::description::{Set, Sign};

use super::super::algorithm::{self, Algorithm, KeyKind, Layout, Scheme};
use super::super::complaint::did_you_mean;
use super::super::condition::Condition;
use super::super::key::{KEY_FORMS, KeyText};
use super::super::place::Place;
use super::super::sign::{PrivateKey, edit};
use super::super::signature::Encoding;
use super::super::source::Source;
use super::super::template::Template;
use super::super::view::{Parsed, Reads, View};
use super::draft::header_name;
use super::fresh::Fresh;
use crate::request::Incoming;

/// What complaints name: a key and what is wrong with it.
pub(super) type Wrong = Vec<(String, String)>;

/// A compiled table.
pub(super) struct Signer {
    /// Its key in the description.
    pub(super) at: String,
    pub(super) when: Option<Condition>,
    pub(super) algorithm: &'static Algorithm,
    key: (String, Template),
    pub(super) messages: Vec<Template>,
    encoding: Template,
    layout: Template,
    user_id: Template,
    prefix: Template,
    value: Option<Template>,
    pub(super) to: Place,
    /// In the order in which they are written.
    pub(super) set: Vec<(Place, Value)>,
    pub(super) fresh: Fresh,
    /// The part of the signature's own text that is `${now}`: `t` of `t=1717243200,v1=...`.
    pub(super) stamp: Option<String>,
    pub(super) reads: Reads,
}

/// What is written at a place.
pub(super) enum Value {
    Text(Template),
    Json(Template),
}

/// A table with this source's key.
pub(in crate::provider) struct ReadySigner {
    encoding: Encoding,
    layout: Layout,
    user_id: String,
    maker: Maker,
}

enum Maker {
    Scheme(Box<dyn Scheme>),
    Private(PrivateKey),
}

impl Value {
    pub(super) fn template(&self) -> &Template {
        match self {
            Self::Text(template) | Self::Json(template) => template,
        }
    }
}

impl Signer {
    /// Compiles one; complaints are by key. `plain` are places that are numbers or `true` and `false`.
    pub(super) fn compile(written: &Sign, plain: &dyn Fn(&Place) -> bool) -> Result<Self, Wrong> {
        let mut wrong = Wrong::new();
        let algorithm = algorithm(&written.alg).map_err(|error| wrong.push(("alg".into(), error))).ok();
        let keyless = algorithm.is_some_and(|algorithm| algorithm.key == KeyKind::None);
        let public = algorithm.is_some_and(|algorithm| algorithm.key == KeyKind::Public);
        let mut template =
            |key: &str, text: &str| Template::compile(text).map_err(|error| wrong.push((key.to_owned(), error))).ok();
        let key = written.key.clone().unwrap_or_default();
        let value = if keyless {
            ""
        } else if key.value.is_empty() {
            "${secret}"
        } else {
            &key.value
        };
        let value = template("key.value", value);
        let messages: Vec<_> = written.message.iter().filter_map(|text| template("message", text)).collect();
        let encoding = written.encoding.as_deref();
        let token = algorithm.is_some_and(|algorithm| algorithm.name == "static");
        let texts = [
            template("encoding", encoding.unwrap_or(if token { "utf8" } else { "hex" })),
            template("form", written.form.as_deref().unwrap_or("der")),
            template("user_id", written.user_id.as_deref().unwrap_or("1234567812345678")),
            template("prefix", written.prefix.as_deref().unwrap_or_default()),
        ];
        let whole = written.value.as_deref().map(|text| template("value", text));
        let form = if key.form.is_empty() || (public && key.form == "utf8") { default_form(public) } else { &key.form };
        if !KEY_FORMS.contains(&form) {
            wrong.push(("key.form".into(), format!("{form:?} is not a key form; forms are {}", KEY_FORMS.join(", "))));
        }
        if key.select.is_some() || key.fetch.is_some() || key.from.is_some() || key.chain.is_some() {
            wrong.push(("key".into(), "signs with a key of ours: only `form` and `value`".into()));
        }
        if written.value.is_some() && (written.prefix.is_some() || encoding.is_some()) {
            wrong.push((
                "value".into(),
                "is all that is written: `prefix` and `encoding` have no effect beside it".into(),
            ));
        }
        if written.message.is_empty() && !token {
            wrong.push(("message".into(), "missing: which text is signed? The body is \"${body}\"".into()));
        }
        if let Some(name) = encoding.filter(|name| !name.contains("${") && Encoding::named(name).is_none()) {
            wrong.push(("encoding".into(), format!("{name:?} is none of hex, base64, base64url, utf8")));
        }
        let when = written.when.as_ref().map(Condition::compile).transpose();
        let when = when.map_err(|error| wrong.push(("when".into(), error))).ok().flatten();
        let fresh = Fresh::compile(written.now.as_ref(), written.nonce.as_ref());
        let fresh = fresh.map_err(|(key, error)| wrong.push((key.into(), error))).unwrap_or_default();
        let to = writable(&written.to).map_err(|error| wrong.push(("to".into(), error))).ok();
        let set = set(written, plain, &mut wrong);
        match (algorithm, value, texts, to) {
            (Some(algorithm), Some(value), [Some(encoding), Some(layout), Some(user_id), Some(prefix)], Some(to))
                if wrong.is_empty() =>
            {
                let (key, value, reads) = ((form.to_owned(), value), whole.flatten(), Reads::default());
                Ok(Self {
                    at: String::new(),
                    when,
                    algorithm,
                    key,
                    messages,
                    encoding,
                    layout,
                    user_id,
                    prefix,
                    value,
                    to,
                    set,
                    fresh,
                    stamp: None,
                    reads,
                })
            }
            _ => Err(wrong),
        }
    }

    /// The key's template.
    pub(super) fn key(&self) -> &Template {
        &self.key.1
    }

    /// Every place that it reads, with the key of the template.
    pub(super) fn places(&self) -> Vec<(String, &Place)> {
        let mut all: Vec<(String, &Template)> = vec![
            ("key.value".into(), &self.key.1),
            ("encoding".into(), &self.encoding),
            ("form".into(), &self.layout),
            ("user_id".into(), &self.user_id),
            ("prefix".into(), &self.prefix),
        ];
        all.extend(self.messages.iter().map(|template| ("message".into(), template)));
        all.extend(self.value.iter().map(|template| ("value".into(), template)));
        all.extend(self.set.iter().map(|(place, value)| (format!("set.{place}"), value.template())));
        let when = self.when.iter().flat_map(Condition::places).map(|place| ("when".to_owned(), place));
        let places = all
            .into_iter()
            .flat_map(|(key, template)| template.places().into_iter().map(move |place| (key.clone(), place)));
        places.chain(when).collect()
    }

    /// Makes it ready; none where the secret of its key is not configured.
    pub(super) fn ready(&self, source: &Source) -> Result<Option<ReadySigner>, String> {
        let names = source.secrets_in(source.provider.reach(self.key.1.places()));
        let secrets = source.first_secrets();
        if names.iter().any(|name| !secrets.iter().any(|(known, _)| known == name)) {
            return Ok(None);
        }
        let nothing = Incoming::nothing();
        let parsed = Parsed::new(&nothing, Reads::default());
        let view = View { secrets: &secrets, ..source.view(&parsed) };
        let text = |template: &Template| {
            let rendered = template.render(&view).map_err(|unfit| unfit.to_string())?;
            String::from_utf8(rendered).map_err(|_| "not UTF-8".to_owned())
        };
        let encoding = named(&text(&self.encoding)?, Encoding::named, "encoding: hex, base64, base64url, utf8")?;
        let layout = named(&text(&self.layout)?, Layout::named, "form: der, raw")?;
        let user_id = text(&self.user_id)?;
        let key = self.key.1.render(&view).map_err(|unfit| format!("key: {unfit}"))?;
        let place = names.first().map_or("key".into(), |name| format!("secrets.{name}"));
        let maker = self.maker(&key, &user_id).map_err(|error| format!("{place}: {error}"))?;
        let ready = ReadySigner { encoding, layout, user_id, maker };
        ready.sign(self.algorithm, b"").map_err(|error| format!("{place}: {error}"))?;
        Ok(Some(ready))
    }

    fn maker(&self, key: &[u8], user_id: &str) -> Result<Maker, String> {
        if self.algorithm.key == KeyKind::Public {
            let text = std::str::from_utf8(key).map_err(|_| "the key is not text")?;
            return PrivateKey::read(text).map(Maker::Private);
        }
        (self.algorithm.prepare)(&KeyText { form: &self.key.0, text: key, user_id }).map(Maker::Scheme)
    }

    /// What is written, of a signature's bytes.
    pub(super) fn text(&self, ready: &ReadySigner, view: &View<'_>, mac: &[u8]) -> Result<String, String> {
        let own: Vec<_> = view.own.iter().copied().chain([("mac", mac)]).collect();
        let view = View { own: &own, ..*view };
        let text = match &self.value {
            Some(value) => value.render(&view).map_err(|unfit| unfit.to_string())?,
            None => {
                let mut text = self.prefix.render(&view).map_err(|unfit| unfit.to_string())?;
                text.extend_from_slice(ready.encoding.encode(mac).as_bytes());
                text
            }
        };
        String::from_utf8(text).map_err(|_| "what is written as the signature is not UTF-8".into())
    }
}

impl ReadySigner {
    /// The signature of a message.
    pub(super) fn sign(&self, algorithm: &Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        match &self.maker {
            Maker::Private(key) => key.sign(algorithm.name, Some(&self.user_id), self.layout, message),
            Maker::Scheme(scheme) => {
                scheme.expected(message).ok_or_else(|| format!("{} makes no signature", algorithm.name))
            }
        }
    }
}

fn algorithm(name: &str) -> Result<&'static Algorithm, String> {
    let names = || algorithm::names().into_iter().filter(|name| !name.starts_with("jwt-"));
    match algorithm::named(name) {
        Some(algorithm) if !name.starts_with("jwt-") => Ok(algorithm),
        Some(_) => Err(format!("{name:?} is a token's algorithm; what signs requests is {}", list(names()))),
        None if name == "none" => Err("\"none\" signs nothing: leave the table out, or write sign = []".into()),
        None => Err(format!(
            "{name:?} is not an algorithm{}; algorithms are {}",
            did_you_mean(name, names()),
            list(names())
        )),
    }
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn default_form(public: bool) -> &'static str {
    if public { "pem" } else { "utf8" }
}

fn named<T: Copy + 'static>(text: &str, named: fn(&str) -> Option<&'static [T]>, known: &str) -> Result<T, String> {
    named(text).and_then(<[T]>::first).copied().ok_or_else(|| format!("{text:?} is not a known {known}"))
}

/// A place that a request has room for.
fn writable(text: &str) -> Result<Place, String> {
    let place: Place = text.parse()?;
    match &place {
        Place::Header(name) => header_name(name.as_str()).map(|_| place),
        _ if edit::writable(&place) => Ok(place),
        _ => Err(format!(
            "{place} cannot be written; header:NAME, query:NAME, form:NAME, xml:NAME and json:/pointer can"
        )),
    }
}

fn set(written: &Sign, plain: &dyn Fn(&Place) -> bool, wrong: &mut Wrong) -> Vec<(Place, Value)> {
    let mut set = Vec::new();
    for (text, value) in &written.set {
        let made = writable(text).and_then(|place| match value {
            Set::Text(text) => Ok((place, Value::Text(Template::compile(text)?))),
            Set::Json(_) if !matches!(place, Place::Json(_)) => Err("{ json = ... } is for places json:/ only".into()),
            Set::Json(text) => Ok((place, Value::Json(Template::compile(text)?.of_json(plain)?))),
        });
        set.extend(made.map_err(|error| wrong.push((format!("set.{text}"), error))).ok());
    }
    // A header may be a digest of the body.
    set.sort_by_key(|(place, _)| match place {
        Place::Json(_) | Place::Xml(_) | Place::Form(_) => 0,
        Place::Query(_) => 1,
        _ => 2,
    });
    set
}
