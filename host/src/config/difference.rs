//! What changed from one configuration to the next, by name: for the log, the admin API and those who swap the parts.
//!
//! Values are said of plain settings alone. A secret, a URL and whatever belongs to a source or a destination are only named.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Config;
use super::print::{Mark, Print};

/// Settings that a running gateway cannot exchange, and why.
const FIXED: [(&str, &str); 9] = [
    ("journal.path", "the journal is open there"),
    ("journal.engine", "the journal is open in it"),
    ("journal.key", "the journal is open with it"),
    ("journal.url", "the journal is open there"),
    ("journal.schema", "the journal is open in it"),
    ("journal.connections", "the journal is open with them"),
    ("journal.lease", "the journal is open with it"),
    ("journal.ca", "the journal is open with it"),
    ("log.format", "the log is being written in it"),
];

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Difference(pub Vec<Change>);

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What happened to it.
    pub change: How,
    /// What it is.
    pub what: What,
    /// Its name; a setting's is its whole key.
    pub name: String,
    /// What of it changed, where it is a source or a destination.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// What a setting was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What happens to things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// It says something else.
    Changed,
}

/// What a configuration is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A key of a section without names.
    Setting,
    /// `[sources.NAME]`.
    Source,
    /// `[destinations.NAME]`.
    Destination,
    /// One of `[[routes]]`.
    Route,
    /// One of `[[polls]]`.
    Poll,
    /// A provider of the plugin folders.
    Provider,
}

impl Difference {
    /// From the one to the other.
    pub fn between(old: &Config, new: &Config) -> Self {
        Self::of(&old.print, &new.print)
    }

    fn of(old: &Print, new: &Print) -> Self {
        let mut difference = Self::default();
        difference.settings(old, new);
        difference.named(What::Source, old.named("sources"), new.named("sources"));
        difference.named(What::Destination, old.named("destinations"), new.named("destinations"));
        difference.listed(What::Route, old.list("routes"), new.list("routes"));
        difference.listed(What::Poll, old.list("polls"), new.list("polls"));
        difference
    }

    /// Says one more.
    pub fn push(&mut self, change: How, what: What, name: &str) {
        self.0.push(Change { change, what, name: name.to_owned(), keys: Vec::new(), from: None, to: None });
    }

    /// What became of the things of one kind, by name.
    pub fn of_kind(&self, what: What) -> impl Iterator<Item = (&str, How)> {
        self.0.iter().filter(move |change| change.what == what).map(|change| (change.name.as_str(), change.change))
    }

    /// The settings that only a new process can change, and why.
    pub fn fixed(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let fixed = |name: &str| {
            let within =
                |key: &str| name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            FIXED.iter().find(|(key, _)| within(key)).map(|(_, why)| *why)
        };
        self.of_kind(What::Setting).filter_map(move |(name, _)| Some((name, fixed(name)?)))
    }

    fn settings(&mut self, old: &Print, new: &Print) {
        let (old, new) = (old.settings(), new.settings());
        for (name, change) in changes(&old, &new) {
            let shown = |of: &BTreeMap<String, &Mark>| of.get(&name).and_then(|mark| mark.shown.clone());
            let (from, to) = (shown(&old), shown(&new));
            self.0.push(Change { change, what: What::Setting, name, keys: Vec::new(), from, to });
        }
    }

    fn named(&mut self, what: What, old: Keys<'_>, new: Keys<'_>) {
        for (name, change) in changes(&old, &new) {
            let keys = match (old.get(name), new.get(name)) {
                (Some(old), Some(new)) => changes(old, new).into_iter().map(|(key, _)| key).collect(),
                _ => Vec::new(),
            };
            self.0.push(Change { change, what, name: name.to_owned(), keys, from: None, to: None });
        }
    }

    /// Those that only one side has, in the order in which they stand; equal labels are one that changed.
    fn listed<H: PartialEq>(&mut self, what: What, old: &[(String, H)], new: &[(String, H)]) {
        let only = |of: &[(String, H)], others: &[(String, H)]| -> Vec<String> {
            of.iter()
                .filter(|(_, hash)| others.iter().all(|(_, other)| other != hash))
                .map(|(name, _)| name.clone())
                .collect()
        };
        let (mut gone, come) = (only(old, new), only(new, old));
        for name in come {
            let before = gone.iter().position(|gone| *gone == name);
            let change = before.map_or(How::Added, |_| How::Changed);
            before.map(|at| gone.remove(at));
            self.push(change, what, &name);
        }
        gone.iter().for_each(|name| self.push(How::Removed, what, name));
        let order = |of: &[(String, H)]| of.len();
        if self.of_kind(what).next().is_none()
            && (order(old) != order(new) || old.iter().zip(new).any(|(a, b)| a.1 != b.1))
        {
            self.push(How::Changed, what, "order");
        }
    }
}

type Keys<'a> = BTreeMap<&'a str, BTreeMap<String, &'a Mark>>;

/// By name, what only one side has or what differs.
fn changes<K: Ord + Clone, V: PartialEq>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> Vec<(K, How)> {
    let come = new.iter().filter_map(|(name, is)| match old.get(name) {
        None => Some((name.clone(), How::Added)),
        Some(was) if was != is => Some((name.clone(), How::Changed)),
        Some(_) => None,
    });
    let gone = old.keys().filter(|name| !new.contains_key(name)).map(|name| (name.clone(), How::Removed));
    come.chain(gone).collect()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.change, self.what, self.name)?;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from == to => write!(f, ": {to}, its content changed"),
            (Some(from), Some(to)) => write!(f, ": {from} -> {to}"),
            (Some(value), None) | (None, Some(value)) => write!(f, ": {value}"),
            (None, None) if self.keys.is_empty() => Ok(()),
            (None, None) => write!(f, " ({})", self.keys.join(", ")),
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Setting => "setting",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Route => "route",
            Self::Poll => "poll",
            Self::Provider => "provider",
        })
    }
}
