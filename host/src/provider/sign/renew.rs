//! A new event out of a sample: what it is known by changes, in its shape, and nothing else does.
//!
//! The type stays, so that it is the same kind of event; a time in the id becomes now.

use hookport_plugin_api::description::Content;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::super::json::Document;
use super::super::moment::Format;
use super::super::place::Place;
use super::super::source::Source;
use super::super::template::{Lookup, Template};
use super::super::view::Parsed;
use super::super::xml::Xml;
use super::{edit, stamp, token};
use crate::request::Incoming;

/// So many letters and digits at the end of an id change; prefixes such as `cid_` stay.
const CHANGED: usize = 12;

/// The sample with ids that the same `seed` makes again and another does not.
pub fn renew(source: &Source, sample: &Incoming, seed: &str, now: Timestamp) -> Incoming {
    let mut request = sample.clone();
    let mut changed = false;
    for place in known_by(source, sample) {
        let Some(old) = stamp::text(source, &request, &[], &place) else { continue };
        let new = match times(source).contains(&place) {
            true => stamp::write(now, &stamp::format(Some(&old), &formats(source))),
            false => reshaped(&old, seed, &place),
        };
        // A place that cannot be set, in a body that is no document say, is what it is.
        changed |= match &place {
            Place::Claim(name) => token::put(source, &mut request, name, &new).is_ok(),
            place => edit::put(&mut request, place, &new).is_ok(),
        };
    }
    let document = match source.provider.content {
        Content::Json => Document::parse(&request.body).is_ok(),
        Content::Xml => Xml::parse(&request.body).is_ok(),
        Content::Form | Content::Raw => false,
    };
    if !changed && document {
        request.body = [&request.body, &blank(seed)[..]].concat().into();
    }
    request
}

/// The places that tell events apart: those of the id that applies and of the nonce, without the type and the signed time.
fn known_by(source: &Source, request: &Incoming) -> Vec<Place> {
    let event = &source.provider.description.event;
    let parsed = Parsed::new(request, source.provider.reads);
    let view = source.view(&parsed);
    let filled = |place: &Place| match place {
        Place::Claim(name) => token::claim(source, request, name).is_some_and(|text| !text.is_empty()),
        place => view.bytes(place).is_some_and(|text| !text.is_empty()),
    };
    let mut ids = templates(&event.id).into_iter();
    let id = ids.find(|id| id.places().into_iter().all(filled));
    let kinds = templates(&event.kind);
    let kept: Vec<&Place> = kinds.iter().flat_map(Template::places).collect();
    let signed = source.provider.timestamp.as_ref().map(|(place, _)| place);
    let wanted = id.iter().chain(&source.provider.nonce).flat_map(Template::places);
    let mut places: Vec<Place> = source.provider.reach(wanted).into_iter().cloned().collect();
    let settable = |place: &Place| edit::writable(place) || matches!(place, Place::Claim(_));
    places.retain(|place| settable(place) && !kept.contains(&place) && Some(place) != signed);
    places
}

fn templates(texts: &[String]) -> Vec<Template> {
    texts.iter().filter_map(|text| Template::place_or_template(text).ok()).collect()
}

fn times(source: &Source) -> Vec<Place> {
    templates(&source.provider.description.event.time).iter().flat_map(Template::places).cloned().collect()
}

fn formats(source: &Source) -> Vec<Format> {
    source.provider.description.event.format.iter().filter_map(|text| Format::compile(text).ok()).collect()
}

/// Digits become digits and letters letters of the same case that hexadecimal has too.
fn reshaped(text: &str, seed: &str, place: &Place) -> String {
    let digest = Sha256::new().chain_update(seed).chain_update([0]).chain_update(place.to_string()).finalize();
    let mut bytes = text.as_bytes().to_vec();
    let at = bytes.iter().enumerate().filter(|(_, byte)| byte.is_ascii_alphanumeric()).map(|(at, _)| at);
    let at: Vec<usize> = at.collect();
    for (&at, random) in at.iter().rev().take(CHANGED).zip(digest) {
        bytes[at] = match bytes[at] {
            // No number begins with 0.
            b'0'..=b'9' if at == 0 => b'1' + random % 9,
            b'0'..=b'9' => b'0' + random % 10,
            b'a'..=b'z' => b'a' + random % 6,
            _ => b'A' + random % 6,
        };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// White space behind a document, which changes its hash and nothing that it says.
fn blank(seed: &str) -> [u8; 32] {
    let digest = Sha256::digest(seed);
    std::array::from_fn(|bit| if (digest[bit / 8] >> (bit % 8)) & 1 == 1 { b'\t' } else { b' ' })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_shape_and_its_beginning() {
        let place = "json:/id".parse().unwrap();
        let new = reshaped("cid_sxdwXPRxt-Xt6Ch4n", "1", &place);
        assert!(new.starts_with("cid_sxdw") && new != "cid_sxdwXPRxt-Xt6Ch4n", "{new}");
        let class = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0").to_lowercase().len();
        assert_eq!(class(&new), class("cid_sxdwXPRxt-Xt6Ch4n"));
        assert_eq!(new, reshaped("cid_sxdwXPRxt-Xt6Ch4n", "1", &place));
        assert_ne!(new, reshaped("cid_sxdwXPRxt-Xt6Ch4n", "2", &place));
        for seed in 0..200 {
            let number = reshaped("70", &seed.to_string(), &place);
            assert!(number.parse::<u8>().is_ok_and(|number| number >= 10), "{number}");
        }
    }
}
