//! Accepted fixtures, changed in every way that a forger would: each copy must be refused, or say nothing new.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use rand::RngExt;

use super::Verdict;
use super::stage::{Bench, Stage};
use crate::case::Case;
use crate::provider::place::Place;
use crate::provider::sign::{Tamper, sign};
use crate::reason::Reason;
use crate::request::Incoming;

/// Copies of each fixture, for what is tried at random places.
const COPIES: usize = 64;

/// Runs a check on every fixture of a provider that signs; the check tells what is wrong.
fn each(bench: &Bench, check: impl Fn(&Stage) -> Vec<String>) -> Verdict {
    if !bench.is_signed() {
        return Verdict::left_out("the provider signs nothing");
    }
    if bench.stages.is_empty() {
        return Verdict::left_out("no fixture is accepted");
    }
    let told =
        |stage: &Stage| check(stage).into_iter().map(|what| format!("{}: {what}", stage.name)).collect::<Vec<_>>();
    Verdict::of(bench.stages.iter().flat_map(told).collect())
}

/// Whether a copy would bring what its original does not say.
fn tells(bench: &Bench, stage: &Stage, copy: Incoming) -> bool {
    let news = stage.news_of(&bench.plugin, copy, stage.now);
    !news.is_empty() && news != stage.news(&bench.plugin)
}

pub(super) fn flipped_bytes(bench: &Bench) -> Verdict {
    let covers = bench.covers();
    if covers == "none" {
        return Verdict::left_out("covers = \"none\": nothing of the body is signed");
    }
    each(bench, |stage| {
        let mut dice = bench.dice();
        let body = &stage.request.body;
        let mut passed = Vec::new();
        let copies = if body.is_empty() { 0 } else { COPIES };
        for copy in 0..copies {
            // The ends are where an author's mistake would be.
            let at = match copy {
                0 => 0,
                1 => body.len() - 1,
                _ => dice.random_range(0..body.len()),
            };
            let mut bytes = body.to_vec();
            bytes[at] ^= 1;
            if tells(bench, stage, Incoming { body: bytes.into(), ..stage.request.clone() }) {
                passed.push(at);
            }
        }
        match covers {
            "fields" if passed.len() < copies.max(1) => Vec::new(),
            _ if passed.is_empty() => Vec::new(),
            _ => vec![format!("byte {} of the body can be changed, and covers = {covers:?}", passed[0])],
        }
    })
}

pub(super) fn forged(bench: &Bench) -> Verdict {
    let verdict = each(bench, |stage| {
        let Ok(signed) = sign(&stage.source, &stage.request, &stage.keys, stage.now) else { return Vec::new() };
        let Ok(other) = signed.tampered(&stage.source, Tamper::Signature, stage.now) else { return Vec::new() };
        if several(bench, stage) {
            return Vec::new();
        }
        if stage.proves(other, stage.now) { vec!["another signature is accepted".to_owned()] } else { Vec::new() }
    });
    let signs = |stage: &&Stage| sign(&stage.source, &stage.request, &stage.keys, stage.now).is_ok();
    match bench.stages.iter().filter(signs).count() {
        0 if verdict.is_good() && bench.is_signed() => {
            Verdict::left_out("no fixture can be signed anew: put test keys into fixtures/keys")
        }
        _ => verdict,
    }
}

/// The headers of the request that carry signatures.
fn signatures(bench: &Bench, stage: &Stage) -> Vec<HeaderName> {
    let froms = bench.plugin.provider.description.verify.iter().flat_map(|table| table.from.iter());
    let names = froms.filter_map(|from| header(from)).filter(|name| stage.request.headers.contains_key(name));
    let mut names: Vec<HeaderName> = names.collect();
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    names
}

fn header(from: &str) -> Option<HeaderName> {
    match from.parse() {
        Ok(Place::Header(name)) => Some(name),
        _ => None,
    }
}

/// The request without these headers.
fn without(stage: &Stage, names: &[HeaderName]) -> Incoming {
    let mut copy = stage.request.clone();
    names.iter().for_each(|name| drop(copy.headers.remove(name)));
    copy
}

/// Whether it carries more than one signature that would do.
fn several(bench: &Bench, stage: &Stage) -> bool {
    let needless = |name: &HeaderName| stage.proves(without(stage, std::slice::from_ref(name)), stage.now);
    let numbered = |name: &HeaderName, prefix: &str| name.as_str().starts_with(prefix);
    let many = |from: &String| match from.parse() {
        Ok(Place::HeaderSeq(prefix)) => stage.request.headers.keys().filter(|name| numbered(name, &prefix)).count() > 1,
        _ => false,
    };
    let froms = bench.plugin.provider.description.verify.iter().flat_map(|table| table.from.iter());
    froms.clone().any(many) || signatures(bench, stage).iter().any(needless)
}

pub(super) fn missing_header(bench: &Bench) -> Verdict {
    let time = bench.plugin.provider.description.timestamp.as_ref().and_then(|time| header(&time.from));
    each(bench, |stage| {
        let time = time.clone().filter(|name| stage.request.headers.contains_key(name));
        let tried = [signatures(bench, stage), time.into_iter().collect()];
        let accepted = |names: &&Vec<HeaderName>| !names.is_empty() && stage.proves(without(stage, names), stage.now);
        tried.iter().filter(accepted).map(|names| format!("without {names:?} it is accepted")).collect()
    })
}

pub(super) fn doubled_header(bench: &Bench) -> Verdict {
    each(bench, |stage| {
        let mut wrong = Vec::new();
        for name in signatures(bench, stage) {
            let Some(value) = stage.request.headers.get(&name).cloned() else { continue };
            let forged = HeaderValue::from_static("0");
            let doubled = |first: &HeaderValue, second: &HeaderValue| {
                let mut copy = stage.request.clone();
                copy.headers.insert(&name, first.clone());
                copy.headers.append(&name, second.clone());
                copy
            };
            // Each value is tried: a true one beside a forged one proves what it proves alone.
            if tells(bench, stage, doubled(&forged, &value)) || tells(bench, stage, doubled(&value, &forged)) {
                wrong.push(format!("a forged {name} beside the true one changes the event"));
            }
            if !several(bench, stage) && stage.proves(doubled(&forged, &forged), stage.now) {
                wrong.push(format!("two forged {name} are accepted"));
            }
        }
        for rule in &bench.plugin.provider.description.headers {
            let Ok(name) = rule.name.to_ascii_lowercase().parse::<HeaderName>() else { continue };
            let Some(value) = stage.request.headers.get(&name).cloned() else { continue };
            let mut copy = stage.request.clone();
            copy.headers.append(&name, value);
            if stage.reason(&bench.plugin, copy, stage.now) != Some(Reason::HeaderMismatch) {
                wrong.push(format!("{name} may come twice, although [[headers]] names it"));
            }
        }
        wrong
    })
}

pub(super) fn recased_header(bench: &Bench) -> Verdict {
    each(bench, |stage| {
        let mut text = format!("{} {} HTTP/1.1\n", stage.request.method, stage.request.target).into_bytes();
        for (name, value) in &stage.request.headers {
            text.extend_from_slice(name.as_str().to_ascii_uppercase().as_bytes());
            text.extend_from_slice(&[b": ", value.as_bytes(), b"\n"].concat());
        }
        text.push(b'\n');
        text.extend_from_slice(&stage.request.body);
        let Ok(Case { request, .. }) = Case::parse(&text) else { return Vec::new() };
        let copy =
            Incoming { peer: stage.request.peer, received: stage.now, body: stage.request.body.clone(), ..request };
        match stage.news_of(&bench.plugin, copy, stage.now) == stage.news(&bench.plugin) {
            true => Vec::new(),
            false => vec!["with header names in upper case it is another request".to_owned()],
        }
    })
}

pub(super) fn other_encoding(bench: &Bench) -> Verdict {
    let tables = &bench.plugin.provider.description.verify;
    // What any table takes is not another encoding.
    let taken = |encoding: &str| {
        tables.iter().flat_map(|table| table.encoding.iter()).any(|it| it == encoding || it.contains('$'))
    };
    each(bench, |stage| {
        let mut wrong = Vec::new();
        if several(bench, stage) || ["hex", "base64"].into_iter().all(taken) {
            return wrong;
        }
        for table in tables.iter() {
            let [from, encoding] = [&table.from, &table.encoding].map(|list| list.first().map(String::as_str));
            let (Some(from), Some(encoding), 1) = (from, encoding, table.encoding.len()) else { continue };
            let Some(name) = header(from) else { continue };
            let Some(text) = stage.request.headers.get(&name).and_then(|value| value.to_str().ok()) else { continue };
            let prefix = table.prefix.as_deref().unwrap_or_default();
            let Some(other) = text.strip_prefix(prefix).and_then(|text| recoded(text, encoding)) else { continue };
            let Ok(value) = HeaderValue::from_str(&format!("{prefix}{other}")) else { continue };
            let mut copy = stage.request.clone();
            copy.headers.insert(&name, value);
            if stage.proves(copy, stage.now) {
                wrong.push(format!("{name} is declared as {encoding} and accepted in another encoding"));
            }
        }
        wrong
    })
}

/// The same bytes in the other of the two usual encodings.
fn recoded(text: &str, encoding: &str) -> Option<String> {
    match encoding {
        "hex" => hex::decode(text).ok().map(|bytes| STANDARD.encode(bytes)),
        "base64" => STANDARD.decode(text).ok().map(hex::encode),
        _ => None,
    }
}

pub(super) fn stale_time(bench: &Bench) -> Verdict {
    at_another_time(bench, 1)
}

pub(super) fn future_time(bench: &Bench) -> Verdict {
    at_another_time(bench, -1)
}

/// The fixtures, looked at when their time is over, or long before it.
fn at_another_time(bench: &Bench, sign: i32) -> Verdict {
    if bench.plugin.provider.description.timestamp.is_none() {
        return Verdict::left_out("no time is signed: [timestamp] is not declared");
    }
    if bench.stages.iter().all(|stage| stage.source.tolerance.is_zero()) {
        return Verdict::left_out("tolerance_s = 0: freshness is not asked for");
    }
    each(bench, |stage| {
        let Some(then) = shifted(stage, sign).filter(|_| !stage.source.tolerance.is_zero()) else { return Vec::new() };
        match stage.proves(stage.request.clone(), then) {
            true => vec![format!("it is accepted at {then}")],
            false => Vec::new(),
        }
    })
}

/// As far away that no signed time within the tolerance of the fixture's clock is near.
fn shifted(stage: &Stage, sign: i32) -> Option<Timestamp> {
    let far = SignedDuration::try_from(stage.source.tolerance).ok()?.checked_mul(2)?;
    stage.now.checked_add(far.checked_add(SignedDuration::from_hours(1))?.checked_mul(sign)?).ok()
}

pub(super) fn truncated_body(bench: &Bench) -> Verdict {
    if bench.covers() == "none" {
        return Verdict::left_out("covers = \"none\": nothing of the body is signed");
    }
    each(bench, |stage| {
        let mut dice = bench.dice();
        let length = stage.request.body.len();
        let cut = |to: usize| {
            let copy = Incoming { body: stage.request.body.slice(..to), ..stage.request.clone() };
            tells(bench, stage, copy).then(|| format!("cut to {to} of {length} bytes it is other news"))
        };
        let places: Vec<usize> = (0..8).filter(|_| length > 1).map(|_| dice.random_range(1..length)).collect();
        places.into_iter().chain(length.checked_sub(1)).filter_map(cut).take(1).collect()
    })
}

pub(super) fn empty_body(bench: &Bench) -> Verdict {
    if bench.covers() == "none" {
        return Verdict::left_out("covers = \"none\": nothing of the body is signed");
    }
    each(bench, |stage| {
        let copy = Incoming { body: bytes::Bytes::new(), ..stage.request.clone() };
        match !stage.request.body.is_empty() && tells(bench, stage, copy) {
            true => vec!["without its body it is other news".to_owned()],
            false => Vec::new(),
        }
    })
}

pub(super) fn replay(bench: &Bench) -> Verdict {
    if bench.stages.is_empty() {
        return Verdict::left_out("no fixture is accepted");
    }
    let second = SignedDuration::from_secs(1);
    let told = |stage: &Stage| {
        let keys = |now| stage.items(now).iter().map(|item| item.declared.key.hash).collect::<Vec<_>>();
        let again = keys(stage.now.checked_add(second).unwrap_or(stage.now));
        (keys(stage.now) != again).then(|| format!("{}: a second later it has another key", stage.name))
    };
    Verdict::of(bench.stages.iter().filter_map(told).collect())
}
