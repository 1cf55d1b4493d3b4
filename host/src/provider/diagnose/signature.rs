//! The signature itself: another prefix, another writing, or another algorithm of the same kind.

use super::Variant;
use super::varied::described;
use crate::provider::algorithm::{self, Algorithm, KeyKind};
use crate::provider::signature::{Encoding, Table};
use crate::provider::source::Source;
use crate::provider::view::{Parsed, View};
use crate::request::Incoming;

/// How a signature may be written.
const ENCODINGS: [&str; 3] = ["hex", "base64", "base64url"];
/// Prefixes that are looked at in one table's texts.
const MOST: usize = 4;

pub(super) fn variants(source: &Source, request: &Incoming) -> Vec<Variant> {
    let parsed = Parsed::new(request, source.provider.reads);
    let view = source.view(&parsed);
    let tables = source.provider.tables.iter().enumerate().filter(|(_, table)| table.applies(&view));
    tables
        .flat_map(|(index, table)| {
            let prefixes = prefixes(source, index, table, &view);
            prefixes.into_iter().chain(encodings(source, index, table)).chain(algorithms(source, index, table))
        })
        .collect()
}

fn prefixes(source: &Source, index: usize, table: &Table, view: &View<'_>) -> Vec<Variant> {
    let mut variants = Vec::new();
    if let Some(prefix) = &table.prefix {
        let says = format!("without the prefix {prefix:?} of verify.{index}: send it in front, or take the prefix out");
        let varied = described(source, index, |written| written.prefix = None);
        variants.extend(varied.map(|varied| Variant::of_source(varied, says)));
    }
    for prefix in sent(table, view) {
        let says = format!("behind {prefix:?}: say prefix = {prefix:?} in verify.{index}, or send it without");
        let varied = described(source, index, |written| written.prefix = Some(prefix.clone()));
        variants.extend(varied.map(|varied| Variant::of_source(varied, says)));
    }
    variants
}

/// What stands in front of candidates: a word and a sign or a space.
fn sent(table: &Table, view: &View<'_>) -> Vec<String> {
    let mut prefixes = Vec::new();
    for text in table.texts(view) {
        let Ok(text) = std::str::from_utf8(&text) else { continue };
        let (parts, _) = table.signatures(text, &[], &[]);
        for candidate in parts.candidates {
            let end = candidate.find(['=', ':', ' ', ',']).map(|at| at + 1);
            let prefix =
                end.filter(|end| *end <= 16 && end + 2 < candidate.len()).map(|end| candidate[..end].to_owned());
            prefixes.extend(prefix.filter(|prefix| table.prefix.as_ref() != Some(prefix)));
        }
    }
    prefixes.dedup();
    prefixes.truncate(MOST);
    prefixes
}

fn encodings(source: &Source, index: usize, table: &Table) -> Vec<Variant> {
    if table.algorithm.name == "static" || table.algorithm.token.is_some() {
        return Vec::new();
    }
    let encodings = ENCODINGS.into_iter().filter_map(|encoding| {
        let own = &source.ready[index].encodings;
        let new = Encoding::named(encoding)?;
        if new.iter().all(|new| own.contains(new)) {
            return None;
        }
        let varied = described(source, index, |written| written.encoding.0 = vec![encoding.to_owned()])?;
        let says = format!("when it is read as {encoding}: say encoding = \"{encoding}\" in verify.{index}");
        Some(Variant::of_source(varied, says))
    });
    encodings.collect()
}

fn algorithms(source: &Source, index: usize, table: &Table) -> Vec<Variant> {
    let own = table.algorithm;
    let others = algorithm::names().into_iter().filter(|name| *name != own.name);
    let others = others.filter(|name| algorithm::named(name).is_some_and(|other| alike(own, other)));
    let algorithms = others.filter_map(|name| {
        let varied = described(source, index, |written| written.alg = name.to_owned())?;
        let says = format!(
            "when it is checked with {name}, not with {}: say alg = \"{name}\" in verify.{index}, or at the sender",
            own.name
        );
        Some(Variant::of_source(varied, says))
    });
    algorithms.collect()
}

/// Whether they differ in their digest alone.
fn alike(own: &Algorithm, other: &Algorithm) -> bool {
    let family =
        |algorithm: &Algorithm| ["hmac-", "rsa-pkcs1-"].into_iter().find(|kind| algorithm.name.starts_with(kind));
    match (own.key, other.key) {
        (KeyKind::None, KeyKind::None) => true,
        _ => family(own).is_some() && family(own) == family(other),
    }
}
