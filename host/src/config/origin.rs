//! Where a key was written: a line of the file, or an environment variable.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use crate::provider::complaint::Complaint;

/// The texts that a configuration was made of.
#[derive(Clone)]
pub(in crate::config) struct Origin {
    file: String,
    text: String,
    environment: Environment,
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

    /// A complaint about a key, with its place.
    pub(super) fn complaint(&self, key: &[String], message: impl Into<String>) -> Complaint {
        let (key_text, message) = (key.join("."), message.into());
        match self.environment.overriding(key) {
            Some(variable) => {
                Complaint { file: format!("environment variable {variable}"), line: None, key: key_text, message }
            }
            None => Complaint { file: self.file.clone(), line: self.line(key), key: key_text, message },
        }
    }

    /// A complaint about a place in the text.
    pub(super) fn syntax(&self, span: Option<Range<usize>>, message: &str) -> Complaint {
        let line = span.map(|span| self.line_at(span.start));
        Complaint { file: self.file.clone(), line, key: String::new(), message: message.to_owned() }
    }

    /// The line of the key, or of the nearest table around it that is written.
    fn line(&self, key: &[String]) -> Option<usize> {
        let (document, _) = DeTable::parse_recoverable(&self.text);
        let (first, rest) = key.split_first()?;
        let (name, value) = document.get_ref().get_key_value(first.as_str())?;
        let (mut at, mut value) = (name.span().start, value);
        for step in rest {
            let next = match value.get_ref() {
                DeValue::Table(table) => {
                    table.get_key_value(step.as_str()).map(|(name, value)| (name.span().start, value))
                }
                DeValue::Array(list) => {
                    step.parse().ok().and_then(|at: usize| list.get(at)).map(|value| (value.span().start, value))
                }
                _ => None,
            };
            match next {
                Some((start, inner)) => (at, value) = (start, inner),
                None => break,
            }
        }
        Some(self.line_at(at))
    }

    fn line_at(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}
