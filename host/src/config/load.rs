//! Reads the layers (defaults, file, environment) into the configuration as written, piece by piece.
//!
//! What does not fit is complained about and taken out, and the rest is read again, so that one start tells all mistakes.

mod edit;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;
use toml::de::DeTable;

use self::edit::{forget, put, take_out};
use super::environment::Environment;
use super::expected::{explain, unknown};
use super::files;
use super::origin::Origin;
use super::print::Print;
use super::written::{Destination, Poll, Route, Written};
use crate::provider::complaint::Complaint;

/// The built-in defaults: every key of the sections that need no name.
pub const DEFAULTS: &str = include_str!("../../../config/default.toml");

const SECTIONS: [&str; 11] =
    ["server", "admin", "log", "journal", "plugins", "reload", "traces", "sources", "destinations", "routes", "polls"];

/// A configuration that was read, with what was wrong so far; `resolve` says the rest.
#[derive(Clone)]
pub struct Draft {
    /// What could be read.
    pub written: Written,
    pub(super) origin: Origin,
    pub(super) complaints: Vec<Complaint>,
    /// The original places of the routes that could be read.
    pub(super) route_places: Vec<String>,
    /// The original places of the polls that could be read.
    pub(super) poll_places: Vec<String>,
    /// What was taken out, so that nobody complains that it is missing.
    pub(super) taken_out: BTreeSet<Vec<String>>,
    pub(super) print: Print,
    files: Vec<PathBuf>,
}

impl Draft {
    /// Its own file, and those that it names and that are read with it.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.origin.file()).chain(self.files.iter().map(PathBuf::as_path))
    }

    /// The routes that could be read, each with its place in the file's list, from 1.
    pub fn routes(&self) -> impl Iterator<Item = (usize, &Route)> {
        self.route_places.iter().filter_map(|place| Some(place.parse::<usize>().ok()? + 1)).zip(&self.written.routes)
    }

    /// The polls that could be read, each with its place in the file's list, from 1.
    pub fn polls(&self) -> impl Iterator<Item = (usize, &Poll)> {
        self.poll_places.iter().filter_map(|place| Some(place.parse::<usize>().ok()? + 1)).zip(&self.written.polls)
    }

    /// A complaint about a key that is found out later, such as a key that is no key: `sources.esim.secrets.main`.
    pub fn complaint(&self, key: &str, message: impl Into<String>) -> Complaint {
        self.origin.complaint(&key.split('.').map(str::to_owned).collect::<Vec<_>>(), message)
    }
}

/// Reads a file and the environment over the defaults. An error is a file that cannot be read at all.
pub fn load(file: &Path, environment: &Environment) -> Result<Draft, Vec<Complaint>> {
    match std::fs::read_to_string(file) {
        Ok(text) => load_text(file, text, environment),
        Err(error) => {
            let message = format!("cannot be read: {error} (name another with --config FILE or HOOKPORT_CONFIG)");
            Err(vec![Complaint { file: file.display().to_string(), line: None, key: String::new(), message }])
        }
    }
}

/// As [`load`], with the file's text at hand.
pub fn load_text(file: &Path, text: String, environment: &Environment) -> Result<Draft, Vec<Complaint>> {
    let (_, errors) = DeTable::parse_recoverable(&text);
    let table: Result<toml::Table, _> = toml::from_str(&text);
    let origin = Origin::new(file, text, environment.clone());
    let broken = |error: &toml::de::Error| origin.syntax(error.span(), &format!("not TOML: {}", error.message()));
    let mut table = match table {
        Ok(table) if errors.is_empty() => table,
        Err(error) if errors.is_empty() => return Err(vec![broken(&error)]),
        _ => return Err(errors.iter().map(broken).collect()),
    };
    for secret in environment.secrets() {
        forget(&mut table, &secret);
    }
    let defaults = Figment::from(Serialized::defaults(default_table()));
    let layers = defaults.clone().merge(Serialized::defaults(table)).merge(environment.clone());
    match (layers.extract::<Dict>(), defaults.extract::<Dict>()) {
        (Ok(merged), Ok(defaults)) => {
            Ok(Pieces { merged, defaults, draft: (Vec::new(), BTreeSet::new()), origin }.read())
        }
        (Err(error), _) | (_, Err(error)) => Err(vec![origin.syntax(None, &error.to_string())]),
    }
}

fn default_table() -> toml::Table {
    toml::from_str(DEFAULTS).expect("the built-in defaults are TOML; a test reads them")
}

/// The merged layers while they are read.
struct Pieces {
    merged: Dict,
    defaults: Dict,
    draft: (Vec<Complaint>, BTreeSet<Vec<String>>),
    origin: Origin,
}

impl Pieces {
    fn read(mut self) -> Draft {
        for name in self.merged.keys().filter(|name| !SECTIONS.contains(&name.as_str())) {
            let message = unknown(&[], "section", name, &SECTIONS);
            self.draft.0.push(self.origin.complaint(std::slice::from_ref(name), message));
        }
        let (print, files) = (Print::of(&self.merged), files::named(&self.merged));
        let (route_places, routes) = self.listed("routes");
        let (poll_places, polls) = self.listed("polls");
        let written = Written {
            server: self.section("server"),
            admin: self.section("admin"),
            log: self.section("log"),
            journal: self.section("journal"),
            plugins: self.section("plugins"),
            reload: self.section("reload"),
            traces: self.section("traces"),
            sources: self.named("sources", Self::piece),
            destinations: self.named("destinations", Self::destination),
            routes,
            polls,
        };
        let (complaints, taken_out) = self.draft;
        Draft { written, origin: self.origin, complaints, route_places, poll_places, taken_out, print, files }
    }

    /// A section that has defaults: what is wrong in it falls back to them.
    fn section<T: DeserializeOwned>(&mut self, name: &str) -> T {
        let value = self.merged.remove(name).unwrap_or_else(|| Value::from(Dict::new()));
        let value = match value {
            Value::Dict(..) => value,
            _ => {
                self.complain(vec![name.to_owned()], format!("must be a table: [{name}]"));
                self.defaults[name].clone()
            }
        };
        self.piece(vec![name.to_owned()], value).expect("the defaults fill every section; a test reads them")
    }

    /// The entries that could be read.
    fn named<T>(
        &mut self,
        name: &str,
        read: impl Fn(&mut Self, Vec<String>, Value) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let entries = match self.merged.remove(name) {
            Some(Value::Dict(_, entries)) => entries,
            None => Dict::new(),
            Some(_) => {
                self.complain(vec![name.to_owned()], format!("must be tables with names: [{name}.NAME]"));
                Dict::new()
            }
        };
        let read = |(entry, value): (String, Value)| {
            let piece = read(self, vec![name.to_owned(), entry.clone()], value)?;
            Some((entry, piece))
        };
        entries.into_iter().filter_map(read).collect()
    }

    /// The items that could be read, each with its place in the file's list.
    fn listed<T: DeserializeOwned>(&mut self, name: &str) -> (Vec<String>, Vec<T>) {
        let items = match self.merged.remove(name) {
            Some(Value::Array(_, items)) => items,
            None => Vec::new(),
            Some(_) => {
                self.complain(vec![name.to_owned()], format!("must be a list of tables: [[{name}]]"));
                Vec::new()
            }
        };
        let places = (0..).map(|at: usize| at.to_string());
        let read = |(at, value): (String, Value)| {
            let item = self.piece(vec![name.to_owned(), at.clone()], value)?;
            Some((at, item))
        };
        places.zip(items).filter_map(read).unzip()
    }

    fn destination(&mut self, key: Vec<String>, mut value: Value) -> Option<Destination> {
        let kind = match &mut value {
            Value::Dict(_, entries) => entries.remove("kind"),
            _ => None,
        };
        let at_kind = [&key[..], &["kind".to_owned()]].concat();
        match kind.as_ref().map(Value::as_str) {
            Some(Some("http")) => self.piece(key, value).map(Box::new).map(Destination::Http),
            Some(Some("file")) => self.piece(key, value).map(Destination::File),
            Some(Some("stdout")) => self.piece(key, value).map(Destination::Stdout),
            Some(Some("nats")) => self.piece(key, value).map(Box::new).map(Destination::Nats),
            Some(Some("postgres")) => self.piece(key, value).map(Box::new).map(Destination::Postgres),
            Some(Some("redis")) => self.piece(key, value).map(Box::new).map(Destination::Redis),
            Some(Some("rabbitmq")) => self.piece(key, value).map(Box::new).map(Destination::RabbitMq),
            Some(Some(other)) => {
                let message = unknown(&key, "value", other, &Destination::KINDS);
                self.lost(key, at_kind, message)
            }
            _ => {
                let kinds = Destination::KINDS.map(|kind| format!("\"{kind}\"")).join(", ");
                self.lost(key, at_kind, format!("must be one of {kinds}"))
            }
        }
    }

    fn lost<T>(&mut self, key: Vec<String>, at: Vec<String>, message: String) -> Option<T> {
        self.complain(at, message);
        self.draft.1.insert(key);
        None
    }

    /// One piece; nothing if what is left of it after the complaints is not enough.
    fn piece<T: DeserializeOwned>(&mut self, key: Vec<String>, mut value: Value) -> Option<T> {
        loop {
            let error = match value.deserialize::<T>() {
                Ok(piece) => return Some(piece),
                Err(error) => error,
            };
            let at = [&key[..], &error.path[..]].concat();
            // A variable holds text; that it looks like a number counts only where a number is wanted.
            if let Kind::InvalidType(_, wanted) = &error.kind
                && matches!(wanted.as_str(), "a string" | "path string")
                && let Some(raw) = self.origin.environment().raw(&at)
                && put(&mut value, &error.path, Value::from(raw))
            {
                continue;
            }
            let (at, message) = explain(at, error.kind);
            // What was taken out may be missed by what is around it; that is no second mistake.
            if !self.draft.1.iter().any(|taken| taken.starts_with(&at)) {
                self.complain(at.clone(), message);
            }
            if error.path.is_empty() || !take_out(&mut value, &error.path, self.default_of(&key).as_ref()) {
                self.draft.1.insert(key);
                return None;
            }
        }
    }

    fn default_of(&self, key: &[String]) -> Option<Value> {
        let (first, rest) = key.split_first()?;
        let mut value = self.defaults.get(first)?;
        for step in rest {
            value = value.as_dict()?.get(step)?;
        }
        Some(value.clone())
    }

    fn complain(&mut self, key: Vec<String>, message: String) {
        self.draft.0.push(self.origin.complaint(&key, message));
        self.draft.1.insert(key);
    }
}

#[cfg(test)]
mod tests;
