//! Putting a text at a place of a request; every other byte of it stays.

use bytes::Bytes;
use hyper::header::HeaderValue;
use percent_encoding::utf8_percent_encode;

use super::super::filter::{UNRESERVED, form_decode};
use super::super::json::{Document, Kind, write_string};
use super::super::place::{Place, numbered};
use super::super::xml::Xml;
use super::SignError;
use crate::request::Incoming;

/// Whether a request has such a place.
pub(in crate::provider) fn writable(place: &Place) -> bool {
    matches!(place, Place::Header(_) | Place::Query(_) | Place::Form(_) | Place::Xml(_) | Place::Json(_))
}

/// Replaces what is at the place, or adds it. A JSON number stays one where the text is a number.
pub(in crate::provider) fn put(request: &mut Incoming, place: &Place, text: &str) -> Result<(), SignError> {
    let fixed = |why: String| SignError::Fixed { place: place.clone(), why };
    match place {
        Place::Header(name) => {
            let value = HeaderValue::from_bytes(text.as_bytes());
            request.headers.insert(name, value.map_err(|_| fixed("the text is no header's value".into()))?);
        }
        Place::HeaderSeq(prefix) => {
            let first = numbered(prefix, 1).ok_or_else(|| fixed("it is no header".into()))?;
            put(request, &Place::Header(first), text)?;
        }
        Place::Query(name) => {
            request.target = match request.target.split_once('?') {
                Some((path, query)) => format!("{path}?{}", field(query, name, text)),
                None => format!("{}?{}", request.target, field("", name, text)),
            };
        }
        Place::Form(name) => {
            let body = std::str::from_utf8(&request.body).map_err(|_| fixed("the body is no form".into()))?;
            request.body = field(body, name, text).into();
        }
        Place::Xml(path) => request.body = element(&request.body, path, text).map_err(fixed)?,
        Place::Json(steps) => {
            let number = |old: Option<Kind>| old == Some(Kind::Number) && is_number(text);
            let new = |old| if number(old) { text.as_bytes().to_vec() } else { literal(text) };
            request.body = member(&request.body, steps, new).map_err(fixed)?;
        }
        _ => return Err(fixed("it is no header, no field and no parameter".into())),
    }
    Ok(())
}

/// Replaces the value at a place of a JSON body, or adds it; `json` is a JSON value.
pub(in crate::provider) fn put_json(request: &mut Incoming, place: &Place, json: &str) -> Result<(), SignError> {
    let fixed = |why: String| SignError::Fixed { place: place.clone(), why };
    let Place::Json(steps) = place else { return Err(fixed("it is no place of a JSON body".into())) };
    Document::parse(json.as_bytes()).map_err(|error| fixed(format!("what is written is {error}")))?;
    request.body = member(&request.body, steps, |_| json.as_bytes().to_vec()).map_err(fixed)?;
    Ok(())
}

/// `name=value` in place of the pairs of that name, or behind all pairs.
fn field(pairs: &str, name: &str, text: &str) -> String {
    let encode = |text| utf8_percent_encode(text, UNRESERVED);
    let mut pair = Some(format!("{}={}", encode(name), encode(text)));
    let mut out = Vec::new();
    for old in pairs.split('&').filter(|old| !old.is_empty()) {
        let named = form_decode(old.split('=').next().unwrap_or_default().as_bytes()) == name.as_bytes();
        match named {
            true => out.extend(pair.take()),
            false => out.push(old.to_owned()),
        }
    }
    out.extend(pair);
    out.join("&")
}

fn element(body: &Bytes, path: &[String], text: &str) -> Result<Bytes, String> {
    let xml = Xml::parse(body).map_err(|error| format!("the body is {error}"))?;
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let Some((name, parents)) = path.split_last() else { return Err("it has no name".into()) };
    let (span, new) = match (xml.inside(path), xml.span(path)) {
        (Some(inside), _) => (inside, text),
        (None, Some(span)) => {
            let open = String::from_utf8_lossy(&body[span.start..span.end - "/>".len()]).into_owned();
            let name: String = open[1..].chars().take_while(|c| !c.is_ascii_whitespace()).collect();
            (span, format!("{open}>{text}</{name}>"))
        }
        (None, None) => {
            let parent = xml.inside(parents).ok_or("the body has no single element to hold it")?;
            (parent.end..parent.end, format!("<{name}>{text}</{name}>"))
        }
    };
    Ok([&body[..span.start], new.as_bytes(), &body[span.end..]].concat().into())
}

/// The body with what `new` makes of the old value's kind.
fn member(body: &Bytes, steps: &[String], new: impl FnOnce(Option<Kind>) -> Vec<u8>) -> Result<Bytes, String> {
    let document = Document::parse(body).map_err(|error| format!("the body is {error}"))?;
    let root = document.root();
    let (span, new) = match (root.at(steps), steps.split_last()) {
        (Some(value), _) => (value.span(), new(Some(value.kind()))),
        (None, Some((name, parents))) => {
            let parent = root.at(parents).filter(|parent| parent.kind() == Kind::Object);
            let parent = parent.ok_or("the body has no object to hold it")?;
            let (at, comma) = (parent.span().end - 1, if parent.is_empty() { &b""[..] } else { b"," });
            (at..at, [comma, &literal(name), b":", &new(None)].concat())
        }
        (None, None) => return Err("the body is empty".into()),
    };
    Ok([&body[..span.start], &new, &body[span.end..]].concat().into())
}

fn literal(text: &str) -> Vec<u8> {
    let mut literal = Vec::new();
    write_string(text.as_bytes(), &mut literal);
    literal
}

fn is_number(text: &str) -> bool {
    Document::parse(text.as_bytes()).is_ok_and(|document| document.root().kind() == Kind::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(target: &str, body: &str, place: &str, text: &str) -> (String, String) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let mut request = Incoming { target: target.into(), body, ..Incoming::nothing() };
        put(&mut request, &place.parse().unwrap(), text).unwrap();
        (request.target, String::from_utf8(request.body.to_vec()).unwrap())
    }

    #[test]
    fn every_other_byte_of_a_document_stays() {
        let body = |body, place, text| edited("/", body, place, text).1;
        assert_eq!(body("{ \"t\" : 1e2 ,\"s\":\"\\/\"}\n", "json:/t", "17"), "{ \"t\" : 17 ,\"s\":\"\\/\"}\n");
        assert_eq!(body("{\"t\":\"1\", \"t2\":1}", "json:/t", "17"), "{\"t\":\"17\", \"t2\":1}");
        assert_eq!(body("{\"a\":{}}", "json:/a/b", "x\""), "{\"a\":{\"b\":\"x\\\"\"}}");
        assert_eq!(body("{\"a\":[1,2] }", "json:/b", "x"), "{\"a\":[1,2] ,\"b\":\"x\"}");
    }

    #[test]
    fn every_other_byte_of_an_xml_body_stays() {
        let body = |body, text| edited("/", body, "xml:s", text).1;
        assert_eq!(body("<r>\n<a/><s><![CDATA[0]]></s></r>", "a<&"), "<r>\n<a/><s>a&lt;&amp;</s></r>");
        assert_eq!(body("<r><n:s k='v' xmlns:n='u' /></r>", "1"), "<r><n:s k='v' xmlns:n='u' >1</n:s></r>");
        assert_eq!(body("<r><a>1</a></r>\n", "1"), "<r><a>1</a><s>1</s></r>\n");
        assert_eq!(edited("/", "<r><a></a></r>", "xml:a/s", "1").1, "<r><a><s>1</s></a></r>");
    }

    #[test]
    fn a_parameter_is_replaced_where_it_stands_and_a_new_one_comes_last() {
        assert_eq!(edited("/p?a=1&s%69g=x&b=%20", "", "query:sig", "+/=").0, "/p?a=1&sig=%2B%2F%3D&b=%20");
        assert_eq!(edited("/p", "", "query:sig", "1").0, "/p?sig=1");
        assert_eq!(edited("/", "a=1&sign=x&sign=y", "form:sign", "z").1, "a=1&sign=z");
    }

    #[test]
    fn what_cannot_be_set_says_so() {
        let mut request = Incoming { body: Bytes::from_static(b"[1]"), ..Incoming::nothing() };
        for place in ["body", "url", "secret", "json:/a/b"] {
            assert!(put(&mut request, &place.parse().unwrap(), "x").is_err(), "{place}");
        }
        assert_eq!(&request.body[..], b"[1]");
    }
}
