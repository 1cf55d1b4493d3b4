//! Case files written by us: a request signed with test keys, and behind it what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;

use crate::case::Case;
use crate::cli::verify::judged::judge;
use crate::event::{Event, EventState};
use crate::gateway::Plugin;
use crate::provider::ack::Ack;
use crate::provider::place::Place;
use crate::provider::remote::Fetched;
use crate::provider::sign::{PrivateKeys, Tamper, sign};
use crate::provider::source::Source;
use crate::request::Incoming;

/// The members of an event that a case names.
const NAMED: [&str; 4] = ["type", "subject", "providereventid", "data"];

/// The samples signed, and of the first what must be refused: by name and text.
pub(super) fn cases(
    plugin: &Plugin,
    source: &Source,
    samples: Vec<(String, Case)>,
    now: Timestamp,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let keys = PrivateKeys::new();
    let mut cases = Vec::new();
    for (index, (name, sample)) in samples.into_iter().enumerate() {
        let signed = sign(source, &sample.request, &keys, now).map_err(|error| error.to_string())?;
        if index == 0 {
            let mut refused = |name: &str, request: Option<Incoming>| {
                cases.extend(request.map(|request| (name.to_owned(), text(plugin, source, &sample, request, now))));
            };
            refused("a_forged_body_is_refused", signed.tampered(source, Tamper::Body, now).ok());
            refused("a_forged_signature_is_refused", signed.tampered(source, Tamper::Signature, now).ok());
            refused("a_missing_signature_is_refused", unsigned(source, &signed.request));
            let past =
                now - SignedDuration::try_from(source.tolerance).unwrap_or_default() - SignedDuration::from_hours(1);
            let dated = source.provider.description.timestamp.is_some();
            let stale = dated.then(|| sign(source, &sample.request, &keys, past).ok()).flatten();
            refused("a_stale_request_is_refused", stale.map(|signed| signed.request));
        }
        let text = text(plugin, source, &sample, signed.request, now);
        cases.push((name, text));
    }
    cases.into_iter().map(|(name, text)| Ok((name, text?))).collect()
}

/// The request without the header that carries its signature.
fn unsigned(source: &Source, request: &Incoming) -> Option<Incoming> {
    let mut request = request.clone();
    let froms = source.provider.description.verify.iter().flat_map(|table| table.from.iter());
    let mut removed = false;
    for from in froms {
        if let Ok(Place::Header(name)) = from.parse() {
            removed |= request.headers.remove(name).is_some();
        }
    }
    removed.then_some(request)
}

/// A case: the request in the spelling of `sample`, and what comes of it now.
pub(in crate::cli) fn text(
    plugin: &Plugin,
    source: &Source,
    sample: &Case,
    request: Incoming,
    now: Timestamp,
) -> Result<Vec<u8>, String> {
    let request = Incoming { received: now, ..request };
    let judged = judge(source, plugin, &Arc::new(request.clone()), &Fetched::default(), now);
    let undecoded = judged.events.iter().any(|event| event.state == EventState::Undecoded);
    let mut sections = Vec::new();
    match &judged.reason {
        _ if undecoded => sections.push(("undecoded", String::new())),
        Some(rejection) => sections.push(("rejected", format!("{}\n", rejection.reason.code()))),
        None => {
            for event in &judged.events {
                sections.push(("event", told(event)?));
            }
        }
    }
    let warnings: Vec<String> = judged.events.iter().flat_map(|event| event.warnings.clone()).collect();
    if !warnings.is_empty() {
        sections.push(("warnings", warnings.join("\n") + "\n"));
    }
    sections.push(("ack", answer(&judged.ack)));
    let mut case = sample.clone();
    case.sections = sections.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect();
    Ok(case.with(&request))
}

/// A member a line, as the five providers' cases are written.
fn told(event: &Event) -> Result<String, String> {
    let json = serde_json::to_string(event).map_err(|error| error.to_string())?;
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let member = |name: &&str| Some(format!("  \"{name}\": {}", members.get(*name)?.get()));
    let lines: Vec<String> = NAMED.iter().filter_map(member).collect();
    Ok(format!("{{\n{}\n}}\n", lines.join(",\n")))
}

fn answer(ack: &Ack) -> String {
    let mut text = format!("{}\n", ack.status);
    for (name, value) in &ack.headers {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    if !ack.body.is_empty() {
        text += &format!("\n{}\n", String::from_utf8_lossy(&ack.body));
    }
    text
}
