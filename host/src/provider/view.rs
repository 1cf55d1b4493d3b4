//! What templates see of a request: its bytes, the source's settings, and the secrets and URL form that are tried right now.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hookport_plugin_api::description::{CollectFrom, Content};

use super::fields::Fields;
use super::json::{Document, Kind, NotJson, Value};
use super::named::Named;
use super::place::{Place, numbered};
use super::signature::Part;
use super::template::Lookup;
use super::text::Texts;
use super::xml::{NotXml, Xml};
use crate::request::Incoming;

/// Which readings of a request templates need; what nobody reads is not parsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// The body as JSON.
    pub json: bool,
    /// The body as a form.
    pub form: bool,
    /// The body as XML.
    pub xml: bool,
    /// The query.
    pub query: bool,
}

impl Reads {
    /// What a document of this content needs.
    pub fn of(content: Content) -> Self {
        let is = |wanted| content == wanted;
        Self { json: is(Content::Json), form: is(Content::Form), xml: is(Content::Xml), query: false }
    }

    /// Both.
    pub fn with(self, other: Self) -> Self {
        Self {
            json: self.json || other.json,
            form: self.form || other.form,
            xml: self.xml || other.xml,
            query: self.query || other.query,
        }
    }

    /// What a place needs; a `collect` says so itself.
    pub fn add(&mut self, place: &Place, lets: &BTreeMap<String, Named>) {
        match place {
            Place::Json(_) => self.json = true,
            Place::Form(_) => self.form = true,
            Place::Xml(_) => self.xml = true,
            Place::Envelope(_) => (self.json, self.xml) = (true, true),
            Place::Query(_) => self.query = true,
            Place::Let(name) => match lets.get(name).and_then(Named::collected_from) {
                Some(CollectFrom::Json) => self.json = true,
                Some(CollectFrom::Form) => self.form = true,
                Some(CollectFrom::Query) => self.query = true,
                Some(CollectFrom::Xml) => self.xml = true,
                None => {}
            },
            _ => {}
        }
    }
}

/// A request with those readings.
pub struct Parsed<'a> {
    /// The request.
    pub request: &'a Incoming,
    /// What code wrote of it.
    pub(super) texts: Texts,
    json: Option<Result<Document<'a>, NotJson>>,
    xml: Option<Result<Xml<'a>, NotXml>>,
    form: Fields<'a>,
    query: Fields<'a>,
}

impl<'a> Parsed<'a> {
    /// Reads what is needed.
    pub fn new(request: &'a Incoming, reads: Reads) -> Self {
        Self {
            request,
            texts: Texts::default(),
            json: reads.json.then(|| Document::parse(&request.body)),
            xml: reads.xml.then(|| Xml::parse(&request.body)),
            form: if reads.form { Fields::read(&request.body) } else { Fields::default() },
            query: if reads.query { Fields::read(request.query().as_bytes()) } else { Fields::default() },
        }
    }

    /// Why the body is not JSON.
    pub fn not_json(&self) -> Option<&NotJson> {
        self.json.as_ref().and_then(|read| read.as_ref().err())
    }

    /// The body as JSON, when it is.
    pub fn json(&self) -> Option<&Document<'a>> {
        self.json.as_ref().and_then(|read| read.as_ref().ok())
    }

    /// Why the body is not XML.
    pub fn not_xml(&self) -> Option<&NotXml> {
        self.xml.as_ref().and_then(|read| read.as_ref().err())
    }

    /// The body as XML, when it is.
    pub fn xml(&self) -> Option<&Xml<'a>> {
        self.xml.as_ref().and_then(|read| read.as_ref().ok())
    }

    /// The body as a form.
    pub fn form(&self) -> &Fields<'a> {
        &self.form
    }

    /// The query.
    pub fn query(&self) -> &Fields<'a> {
        &self.query
    }
}

/// A public URL in the two parts that templates need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// Scheme, host and port, as written.
    pub origin: String,
    /// The path in front of what is received; empty or without a `/` at its end.
    pub base: String,
}

impl PublicUrl {
    /// Splits an absolute http or https URL without query.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|error| format!("{text:?} is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https")
            || url.host().is_none()
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
        {
            return Err(format!("{text:?} is not an http or https URL without user, query and fragment"));
        }
        // As written, because a sender that was given a port signs the port.
        let authority = text.find("://").map_or(0, |at| at + 3);
        let path = text[authority..].find('/').map_or(text.len(), |at| authority + at);
        Ok(Self { origin: text[..path].to_owned(), base: text[path..].trim_end_matches('/').to_owned() })
    }
}

/// What a template sees.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The request, or the part of it that is looked at.
    pub parsed: &'a Parsed<'a>,
    /// The whole request, where `parsed` is a part of it.
    pub envelope: Option<&'a Parsed<'a>>,
    /// The description's named byte strings.
    pub lets: &'a BTreeMap<String, Named>,
    /// The source's settings, defaults included.
    pub settings: &'a BTreeMap<String, String>,
    /// The secrets that are tried, by name.
    pub secrets: &'a [(&'a str, &'a [u8])],
    /// The form of the public URL that is tried.
    pub url: Option<&'a PublicUrl>,
    /// The parts of the signature header, or the claims of the token in it.
    pub sig: &'a [Part<'a>],
    /// `now`, `ack`, `mac`.
    pub own: &'a [(&'a str, &'a [u8])],
}

impl View<'_> {
    fn target(&self) -> Cow<'_, str> {
        match self.url {
            Some(url) if !url.base.is_empty() => Cow::Owned(format!("{}{}", url.base, self.parsed.request.target)),
            _ => Cow::Borrowed(&self.parsed.request.target),
        }
    }

    fn envelope(&self, steps: &[String]) -> Option<Cow<'_, [u8]>> {
        let envelope = self.envelope.unwrap_or(self.parsed);
        match envelope.xml() {
            Some(xml) => xml.text(steps).map(text),
            None => json(envelope, steps),
        }
    }
}

fn json<'v>(parsed: &'v Parsed<'_>, steps: &[String]) -> Option<Cow<'v, [u8]>> {
    let value: Value<'_> = parsed.json()?.root().at(steps)?;
    Some(match value.kind() {
        Kind::Null => return None,
        Kind::Array | Kind::Object => {
            let mut compact = Vec::new();
            value.write_compact(&mut compact);
            Cow::Owned(compact)
        }
        _ => text(value.text()),
    })
}

/// A text's bytes.
pub(super) fn text(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

fn listed<'v>(values: &[(&str, &'v [u8])], name: &str) -> Option<Cow<'v, [u8]>> {
    values.iter().find(|(key, _)| *key == name).map(|(_, value)| Cow::Borrowed(*value))
}

impl Lookup for View<'_> {
    fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        let request = self.parsed.request;
        match place {
            Place::Body => Some(Cow::Borrowed(&request.body)),
            Place::Method => Some(Cow::Borrowed(request.method.as_bytes())),
            Place::Url => self.url.map(|url| {
                Cow::Owned([url.origin.as_bytes(), url.base.as_bytes(), request.target.as_bytes()].concat())
            }),
            Place::UrlTarget => Some(text(self.target())),
            Place::UrlPath => {
                let target = self.target();
                let path = target.find('?').unwrap_or(target.len());
                Some(match target {
                    Cow::Borrowed(target) => Cow::Borrowed(&target.as_bytes()[..path]),
                    Cow::Owned(target) => Cow::Owned(target.as_bytes()[..path].to_vec()),
                })
            }
            Place::Header(name) => request.headers.get(name).map(|value| Cow::Borrowed(value.as_bytes())),
            Place::HeaderSeq(prefix) => {
                numbered(prefix, 1).and_then(|name| request.headers.get(name)).map(|value| value.as_bytes().into())
            }
            Place::Query(name) => self.parsed.query().named(name),
            Place::Form(name) => self.parsed.form().named(name),
            Place::Xml(path) => self.parsed.xml().and_then(|xml| xml.text(path)).map(text),
            Place::Json(steps) => json(self.parsed, steps),
            Place::Envelope(steps) => self.envelope(steps),
            Place::Sig(name) | Place::Claim(name) => {
                self.sig.iter().find(|(key, _)| key == name).map(|(_, value)| Cow::Borrowed(value.as_bytes()))
            }
            Place::Secret(name) => listed(self.secrets, name),
            Place::Config(name) => self.settings.get(name).map(|value| Cow::Borrowed(value.as_bytes())),
            Place::Let(name) => self.lets.get(name).and_then(|named| named.render(self).ok()).map(Cow::Owned),
            Place::Input { .. } => None,
            Place::Own(name) => listed(self.own, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_keeps_its_port_and_loses_its_last_slash() {
        let url = PublicUrl::parse("https://hooks.example.com:443/in/").unwrap();
        assert_eq!((url.origin.as_str(), url.base.as_str()), ("https://hooks.example.com:443", "/in"));
        assert!(PublicUrl::parse("ftp://x").is_err());
        assert!(PublicUrl::parse("https://x/?a=1").is_err());
    }
}
