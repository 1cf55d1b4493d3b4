//! Where a key was written: a line of the file, or an environment variable.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeArray, DeTable, DeValue};

use super::environment::Environment;
use crate::provider::complaint::Complaint;

/// Sections that are lists of tables.
const LISTS: [&str; 2] = ["routes", "polls"];

/// The texts that a configuration was made of.
#[derive(Clone)]
pub(in crate::config) struct Origin {
    file: String,
    text: String,
    environment: Environment,
}

/// A key as far as it is written.
struct Found {
    at: Option<usize>,
    /// As people count.
    key: Vec<String>,
    /// Of the route that it belongs to.
    name: Option<String>,
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)
    }
}

impl Origin {
    pub(super) fn new(file: &Path, text: String, environment: Environment) -> Self {
        Self { file: file.display().to_string(), text, environment }
    }

    pub(super) fn file(&self) -> &Path {
        Path::new(&self.file)
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A complaint about a key, with its place. Items of lists are counted from 1, and a route is called by its name, too.
    pub(super) fn complaint(&self, key: &[String], message: impl Into<String>) -> Complaint {
        let Found { at, key: shown, name } = self.find(key);
        let message = match name {
            Some(name) => format!("{} (route \"{name}\")", message.into()),
            None => message.into(),
        };
        let (file, line) = match self.environment.overriding(key) {
            Some(variable) => (format!("environment variable {variable}"), None),
            None => (self.file.clone(), at.map(|at| self.line_at(at))),
        };
        Complaint { file, line, key: shown.join("."), message }
    }

    /// Whether the key is written in the file, and not in a variable.
    pub(super) fn is_in_file(&self, key: &[String]) -> bool {
        self.environment.overriding(key).is_none()
    }

    /// A complaint about a place in the text.
    pub(super) fn syntax(&self, span: Option<Range<usize>>, message: &str) -> Complaint {
        let line = span.map(|span| self.line_at(span.start));
        Complaint { file: self.file.clone(), line, key: String::new(), message: message.to_owned() }
    }

    /// Where the key is, or the nearest table around it that is written.
    fn find(&self, key: &[String]) -> Found {
        let (document, _) = DeTable::parse_recoverable(&self.text);
        let mut found = Found { at: None, key: Vec::new(), name: None };
        let mut within = Some(document.get_ref());
        let mut list: Option<&DeArray<'_>> = None;
        for (depth, step) in key.iter().enumerate() {
            let index: Option<usize> =
                step.parse().ok().filter(|_| list.is_some() || (depth == 1 && LISTS.contains(&key[0].as_str())));
            found.key.push(index.map_or_else(|| step.clone(), |index| (index + 1).to_string()));
            let next = match (within.take(), list.take(), index) {
                (Some(table), ..) => table.get_key_value(step.as_str()).map(|(name, value)| (name.span().start, value)),
                (None, Some(list), Some(index)) => list.get(index).map(|value| (value.span().start, value)),
                _ => None,
            };
            let Some((start, value)) = next else { continue };
            found.at = Some(start);
            match value.get_ref() {
                DeValue::Table(table) => within = Some(table),
                DeValue::Array(items) => list = Some(items),
                _ => {}
            }
            if depth == 1 && key[0] == "routes" {
                let name = within.and_then(|route| route.get("name")?.get_ref().as_str().map(str::to_owned));
                found.name = name;
            }
        }
        found
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}
