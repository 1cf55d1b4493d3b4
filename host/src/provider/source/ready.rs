//! A table made ready for one source: its keys, its settings, and every way to take the secrets that its texts read.

use crate::provider::algorithm::{Layout, Scheme};
use crate::provider::certificate::{Anchors, same_id};
use crate::provider::key::{self, KeyText};
use crate::provider::named::Named;
use crate::provider::place::Place;
use crate::provider::signature::{Encoding, Table};
use crate::provider::source::Source;
use crate::provider::template::Template;
use crate::provider::view::{Parsed, Reads, View};
use crate::request::Incoming;

/// A table with this source's keys and settings.
pub(in crate::provider) struct Ready {
    pub(in crate::provider) encodings: Vec<Encoding>,
    pub(in crate::provider) layouts: Vec<Layout>,
    /// Empty where an optional key is not set, or comes with the request.
    pub(in crate::provider) keys: Vec<ReadyKey>,
    /// What certificates that come with a request must chain to.
    pub(in crate::provider) anchors: Anchors,
    /// Every way to take the secrets that messages and asserts read besides the key.
    pub(in crate::provider) ways: Vec<Vec<(String, usize)>>,
    pub(in crate::provider) reads_url: bool,
}

impl Ready {
    /// Whether nothing can prove itself by the table: the key, or the roots of one that comes, are not configured.
    pub(in crate::provider) fn is_closed(&self, table: &Table) -> bool {
        match (&table.remote, &self.anchors) {
            (None, _) => self.keys.is_empty(),
            (Some(_), Anchors::Pinned(roots)) => roots.is_empty(),
            (Some(_), _) => false,
        }
    }
}

/// A key, with which of each secret's values it was made.
pub(in crate::provider) struct ReadyKey {
    pub(in crate::provider) chosen: Vec<(String, usize)>,
    /// Its name among several in one text.
    pub(in crate::provider) id: Option<String>,
    pub(in crate::provider) scheme: Box<dyn Scheme>,
}

impl ReadyKey {
    /// Whether the request's own name for a key is this one's.
    pub(in crate::provider) fn is_named(&self, name: &[u8]) -> bool {
        self.id.as_ref().is_some_and(|id| same_id(id, name))
    }
}

impl Source {
    pub(super) fn ready(&self, table: &Table) -> Result<Ready, String> {
        let nothing = Incoming::nothing();
        let parsed = Parsed::new(&nothing, Reads::default());
        let texts = |templates: &[Template]| -> Result<Vec<String>, String> {
            let rendered = templates.iter().map(|template| template.render(&self.view(&parsed)));
            rendered
                .map(|text| {
                    text.map(|text| String::from_utf8_lossy(&text).into_owned()).map_err(|unfit| unfit.to_string())
                })
                .collect()
        };
        let encoding = if table.algorithm.name == "static" { &[Encoding::Utf8][..] } else { &[Encoding::Hex] };
        let encodings = resolve(
            &texts(&table.encodings)?,
            encoding,
            Encoding::named,
            "encoding: hex, base64, base64url, utf8, either",
        )?;
        let layouts = resolve(&texts(&table.forms)?, table.algorithm.layouts, Layout::named, "form: der, raw")?;
        let user_ids = Some(texts(&table.user_ids)?)
            .filter(|ids| !ids.is_empty())
            .unwrap_or_else(|| vec![key::SM2_USER_ID.into()]);
        let key_secrets = self.secrets_in(self.provider.reach(table.key.1.places()));
        let read = table.bound().chain(self.provider.asserts.iter().flat_map(|(left, right)| [left, right]));
        let places = self.provider.reach(read.flat_map(Template::places));
        // One that is not configured is missing from the text, and takes its group with it.
        let configured = |name: &String| self.secrets.get(name).is_some_and(|values| !values.is_empty());
        let secrets = self.secrets_in(places.clone()).into_iter();
        let secrets: Vec<_> = secrets.filter(|name| !key_secrets.contains(name) && configured(name)).collect();
        let ways = self.combinations(&secrets);
        let mut keys = Vec::new();
        let choices = if table.remote.is_none() { self.combinations(&key_secrets) } else { Vec::new() };
        for chosen in choices {
            let secrets = self.chosen(&chosen);
            let view = View { secrets: &secrets, ..self.view(&parsed) };
            let text = table.key.1.render(&view).map_err(|unfit| format!("key: {unfit}"))?;
            for user_id in &user_ids {
                let made = key::prepare(table.algorithm, &KeyText { form: &table.key.0, text: &text, user_id });
                let name = key_secrets.first().map_or("key".into(), |name| format!("secrets.{name}"));
                let made = made.map_err(|error| format!("{name}: {error}"))?;
                keys.extend(made.into_iter().map(|made| ReadyKey {
                    chosen: chosen.clone(),
                    id: made.id,
                    scheme: made.scheme,
                }));
            }
        }
        let reads_url = places.iter().any(|place| match place {
            Place::Url | Place::UrlTarget | Place::UrlPath => true,
            // Its code is told the URL.
            Place::Let(name) => self.provider.lets.get(name).is_some_and(Named::is_code),
            _ => false,
        });
        if self.urls.is_empty() && places.contains(&&Place::Url) {
            return Err("the sender signs the URL: set server.public_url, or public_url of the source".into());
        }
        Ok(Ready { encodings, layouts, keys, anchors: self.anchors(table)?, ways, reads_url })
    }
}

fn resolve<T: Copy + 'static>(
    texts: &[String],
    default: &[T],
    named: fn(&str) -> Option<&'static [T]>,
    known: &str,
) -> Result<Vec<T>, String> {
    if texts.is_empty() {
        return Ok(default.to_vec());
    }
    let lists = texts.iter().map(|text| named(text).ok_or_else(|| format!("{text:?} is not a known {known}")));
    lists.collect::<Result<Vec<_>, _>>().map(|lists| lists.concat())
}
