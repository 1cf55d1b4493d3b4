//! Signed texts that a plugin's code writes, because the grammar cannot. The code is given from outside and asked once for each
//! request and form of its URL; what it writes is only ever compared with a signature here, where the keys are.
//!
//! A request of which a text was asked for and did not come is never accepted, whatever else would match.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hookport_plugin_api::description::Code;

use super::check::Check;
use super::compile::{Provider, reach};
use super::named::Named;
use super::place::Place;
use super::template::{Lookup, Template, Unfit};
use super::view::View;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// What writes a provider's signed texts.
pub trait SignedTexts: fmt::Debug + Send + Sync {
    /// The text; the same for the same question.
    fn text(&self, asked: &Asked<'_>) -> Result<Vec<u8>, NoText>;
}

/// What a text is asked of.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its name under `[let]`.
    pub name: &'a str,
    /// Nobody knows yet whose it is.
    pub request: &'a Incoming,
    /// The form of the public URL that is tried.
    pub url: Option<&'a str>,
    /// The source's settings, JSON.
    pub settings: &'a str,
}

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoText {
    /// The code says that the request can have none.
    Refused(String),
    /// The code is broken, or not here; the same request may have one later.
    Broken(String),
}

impl From<NoText> for Rejection {
    fn from(none: NoText) -> Self {
        let (reason, why) = match none {
            NoText::Refused(why) => (Reason::SignatureMismatch, why),
            NoText::Broken(why) => (Reason::Unavailable, why),
        };
        Self::new(reason, format!("the plugin's code wrote no signed text: {why}"))
    }
}

/// A compiled `[let.NAME] code = [...]`.
#[derive(Debug, Clone)]
pub struct CodeText {
    /// The places whose bytes are in the text.
    over: Vec<Place>,
    /// Its own name, and who writes it.
    by: Option<(String, Arc<dyn SignedTexts>)>,
}

impl CodeText {
    pub(super) fn compile(written: &Code) -> Result<Self, String> {
        let place = |text: &String| match text.parse::<Place>()? {
            place @ (Place::Body | Place::Method | Place::Url | Place::UrlTarget | Place::UrlPath) => Ok(place),
            place @ (Place::Header(_) | Place::Query(_) | Place::Form(_) | Place::Xml(_) | Place::Json(_)) => Ok(place),
            place => Err(format!("{place} is not part of a request: code = [\"body\", \"header:x-time\"]")),
        };
        let over: Vec<_> = written.code.iter().map(place).collect::<Result<_, String>>()?;
        match over.is_empty() {
            true => Err("code: empty; it lists the sources whose bytes are all in the text".into()),
            false => Ok(Self { over, by: None }),
        }
    }

    pub(super) fn over(&self) -> &[Place] {
        &self.over
    }

    pub(super) fn given(&mut self, name: &str, by: Arc<dyn SignedTexts>) {
        self.by = Some((name.to_owned(), by));
    }

    pub(super) fn render(&self, view: &View<'_>) -> Result<Vec<u8>, Unfit> {
        let Some((name, by)) = &self.by else {
            view.parsed.texts.fail(NoText::Broken("the code that writes it is not here".into()));
            return Err(Unfit::Missing(Place::Body));
        };
        if let Some(name) = self.doubled(view.parsed.request) {
            let why = format!("the header {name} comes more than once, and the signed text is over it");
            view.parsed.texts.fail(NoText::Refused(why));
            return Err(Unfit::Missing(Place::Body));
        }
        let url = view.bytes(&Place::Url).map(|url| String::from_utf8_lossy(&url).into_owned());
        let write = |url: Option<&str>| {
            let settings = serde_json::to_string(view.settings).unwrap_or_else(|_| "{}".into());
            by.text(&Asked { name, request: view.parsed.request, url, settings: &settings })
        };
        view.parsed.texts.once(name, url, write).ok_or_else(|| Unfit::Missing(Place::Let(name.clone())))
    }

    /// A header that the text is over and that comes twice: the code may have signed the one, and the event be made of the
    /// other.
    fn doubled(&self, request: &Incoming) -> Option<&str> {
        self.over.iter().find_map(|place| match place {
            Place::Header(name) if request.headers.get_all(name.as_str()).iter().nth(1).is_some() => {
                Some(name.as_str())
            }
            _ => None,
        })
    }
}

type Known = BTreeMap<(String, Option<String>), Option<Vec<u8>>>;

/// The texts of one request that were asked for.
#[derive(Debug, Default)]
pub struct Texts {
    known: RefCell<Known>,
    failed: RefCell<Option<Rejection>>,
}

impl Texts {
    fn once(
        &self,
        name: &str,
        url: Option<String>,
        write: impl FnOnce(Option<&str>) -> Result<Vec<u8>, NoText>,
    ) -> Option<Vec<u8>> {
        let key = (name.to_owned(), url);
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let text = write(key.1.as_deref()).map_err(|none| self.fail(none)).ok();
        self.known.borrow_mut().insert(key, text.clone());
        text
    }

    fn fail(&self, none: NoText) {
        self.failed.borrow_mut().get_or_insert_with(|| none.into());
    }

    /// Why a text that was asked for is not there.
    pub(super) fn failed(&self) -> Option<Rejection> {
        self.failed.borrow().clone()
    }
}

impl Provider {
    /// Gives the description's texts to who writes them.
    pub fn with_texts(mut self, by: Option<Arc<dyn SignedTexts>>) -> Self {
        for (name, named) in &mut self.lets {
            if let (Named::Code(text), Some(by)) = (named, &by) {
                text.given(name, by.clone());
            }
        }
        self
    }

    /// Who writes the description's texts.
    pub(super) fn texts(&self) -> Option<Arc<dyn SignedTexts>> {
        self.lets.values().find_map(|named| match named {
            Named::Code(text) => text.by.as_ref().map(|(_, by)| by.clone()),
            _ => None,
        })
    }

    /// Whether code has a part in verification.
    pub fn asks_code(&self) -> bool {
        self.lets.values().any(Named::is_code)
    }

    fn is_text(&self, place: &Place) -> bool {
        let of_code =
            |place: &Place| matches!(place, Place::Let(name) if self.lets.get(name).is_some_and(Named::is_code));
        reach([place], &self.lets).into_iter().any(of_code)
    }
}

impl Check<'_> {
    /// Code has a say in what is signed, and in nothing else: not in keys, not in what is compared, not in answers.
    pub(super) fn texts(&mut self, provider: &Provider) {
        if !provider.asks_code() {
            return;
        }
        if provider.each.is_some() {
            self.add("each", "a text that code writes is one for the whole request: leave out one of both");
        }
        let mut wrong: Vec<(String, &Place)> = Vec::new();
        let said = |(key, _): &(String, &Place)| !key.starts_with("verify.") && !key.starts_with("let.");
        wrong.extend(provider.all_places().into_iter().filter(said));
        wrong.extend(provider.handshake_places());
        wrong.extend(provider.calls.places());
        for (index, table) in provider.tables.iter().enumerate() {
            let claims = table.claims.iter().map(|(_, template)| template);
            let templates = table.encodings.iter().chain(&table.forms).chain(&table.user_ids).chain(claims);
            let templates = templates.chain([&table.key.1]).chain(&table.select).flat_map(Template::places);
            let places = templates.chain(table.from.iter().map(|from| &from.place));
            let places = places.chain(table.remote.iter().flat_map(|remote| remote.places()));
            let places = places.chain(table.when.iter().flat_map(|when| when.places()));
            wrong.extend(places.map(|place| (format!("verify.{index}"), place)));
        }
        let wrong: Vec<_> = wrong.into_iter().filter(|(_, place)| provider.is_text(place)).collect();
        for (key, place) in wrong {
            self.add(&key, format!("{place} is written by code: only `message` under [[verify]] may read it"));
        }
    }
}

#[cfg(test)]
mod tests;
