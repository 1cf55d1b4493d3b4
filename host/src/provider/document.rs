//! The body as a JSON document, whatever it is: `data` of an event. And why there is none.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use hookport_plugin_api::description::Content;

use super::fields::{Field, Fields};
use super::json::{Document, Edit, write_string};
use super::named::Named;
use super::place::Place;
use super::view::Parsed;

/// The document without the fields at these steps; nothing where the content is raw. The error says why the body is not
/// what the provider sends.
pub(super) fn document(content: Content, parsed: &Parsed<'_>, fields: &[Vec<String>]) -> Result<Option<Bytes>, String> {
    if let Some(why) = unreadable(content, parsed) {
        return Err(why);
    }
    let body = &parsed.request.body;
    let room = || Vec::with_capacity(body.len() + body.len() / 8);
    Ok(match (content, parsed.json(), parsed.xml()) {
        (Content::Json, Some(document), _) => Some(json(document, fields, body)),
        (Content::Xml, _, Some(xml)) => {
            let (without, mut data) = (fields.iter().map(Vec::as_slice).collect::<Vec<_>>(), room());
            xml.write_json(&without, &mut data).map_err(|error| error.to_string())?;
            Some(data.into())
        }
        (Content::Form, ..) => {
            let mut data = room();
            form(parsed.form(), fields, &mut data);
            Some(data.into())
        }
        _ => None,
    })
}

/// Why the body does not parse as its content.
pub(super) fn unreadable(content: Content, parsed: &Parsed<'_>) -> Option<String> {
    match content {
        Content::Json => parsed.not_json().map(ToString::to_string),
        Content::Xml => parsed.not_xml().map(ToString::to_string),
        Content::Form => {
            let text = |(name, value): &Field<'_>| [name, value].iter().all(|text| str::from_utf8(text).is_ok());
            let bad = parsed.form().all().iter().position(|field| !text(field))?;
            Some(format!("not a form: field {} is not UTF-8", bad + 1))
        }
        Content::Raw => None,
    }
}

/// A name that comes twice although a signature is over what stands under it: two readers could see two documents.
pub(super) fn repeated(parsed: &Parsed<'_>, signed: &[Place], lets: &BTreeMap<String, Named>) -> Option<String> {
    let over = |field: &Place| {
        signed.iter().any(|place| match (place, field) {
            (Place::Let(name), field) => lets.get(name).is_some_and(|named| named.collects_once(field)),
            (Place::Xml(path), Place::Xml(field)) => path.first() == field.first(),
            (place, field) => place == field,
        })
    };
    let from_json = |place: &Place| match place {
        Place::Json(_) => true,
        Place::Let(name) => lets.get(name).is_some_and(Named::collects_json),
        _ => false,
    };
    if let Some(name) = parsed.json().and_then(Document::duplicate_key).filter(|_| signed.iter().any(from_json)) {
        return Some(name.to_owned());
    }
    let forms = parsed.form().repeated().into_iter().map(|name| String::from_utf8_lossy(name).into_owned());
    let form = forms.into_iter().find(|name| over(&Place::Form(name.clone())));
    form.or_else(|| {
        let mut elements = parsed.xml()?.repeated().map(str::to_owned);
        elements.find(|name| over(&Place::Xml(vec![name.clone()])))
    })
}

/// The body itself, or all around the one field that is left out, where it would be written as it came.
fn json(document: &Document<'_>, fields: &[Vec<String>], body: &Bytes) -> Bytes {
    let without: Vec<_> = fields.iter().filter_map(|steps| document.root().at(steps)).collect();
    match without.as_slice() {
        [] if document.is_compact() => return body.clone(),
        [field] if document.is_compact() && !field.is(document.root()) => return field.cut().into(),
        _ => {}
    }
    let mut out = Vec::with_capacity(body.len());
    document.root().write(&mut out, &mut |value| match without.iter().any(|field| field.is(value)) {
        true => Edit::Drop,
        false => Edit::Keep,
    });
    out.into()
}

/// An object of texts, in the order in which names first come; a name that comes twice has a list of them.
fn form(form: &Fields<'_>, fields: &[Vec<String>], out: &mut Vec<u8>) {
    let dropped = |name: &[u8]| fields.iter().any(|steps| matches!(&steps[..], [field] if field.as_bytes() == name));
    let kept = form.all().iter().filter(|(name, _)| !dropped(name));
    out.push(b'{');
    match form.repeat() {
        false => kept.enumerate().for_each(|(index, (name, value))| {
            member(index, name, out);
            write_string(value, out);
        }),
        true => lists(kept, out),
    }
    out.push(b'}');
}

fn member(index: usize, name: &[u8], out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
    write_string(name, out);
    out.push(b':');
}

fn lists<'f>(fields: impl Iterator<Item = &'f Field<'f>>, out: &mut Vec<u8>) {
    let mut members: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for (name, value) in fields {
        let place = *places.entry(name).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => members.push((name, vec![value])),
        }
    }
    for (index, (name, values)) in members.into_iter().enumerate() {
        member(index, name, out);
        match values.as_slice() {
            [value] => write_string(value, out),
            values => list(values, out),
        }
    }
}

fn list(values: &[&[u8]], out: &mut Vec<u8>) {
    for (index, value) in values.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        write_string(value, out);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests;
