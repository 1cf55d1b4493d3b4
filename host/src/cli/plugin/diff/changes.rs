//! What differs between two files for whoever runs or configures them. Pure: two inspections go in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::version::Bump;
use crate::plugin::{CodePart, Inspection, ProviderPart};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// What kind of thing: a secret, an event.
    pub(super) what: &'static str,
    name: String,
    /// What it was, where it was.
    from: Option<String>,
    /// What it is, where it is.
    to: Option<String>,
    pub(super) asks: Bump,
}

/// How much each way to differ asks for.
struct Asks {
    added: Bump,
    removed: Bump,
    changed: Bump,
}

const ADDS: Asks = Asks { added: Bump::Minor, removed: Bump::Major, changed: Bump::Minor };
/// What a machine or a gateway must have.
const NEEDS: Asks = Asks { added: Bump::Minor, removed: Bump::Patch, changed: Bump::Minor };
const TOLD: Asks = Asks { added: Bump::Minor, removed: Bump::Minor, changed: Bump::Minor };

/// Everything that differs, what asks for most first.
pub(super) fn changes(a: &Inspection, b: &Inspection) -> Vec<Change> {
    let mut all = Vec::new();
    if let (Some(old), Some(new)) = (&a.provider, &b.provider) {
        described(old, new, &mut all);
    }
    sets("event", &a.events, &b.events, &ADDS, &mut all);
    needs(a.code.as_ref(), b.code.as_ref(), &mut all);
    all.sort_by_key(|change| Reverse(change.asks));
    all
}

fn described(old: &ProviderPart, new: &ProviderPart, all: &mut Vec<Change>) {
    let strict = Asks { changed: Bump::Major, ..ADDS };
    single("provider", Some(&old.id), Some(&new.id), &strict, all);
    single("route", old.route.as_ref(), new.route.as_ref(), &strict, all);
    sets("scheme", &old.schemes, &new.schemes, &ADDS, all);
    single("covers", Some(&old.covers), Some(&new.covers), &TOLD, all);
    let seconds = |part: &ProviderPart| part.tolerance_s.map(|seconds| format!("{seconds} s"));
    single("signed time", seconds(old).as_ref(), seconds(new).as_ref(), &TOLD, all);
    let handshakes = |part: &ProviderPart| part.handshakes.iter().map(ToString::to_string).collect::<Vec<_>>();
    sets("handshake", &handshakes(old), &handshakes(new), &ADDS, all);
    maps("header", &old.headers, &new.headers, &TOLD, all);
    slots("secret", &old.secrets, &new.secrets, all);
    slots("setting", &old.settings, &new.settings, all);
    maps("ack", &old.acks, &new.acks, &TOLD, all);
    sets("redacted field", &old.redact, &new.redact, &TOLD, all);
    sets("decrypted field", &old.open, &new.open, &TOLD, all);
    sets("event type's source", &old.event_type, &new.event_type, &TOLD, all);
    // The words about an operation are its documentation.
    let operations = |part: &ProviderPart| part.operations.keys().cloned().collect::<Vec<_>>();
    sets("operation", &operations(old), &operations(new), &ADDS, all);
}

/// What the gateway and its machine must have.
fn needs(old: Option<&CodePart>, new: Option<&CodePart>, all: &mut Vec<Change>) {
    let field = |part: Option<&CodePart>, field: fn(&CodePart) -> Option<String>| part.and_then(field);
    let mut one = |what, read: fn(&CodePart) -> Option<String>| {
        single(what, field(old, read).as_ref(), field(new, read).as_ref(), &NEEDS, all);
    };
    one("native code", |code| Some(code.target.clone()));
    one("ABI", |code| Some(code.abi.clone()));
    one("oldest gateway's ABI", |code| Some(code.abi_at_least.clone()));
    one("glibc", |code| code.glibc.clone());
    one("start-up functions", |code| Some(code.startup_functions.to_string()));
    let list = |part: Option<&CodePart>, read: fn(&CodePart) -> Vec<String>| part.map(read).unwrap_or_default();
    let mut many =
        |what, read: fn(&CodePart) -> Vec<String>| sets(what, &list(old, read), &list(new, read), &NEEDS, all);
    many("library", |code| code.needs.clone());
    many("function", |code| code.functions.iter().map(|name| (*name).to_owned()).collect());
}

fn single(what: &'static str, old: Option<&String>, new: Option<&String>, asks: &Asks, all: &mut Vec<Change>) {
    let bump = match (old, new) {
        (old, new) if old == new => return,
        (None, _) => asks.added,
        (_, None) => asks.removed,
        _ => asks.changed,
    };
    all.push(Change { what, name: String::new(), from: old.cloned(), to: new.cloned(), asks: bump });
}

fn sets(what: &'static str, old: &[String], new: &[String], asks: &Asks, all: &mut Vec<Change>) {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    let change = |name: &String, asks, there: bool| {
        let (from, to) = if there { (None, Some(name.clone())) } else { (Some(name.clone()), None) };
        Change { what, name: name.clone(), from, to, asks }
    };
    all.extend(old.difference(&new).map(|name| change(name, asks.removed, false)));
    all.extend(new.difference(&old).map(|name| change(name, asks.added, true)));
}

type Texts = BTreeMap<String, String>;

fn maps(what: &'static str, old: &Texts, new: &Texts, asks: &Asks, all: &mut Vec<Change>) {
    let bump = |from: Option<&String>, to: Option<&String>| match (from, to) {
        (None, _) => asks.added,
        (_, None) => asks.removed,
        _ => asks.changed,
    };
    differing(what, old, new, bump, all);
}

/// Secrets and settings: one that is newly required stops whoever has it not, one that is gone stops whoever has it.
fn slots(what: &'static str, old: &Texts, new: &Texts, all: &mut Vec<Change>) {
    // The first word of a setting without a default, the second of a secret that must be there.
    let head = |text: &String| text.split(": ").next().unwrap_or_default().to_owned();
    let required = |text: &String| head(text).split(", ").any(|word| word == "required");
    let bump = move |from: Option<&String>, to: Option<&String>| match (from, to) {
        (_, None) => Bump::Major,
        (from, Some(to)) if required(to) && !from.is_some_and(&required) => Bump::Major,
        (None, Some(_)) => Bump::Minor,
        (Some(from), Some(to)) if head(from) == head(to) => Bump::Patch,
        // Of what may be chosen something may be gone.
        (Some(from), Some(to)) if fewer(&head(from), &head(to)) => Bump::Major,
        _ => Bump::Minor,
    };
    differing(what, old, new, bump, all);
}

/// Whether one of the choices is gone, or there are choices where there were none.
fn fewer(old: &str, new: &str) -> bool {
    let choices = |text: &str| text.split_once(", one of ").map(|(_, list)| list.to_owned());
    match (choices(old), choices(new)) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => old.split(", ").any(|choice| !new.split(", ").any(|other| other == choice)),
    }
}

fn differing(
    what: &'static str,
    old: &Texts,
    new: &Texts,
    bump: impl Fn(Option<&String>, Option<&String>) -> Bump,
    all: &mut Vec<Change>,
) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (from, to) = (old.get(name), new.get(name));
        if from != to {
            let asks = bump(from, to);
            all.push(Change { what, name: name.clone(), from: from.cloned(), to: to.cloned(), asks });
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, from, to, asks } = self;
        write!(f, "{asks}: {what}")?;
        let named = !name.is_empty() && from.as_ref().or(to.as_ref()) != Some(name);
        if named {
            write!(f, " {name}")?;
        }
        match (from, to) {
            (Some(from), Some(to)) => write!(f, ": {from} -> {to}"),
            (Some(from), None) => write!(f, " is gone: {from}"),
            (None, Some(to)) => write!(f, " is new: {to}"),
            (None, None) => Ok(()),
        }
    }
}
