//! What an operator's configuration and a provider rely on, one text a thing: two versions of a plugin differ for them where
//! these differ.

use std::collections::{BTreeMap, BTreeSet};

use hookport_plugin_api::description::{Ack, Acks, Description, Verify};
use serde_json::Value;

use super::super::Sample;
use crate::case::Case;

/// Each way to prove a request: with what, how it is written, where it is and over what.
pub(super) fn schemes(tables: &[Verify]) -> Vec<String> {
    let scheme = |table: &Verify| {
        let some = |before: &str, texts: &[String]| match texts {
            [] => String::new(),
            texts => format!("{before}{}", texts.join(" or ")),
        };
        format!(
            "{}{}{}{}",
            table.alg,
            some(" in ", &table.from),
            some(", ", &table.encoding),
            some(", over ", &table.message)
        )
    };
    tables.iter().map(scheme).collect()
}

/// The answers that are written, by outcome.
pub(super) fn acks(acks: &Acks) -> BTreeMap<String, String> {
    let written = [
        ("accepted", &acks.accepted),
        ("duplicate", &acks.duplicate),
        ("rejected", &acks.rejected),
        ("malformed", &acks.malformed),
        ("unavailable", &acks.unavailable),
    ];
    written.into_iter().filter_map(|(name, ack)| Some((name.to_owned(), answer(ack.as_ref()?)))).collect()
}

fn answer(ack: &Ack) -> String {
    let status = ack.status.map_or_else(|| "usual status".to_owned(), |status| status.to_string());
    let body = [&ack.json, &ack.text, &ack.xml].into_iter().flatten().next();
    let headers = ack.headers.iter().map(|(name, value)| format!(", {name}: {value}"));
    let signed = if ack.sign.is_empty() && ack.profile.is_none() { "" } else { ", signed" };
    format!("{status}{}{signed}, {}", headers.collect::<String>(), body.map_or("empty", |body| body.trim()))
}

/// The event types that are known: those of the cases that came with it, and the only one where the description names none.
pub(super) fn events(description: &Description, samples: &[Sample]) -> Vec<String> {
    let mut all = BTreeSet::new();
    if description.route.is_some() && description.event.kind.is_empty() {
        all.insert(format!("{}.event", description.provider.id));
    }
    for case in samples.iter().filter_map(|sample| Case::parse(&sample.text).ok()) {
        let told = case.sections.iter().filter(|(name, _)| name == "event");
        let told = told.filter_map(|(_, text)| serde_json::from_slice::<Value>(text).ok());
        all.extend(told.filter_map(|event| Some(event.get("type")?.as_str()?.to_owned())));
    }
    all.into_iter().collect()
}
