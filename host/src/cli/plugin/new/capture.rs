//! What a captured request says of its provider. A guess, as its words in the description say; a person decides.
//!
//! Of the request only what the description names is kept. Its signature and what looks private are not.

mod digest;
mod document;

use std::fmt::Write;

use hookport_plugin_api::description::Content;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};

use self::digest::{Signature, Way};
use self::document::{Named, masked, members};
use super::template::title;
use crate::case::Case;
use crate::provider::moment::{Format, read};
use crate::provider::place::Place;
use crate::request::Incoming;

/// A description, and a request that it takes once it is signed.
pub(super) struct Guess {
    pub(super) description: String,
    pub(super) sample: Case,
    /// What a person should look at.
    pub(super) remarks: Vec<String>,
}

/// A header's name and value.
type Header<'r> = (&'r str, &'r str);

impl Guess {
    pub(super) fn of(id: &str, captured: Case) -> Self {
        let request = &captured.request;
        let content = content(request);
        let headers: Vec<Header<'_>> =
            request.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let signature = Signature::find(&headers);
        let time = time(&headers, signature.as_ref());
        let named = members(content, &request.body);
        let kind = header(&headers, &["-event", "-topic", "-event-type", "-event-name"], signature.as_ref());
        let unique = header(&headers, &["-delivery", "-event-id", "-webhook-id", "webhook-id", "-message-id"], None);
        let (body, redact) = masked(content, &request.body);

        let mut text = head(id, request, content);
        text += &signature.as_ref().map_or_else(|| UNSIGNED.to_owned(), |found| found.table(time.as_ref()));
        if let (Some((from, format)), true) = (&time, signature.as_ref().is_some_and(Signature::signs)) {
            let _ = write!(text, "\n[timestamp]\nfrom = {from:?}\nformat = \"{format}\"\ntolerance_s = 86400\n");
        }
        text += &event(&named, kind, unique, signature.as_ref());
        if !redact.is_empty() {
            // A top-level key stands before the first table.
            text = format!("# Never in logs, rejections or on screens.\nredact = {redact:?}\n\n{text}");
        }

        let mut remarks = vec!["the description is a guess: read it against the vendor's page".to_owned()];
        match &signature {
            None => remarks.push("no header looks like a signature: the provider is described as unsigned".into()),
            Some(found) => remarks.push(format!("the signature is taken to be {}", found.words())),
        }
        if !redact.is_empty() {
            remarks.push(format!("masked in the fixture, and redacted from now on: {}", redact.join(", ")));
        }
        let kept =
            [signature.as_ref().map(|found| found.header.as_str()), kind, unique, time.as_ref().and_then(named_header)];
        let mut sample = captured.clone();
        let keeps = |name: &HeaderName| name == CONTENT_TYPE || kept.iter().flatten().any(|kept| name == *kept);
        let dropped: Vec<HeaderName> = request.headers.keys().filter(|name| !keeps(name)).cloned().collect();
        dropped.into_iter().for_each(|name| drop(sample.request.headers.remove(name)));
        if let Some(found) = &signature {
            // The vendor's own may open something; ours is put in its place.
            found.blank(&mut sample.request);
        }
        sample.request.target = request.path().to_owned();
        sample.request.body = body;
        sample.sections.clear();
        Self { description: text, sample, remarks }
    }
}

const UNSIGNED: &str = "
[[verify]]
alg = \"none\"
reason = \"the captured request carries no header that looks like a signature\"
";

fn content(request: &Incoming) -> Content {
    let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is = |what: &str| kind.to_ascii_lowercase().contains(what);
    match request.body.trim_ascii_start().first() {
        _ if is("form-urlencoded") => Content::Form,
        _ if is("json") => Content::Json,
        _ if is("xml") => Content::Xml,
        Some(b'{' | b'[') => Content::Json,
        Some(b'<') => Content::Xml,
        _ => Content::Raw,
    }
}

fn head(id: &str, request: &Incoming, content: Content) -> String {
    let content = match content {
        Content::Json => "json",
        Content::Form => "form",
        Content::Xml => "xml",
        Content::Raw => "raw",
    };
    let mut text = format!(
        "# Guessed from a captured request: read every table against the vendor's page.\n\n[provider]\nid = \"{id}\"\nname = \"{}\"\n\
         version = \"0.1.0\"\n# docs = \"https://...\"             # the vendor's page about its webhooks\n\
         evidence = \"unverified\"            # vector, vendor-doc or third-party, once it is\ncontent = \"{content}\"\n\n\
         [route]\nmethods = [{:?}]\npath = {:?}\n",
        title(id),
        request.method,
        request.path(),
    );
    let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if let Some(kind) = kind.and_then(|kind| kind.split(';').next()) {
        let _ = write!(text, "\n[[headers]]\nname = \"content-type\"\nmedia_type = {:?}\n", kind.trim());
    }
    text
}

/// A header that says when the request was made: where it is and how it is written.
fn time(headers: &[Header<'_>], signature: Option<&Signature>) -> Option<(String, &'static str)> {
    let format = |text: &str| {
        ["unix_s", "unix_ms", "rfc3339", "http_date"].into_iter().find(|name| {
            let compiled = Format::compile(name).ok();
            compiled.is_some_and(|format| read(text, &[format]).is_some_and(|time| time.as_second() > 1_000_000_000))
        })
    };
    if let Some(Signature { way: Way::Parts { time: Some((part, value)), .. }, .. }) = signature {
        return Some((format!("sig:{part}"), format(value)?));
    }
    let named =
        |(name, _): &&Header<'_>| name.contains("timestamp") || name.ends_with("-time") || name.ends_with("-date");
    headers.iter().filter(named).find_map(|(name, value)| Some((format!("header:{name}"), format(value)?)))
}

fn named_header<'t>((from, _): &'t (String, &'static str)) -> Option<&'t str> {
    from.strip_prefix("header:")
}

/// The first header whose name ends so.
fn header<'h>(headers: &[Header<'h>], ends: &[&str], not: Option<&Signature>) -> Option<&'h str> {
    let fits = |name: &str| ends.iter().any(|end| name.ends_with(end)) && not.is_none_or(|not| not.header != name);
    headers.iter().map(|(name, _)| *name).find(|name| fits(name))
}

fn event(named: &Named, kind: Option<&str>, unique: Option<&str>, signature: Option<&Signature>) -> String {
    let mut text = "\n[event]\n".to_owned();
    let sources = |own: Option<&str>, header: Option<&str>| match (header, own) {
        (Some(header), _) => Some(format!("header:{header}")),
        (None, own) => own.map(str::to_owned),
    };
    match sources(named.kind.as_deref(), kind) {
        Some(kind) => drop(writeln!(text, "type = {kind:?}")),
        None => text += "# type = ...                       # nothing in the request looks like an event's name\n",
    }
    match sources(named.id.as_deref(), unique) {
        Some(id) => drop(writeln!(text, "id = {id:?}")),
        None => {
            text += "# id = ...                         # by which a repeat is known; without it the body's hash is\n"
        }
    }
    if !signature.is_some_and(Signature::signs) {
        text += "covers = \"none\"\n";
    }
    text
}

impl Signature {
    /// Takes the provider's own signature out of a request; the part names stay.
    fn blank(&self, request: &mut Incoming) {
        let (Ok(name), value) = (HeaderName::from_bytes(self.header.as_bytes()), self.emptied()) else { return };
        if let Ok(value) = HeaderValue::from_str(&value) {
            request.headers.insert(name, value);
        }
    }

    fn place(&self) -> String {
        HeaderName::from_bytes(self.header.as_bytes()).map(|name| Place::Header(name).to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
