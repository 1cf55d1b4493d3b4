//! A signature among what stands beside it: `t=1,v1=...`, `v1,... v1,...`, or alone. Its place keeps what the sample has.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookport_plugin_api::description::Parse;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::filter::Filter;
use super::super::place::Place;
use super::super::signature::Table;
use super::super::source::Source;
use super::super::template::Lookup;
use super::super::view::Parsed;
use super::edit;
use crate::request::Incoming;

/// Where the sample has a signature; else the first place that can have one.
pub(super) fn place(source: &Source, table: &Table, request: &Incoming) -> Place {
    let parsed = Parsed::new(request, source.provider.reads);
    let view = source.view(&parsed);
    let places = || table.from.iter().map(|from| &from.place);
    let filled = |place: &&Place| view.bytes(place).is_some_and(|text| !text.is_empty());
    let found = places().find(filled).or(places().find(|place| edit::writable(place)));
    found.unwrap_or(&table.from[0].place).clone()
}

/// The named parts beside the signature, `${sig:name}`, as the sample has them.
pub(super) fn named(source: &Source, table: &Table, request: &Incoming) -> Vec<(String, String)> {
    let text = current(source, table, request);
    let (parts, _) = table.signatures(&text, &[], &[]);
    if table.split.parse == Parse::Pairs && table.split.pick.is_none() {
        // Each is a signature under its owner's name; the new one takes the first one's.
        return parts.named.into_iter().take(1).map(|(name, _)| (name.into_owned(), String::new())).collect();
    }
    let first = first(table);
    let beside = |name: &str| match table.split.parse {
        Parse::Positional => name.parse().is_ok_and(|index: usize| index < first),
        _ => Some(name) != pick(table).as_deref(),
    };
    let named = parts.named.into_iter().filter(|(name, _)| beside(name));
    named.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The whole text of the signature's place.
pub(super) fn compose(table: &Table, named: &[(String, String)], signature: &str) -> String {
    let split = &table.split;
    let signature = format!("{}{signature}", table.prefix.as_deref().unwrap_or_default());
    match split.parse {
        Parse::Raw | Parse::List => signature,
        Parse::Positional => {
            let before = named.iter().map(|(_, value)| value.as_str());
            before.chain([signature.as_str()]).collect::<Vec<_>>().join(&split.sep)
        }
        Parse::Pairs if split.pick.is_none() => {
            let owner = named.first().map_or("v1", |(name, _)| name.as_str());
            format!("{owner}{}{signature}", split.kv)
        }
        Parse::Kv | Parse::Tagged | Parse::Pairs => {
            let name = pick(table).unwrap_or_default();
            let pairs = named.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let pairs = pairs.chain([(name.as_ref(), signature.as_str())]);
            pairs.map(|(name, value)| format!("{name}{}{value}", split.kv)).collect::<Vec<_>>().join(&split.sep)
        }
    }
}

/// The signature as its place has it, where that is percent-encoded; what stands beside it needs no encoding.
pub(super) fn escaped(table: &Table, place: &Place, signature: String) -> String {
    match filters(table, place).iter().any(|filter| filter.name == "urldecode") {
        true => utf8_percent_encode(&signature, NON_ALPHANUMERIC).to_string(),
        false => signature,
    }
}

/// The text as the place has it: what its other filters undo is done.
pub(super) fn unfiltered(table: &Table, place: &Place, text: String) -> String {
    filters(table, place).iter().rev().fold(text, |text, filter| match filter.name {
        "unbase64" => STANDARD.encode(text),
        _ => text,
    })
}

fn filters<'t>(table: &'t Table, place: &Place) -> &'t [Filter] {
    table.from.iter().find(|from| from.place == *place).map_or(&[], |from| &from.filters)
}

/// In capitals where the sample's is: hexadecimal digits are taken in any case, and look as the provider writes them.
pub(super) fn cased(source: &Source, table: &Table, request: &Incoming, signature: String) -> String {
    let text = current(source, table, request);
    let capitals = table.split.parse == Parse::Raw
        && text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_lowercase());
    let hexadecimal = signature.bytes().all(|byte| byte.is_ascii_hexdigit());
    if capitals && hexadecimal { signature.to_ascii_uppercase() } else { signature }
}

/// The first text that holds a signature.
pub(super) fn current(source: &Source, table: &Table, request: &Incoming) -> String {
    let parsed = Parsed::new(request, source.provider.reads);
    let view = source.view(&parsed);
    let texts = table.texts(&view);
    texts.first().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
}

/// The name that the signature goes under; a scheme that takes any gets the one that most senders use.
fn pick(table: &Table) -> Option<Cow<'_, str>> {
    match table.split.parse {
        Parse::Kv | Parse::Tagged | Parse::Pairs => {
            Some(table.split.pick.as_deref().map_or(Cow::Borrowed("v1"), Cow::Borrowed))
        }
        _ => None,
    }
}

/// Before which the parts of a positional text are no signatures.
fn first(table: &Table) -> usize {
    table.split.pick.as_ref().and_then(|pick| pick.parse().ok()).unwrap_or(0)
}
