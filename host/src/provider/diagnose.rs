//! Why a signature does not match: the same check with one thing changed at a time, until one matches.
//!
//! For people at a terminal. The gateway never asks: to whoever calls it this would be an oracle.

mod body;
mod layout;
mod secret;
mod signature;
mod time;
mod url;
mod varied;

use std::sync::Arc;

use jiff::Timestamp;

use super::prove::Try;
use super::remote::Fetched;
use super::source::Source;
use super::verify::{Verified, trace};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// Checks that one diagnosis may cost.
const MOST: usize = 200;

/// Something that may be wrong, put right.
struct Variant {
    source: Option<Source>,
    request: Option<Incoming>,
    /// What would have matched, and what to do.
    says: String,
}

impl Variant {
    fn of_source(source: Source, says: impl Into<String>) -> Self {
        Self { source: Some(source), request: None, says: says.into() }
    }

    fn of_request(request: Incoming, says: impl Into<String>) -> Self {
        Self { source: None, request: Some(request), says: says.into() }
    }
}

/// Things of one kind that may be wrong, the likeliest first.
struct Suspect {
    name: &'static str,
    variants: fn(&Source, &Incoming) -> Vec<Variant>,
}

/// In order of likelihood.
const SUSPECTS: [Suspect; 5] = [
    Suspect { name: "the secret in other forms and with other ends", variants: secret::variants },
    Suspect { name: "the body with other line ends and written anew", variants: body::variants },
    Suspect { name: "times in another unit", variants: time::variants },
    Suspect { name: "other forms of the URL", variants: url::variants },
    Suspect { name: "other algorithms, encodings and prefixes", variants: signature::variants },
];

/// What would make the signature of a refused request match, one sentence each, without any secret; where nothing does
/// one that says what was tried. Empty where the signature is not what is wrong.
pub fn diagnose(source: &Source, request: &Arc<Incoming>, now: Timestamp) -> Vec<String> {
    let (tries, result) = trace(source, request, &Fetched::default(), now);
    if !mismatches(source, &tries, &result) {
        return Vec::new();
    }
    let (findings, tried) = findings(source, request, now);
    if findings.is_empty() { vec![nothing(source, &tries, &tried)] } else { findings }
}

fn mismatches(source: &Source, tries: &[Try], result: &Result<Verified, Rejection>) -> bool {
    let Err(rejection) = result else { return false };
    let unlike = match rejection.reason {
        Reason::SignatureMismatch => true,
        // What does not parse is told before what does not match.
        Reason::Malformed => !tries.is_empty(),
        _ => false,
    };
    unlike && !source.provider.tables.is_empty() && !tries.iter().any(|attempt| attempt.matched)
}

/// At most one of each kind, and the kinds that were tried.
fn findings(source: &Source, request: &Arc<Incoming>, now: Timestamp) -> (Vec<String>, Vec<&'static str>) {
    let (mut findings, mut tried, mut left) = (Vec::new(), Vec::new(), MOST);
    for suspect in SUSPECTS {
        let variants = (suspect.variants)(source, request);
        if !variants.is_empty() && left > 0 {
            tried.push(suspect.name);
        }
        for Variant { source: varied, request: changed, says } in variants.into_iter().take(left) {
            left -= 1;
            let changed = changed.map_or_else(|| request.clone(), Arc::new);
            if is_proven(varied.as_ref().unwrap_or(source), &changed, now) {
                findings.push(format!("the signature matches {says}"));
                break;
            }
        }
    }
    (findings, tried)
}

/// Whether the signatures match, whatever else is wrong.
fn is_proven(source: &Source, request: &Arc<Incoming>, now: Timestamp) -> bool {
    let (tries, result) = trace(source, request, &Fetched::default(), now);
    match result {
        Ok(verified) => verified.by.is_some(),
        Err(_) => source.provider.each.is_none() && tries.iter().any(|attempt| attempt.matched),
    }
}

fn nothing(source: &Source, tries: &[Try], tried: &[&str]) -> String {
    let length = tries.iter().find_map(|attempt| {
        let alg = source.provider.tables[attempt.table].algorithm.name;
        let (has, makes) = (attempt.received.len(), attempt.expected.as_ref()?.len());
        (alg != "static" && has != makes).then(|| format!("; the signature has {has} bytes, {alg} makes {makes}"))
    });
    let tried = if tried.is_empty() { "nothing could be tried".into() } else { format!("tried: {}", tried.join(", ")) };
    format!(
        "nothing that is often wrong explains it ({tried}){}: compare the secret with the provider's, and the signed \
         text with its documents",
        length.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
