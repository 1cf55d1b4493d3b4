//! The body as a JSON document, whatever it is: `data` of an event. And why there is none.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use hookport_plugin_api::description::Content;

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
    let mut data = Vec::with_capacity(parsed.request.body.len());
    match (content, parsed.json(), parsed.xml()) {
        (Content::Json, Some(document), _) => json(document, fields, &mut data),
        (Content::Xml, _, Some(xml)) => {
            let without: Vec<_> = fields.iter().map(Vec::as_slice).collect();
            xml.write_json(&without, &mut data).map_err(|error| error.to_string())?;
        }
        (Content::Form, ..) => form(parsed.form(), fields, &mut data),
        _ => return Ok(None),
    }
    Ok(Some(data.into()))
}

/// Why the body does not parse as its content.
pub(super) fn unreadable(content: Content, parsed: &Parsed<'_>) -> Option<String> {
    match content {
        Content::Json => parsed.not_json().map(ToString::to_string),
        Content::Xml => parsed.not_xml().map(ToString::to_string),
        Content::Form => {
            let text =
                |(name, value): &(Vec<u8>, Vec<u8>)| [name, value].iter().all(|text| str::from_utf8(text).is_ok());
            let bad = parsed.form().iter().position(|field| !text(field))?;
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
    let mut seen = HashSet::new();
    let forms = parsed.form().iter().map(|(name, _)| name).filter(|name| !seen.insert(*name));
    let forms = forms.map(|name| String::from_utf8_lossy(name).into_owned());
    let form = forms.into_iter().find(|name| over(&Place::Form(name.clone())));
    form.or_else(|| {
        let mut elements = parsed.xml()?.repeated().map(str::to_owned);
        elements.find(|name| over(&Place::Xml(vec![name.clone()])))
    })
}

fn json(document: &Document<'_>, fields: &[Vec<String>], out: &mut Vec<u8>) {
    let without: Vec<_> = fields.iter().filter_map(|steps| document.root().at(steps)).collect();
    document.root().write(out, &mut |value| match without.iter().any(|field| field.is(value)) {
        true => Edit::Drop,
        false => Edit::Keep,
    });
}

/// An object of texts, in the order in which names first come; a name that comes twice has a list of them.
fn form(pairs: &[(Vec<u8>, Vec<u8>)], fields: &[Vec<String>], out: &mut Vec<u8>) {
    let mut members: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let dropped = |name: &[u8]| fields.iter().any(|steps| matches!(&steps[..], [field] if field.as_bytes() == name));
    for (name, value) in pairs.iter().filter(|(name, _)| !dropped(name)) {
        let place = *places.entry(name).or_insert(members.len());
        match members.get_mut(place) {
            Some((_, values)) => values.push(value),
            None => members.push((name, vec![value])),
        }
    }
    out.push(b'{');
    for (index, (name, values)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        match values.as_slice() {
            [value] => write_string(value, out),
            values => list(values, out),
        }
    }
    out.push(b'}');
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
