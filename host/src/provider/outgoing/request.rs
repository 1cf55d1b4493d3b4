//! `[operations.request]`, compiled: from an input to a request that nobody signed yet.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use hookport_plugin_api::description::RequestRule;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_encode;

use super::super::filter::UNRESERVED;
use super::super::json::{Document, Kind};
use super::super::place::Place;
use super::super::template::{Lookup, Template, Unfit};
use super::super::view::View;
use super::Unmade;
use super::draft::{Draft, header, header_name};
use super::fresh::Fresh;

/// The compiled rule.
#[derive(Debug)]
pub(super) struct Request {
    method: String,
    url: Template,
    query: Vec<(String, Template)>,
    headers: Vec<(HeaderName, Template)>,
    body: Body,
    pub(super) fresh: Fresh,
}

#[derive(Debug)]
enum Body {
    None,
    Json(Template),
    Form(Vec<(String, Template)>),
    Text(Template),
}

/// What templates of a request see: the input beside settings, secrets, `now` and `nonce`.
pub(super) struct Sight<'v> {
    pub(super) view: &'v View<'v>,
    pub(super) input: Option<&'v Document<'v>>,
}

impl Lookup for Sight<'_> {
    fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        match place {
            Place::Input { steps, json } => {
                let value = self.input?.root().at(steps)?;
                let mut compact = Vec::new();
                match (value.kind(), json) {
                    (Kind::Null, false) => return None,
                    (Kind::Object | Kind::Array, _) | (_, true) => value.write_compact(&mut compact),
                    (_, false) => compact = value.text().into_owned().into_bytes(),
                }
                Some(Cow::Owned(compact))
            }
            Place::Config(_) => self.view.bytes(place).filter(|text| !text.is_empty()),
            _ => self.view.bytes(place),
        }
    }
}

impl Request {
    /// Compiles one; complaints are by key. `plain` are places that are numbers or `true` and `false`.
    pub(super) fn compile(
        written: &RequestRule,
        plain: &dyn Fn(&Place) -> bool,
    ) -> Result<Self, Vec<(String, String)>> {
        let mut wrong = Vec::new();
        let method = &written.method;
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            wrong.push(("method".into(), format!("{method:?} is not a method: GET, POST, PUT, PATCH, DELETE")));
        }
        let url = Template::compile(&written.url).and_then(Template::of_url);
        let url = url.map_err(|error| wrong.push(("url".into(), error))).ok();
        let query = named("query", &written.query, &mut wrong);
        let headers = named("headers", &written.headers, &mut wrong).into_iter().filter_map(|(name, template)| {
            let checked = header_name(&name).map_err(|error| (format!("headers.{name}"), error));
            checked.map(|name| (name, template)).map_err(|error| wrong.push(error)).ok()
        });
        let headers = headers.collect();
        let body = Body::compile(written, plain, &mut wrong);
        let fresh = Fresh::compile(written.now.as_ref(), written.nonce.as_ref());
        let fresh = fresh.map_err(|(key, error)| wrong.push((key.into(), error))).unwrap_or_default();
        match url {
            Some(url) if wrong.is_empty() => Ok(Self { method: method.clone(), url, query, headers, body, fresh }),
            _ => Err(wrong),
        }
    }

    /// Every place that it reads, with the key of the template.
    pub(super) fn places(&self) -> Vec<(String, &Place)> {
        let mut all: Vec<(String, &Template)> = vec![("url".into(), &self.url)];
        all.extend(self.query.iter().map(|(name, template)| (format!("query.{name}"), template)));
        all.extend(self.headers.iter().map(|(name, template)| (format!("headers.{name}"), template)));
        match &self.body {
            Body::None => {}
            Body::Json(template) => all.push(("json".into(), template)),
            Body::Text(template) => all.push(("text".into(), template)),
            Body::Form(fields) => {
                all.extend(fields.iter().map(|(name, template)| (format!("form.{name}"), template)));
            }
        }
        all.into_iter()
            .flat_map(|(key, template)| template.places().into_iter().map(move |at| (key.clone(), at)))
            .collect()
    }

    /// Whether its body can hold something at the place.
    pub(super) fn holds(&self, place: &Place) -> bool {
        match place {
            Place::Json(_) => matches!(self.body, Body::Json(_)),
            Place::Form(_) => matches!(self.body, Body::Form(_)),
            Place::Xml(_) => matches!(self.body, Body::Text(_)),
            _ => true,
        }
    }

    /// The request that an input makes.
    pub(super) fn render(&self, sight: &Sight<'_>) -> Result<Draft, Unmade> {
        let mut url = text(self.url.render(sight)?)?;
        if url.split(['?', '#']).next().is_some_and(|path| path.split('/').any(dots)) {
            return Err(Unmade::Input("the input makes a step of . or .. in the URL's path".into()));
        }
        let query = pairs(&self.query, sight)?;
        if !query.is_empty() {
            url = format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' });
        }
        let mut headers = HeaderMap::new();
        for (name, template) in &self.headers {
            if let Some(value) = unless_no_input(template.render(sight))?.filter(|value| !value.is_empty()) {
                let (name, mut value) = header(name.as_str(), &value)?;
                value.set_sensitive(template.places().iter().any(|place| matches!(place, Place::Secret(_))));
                headers.insert(name, value);
            }
        }
        let (kind, body) = self.body.render(sight)?;
        if let Some(kind) = kind {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        }
        Ok(Draft::new(&self.method, &url, headers, body)?)
    }
}

impl Body {
    fn compile(written: &RequestRule, plain: &dyn Fn(&Place) -> bool, wrong: &mut Vec<(String, String)>) -> Self {
        let compiled = match (&written.json, &written.form, &written.text) {
            (None, None, None) => return Self::None,
            (Some(json), None, None) => {
                let template = Template::compile(json).and_then(|template| template.of_json(plain));
                template.map(Self::Json).map_err(|error| ("json".to_owned(), error))
            }
            (None, Some(form), None) => Ok(Self::Form(named("form", form, wrong))),
            (None, None, Some(text)) => {
                Template::compile(text).map(Self::Text).map_err(|error| ("text".to_owned(), error))
            }
            _ => Err((String::new(), "has more than one of json, form and text: a request has one body".to_owned())),
        };
        compiled.map_err(|error| wrong.push(error)).unwrap_or(Self::None)
    }

    /// The media type, unless the description names one, and the bytes.
    fn render(&self, sight: &Sight<'_>) -> Result<(Option<&'static str>, Bytes), Unmade> {
        Ok(match self {
            Self::None => (None, Bytes::new()),
            Self::Text(template) => (Some("text/plain; charset=utf-8"), template.render(sight)?.into()),
            Self::Form(fields) => (Some("application/x-www-form-urlencoded"), pairs(fields, sight)?.into()),
            Self::Json(template) => {
                let body = template.render(sight)?;
                Document::parse(&body).map_err(|error| format!("its body is {error}"))?;
                (Some("application/json"), body.into())
            }
        })
    }
}

fn named(key: &str, written: &BTreeMap<String, String>, wrong: &mut Vec<(String, String)>) -> Vec<(String, Template)> {
    let compiled = written.iter().map(|(name, text)| (name, Template::compile(text)));
    compiled
        .filter_map(|(name, template)| match template {
            Ok(template) => Some((name.clone(), template)),
            Err(error) => {
                wrong.push((format!("{key}.{name}"), error));
                None
            }
        })
        .collect()
}

/// `a=b&c=d`, percent-encoded.
fn pairs(templates: &[(String, Template)], sight: &Sight<'_>) -> Result<String, Unmade> {
    let encode = |bytes: &[u8]| percent_encode(bytes, UNRESERVED).to_string();
    let mut pairs = Vec::new();
    for (name, template) in templates {
        if let Some(value) = unless_no_input(template.render(sight))? {
            pairs.push(format!("{}={}", encode(name.as_bytes()), encode(&value)));
        }
    }
    Ok(pairs.join("&"))
}

/// What an input may leave out is left out.
fn unless_no_input(rendered: Result<Vec<u8>, Unfit>) -> Result<Option<Vec<u8>>, Unmade> {
    match rendered {
        Ok(value) => Ok(Some(value)),
        Err(Unfit::Missing(Place::Input { .. })) => Ok(None),
        Err(unfit) => Err(unfit.into()),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Unmade> {
    String::from_utf8(bytes).map_err(|_| Unmade::Other("its URL is not UTF-8".into()))
}

/// A step that a client resolves, also as it may be encoded.
fn dots(step: &str) -> bool {
    matches!(step.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}
