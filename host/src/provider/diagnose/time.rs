//! Times in the signed text: seconds where the sender signs milliseconds, or the other way round.

use super::Variant;
use crate::provider::place::Place;
use crate::provider::sign::edit;
use crate::provider::signature::Table;
use crate::provider::source::Source;
use crate::provider::template::{Lookup, Template};
use crate::provider::view::{Parsed, View};
use crate::request::Incoming;

pub(super) fn variants(source: &Source, request: &Incoming) -> Vec<Variant> {
    let parsed = Parsed::new(request, source.provider.reads);
    let view = source.view(&parsed);
    let tables = || source.provider.tables.iter();
    let signed = source.provider.reach(tables().flat_map(Table::bound).flat_map(Template::places));
    let mut variants = Vec::new();
    for place in signed {
        match place {
            Place::Sig(name) => {
                variants.extend(
                    tables()
                        .filter_map(|table| part(table, name, &view))
                        .map(|(changed, unit)| told(changed, place, unit)),
                );
            }
            place if edit::writable(place) => {
                let text = view.bytes(place).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let Some((text, unit)) = text.as_deref().and_then(other) else { continue };
                let mut changed = request.clone();
                if edit::put(&mut changed, place, &text).is_ok() {
                    variants.push(told(changed, place, unit));
                }
            }
            _ => {}
        }
    }
    variants
}

/// The request with another time in a part of its signature's text.
fn part(table: &Table, name: &str, view: &View<'_>) -> Option<(Incoming, &'static str)> {
    let from = table.from.iter().find(|from| from.filters.is_empty() && edit::writable(&from.place))?;
    let text = String::from_utf8(view.bytes(&from.place)?.into_owned()).ok()?;
    let (parts, _) = table.signatures(&text, &[], &[]);
    let (_, old) = parts.named.iter().find(|(known, _)| known == name)?;
    let (new, unit) = other(old)?;
    let mut changed = view.parsed.request.clone();
    edit::put(&mut changed, &from.place, &text.replacen(old.as_ref(), &new, 1)).ok()?;
    Some((changed, unit))
}

/// The same time in the other unit, and its name.
fn other(text: &str) -> Option<(String, &'static str)> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        10 if digits => Some((format!("{text}000"), "milliseconds, not in seconds")),
        13 if digits => Some((text[..10].to_owned(), "seconds, not in milliseconds")),
        _ => None,
    }
}

fn told(changed: Incoming, place: &Place, unit: &str) -> Variant {
    let says = format!("when the time at {place} is in {unit}: the request must carry the time that the sender signs");
    Variant::of_request(changed, says)
}
