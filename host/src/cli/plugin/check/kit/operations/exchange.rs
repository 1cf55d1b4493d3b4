//! Recorded exchanges: `fixtures/calls/*.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use hookport_plugin_api::Header;
use hookport_plugin_api::description::Operation;
use jiff::Timestamp;
use serde::Deserialize;
use toml::Table;

use crate::plugin::Answer;

/// One of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    /// When the request is made; without it the moment of the check.
    pub(super) at: Option<Timestamp>,
    /// In place of a drawn one.
    pub(super) nonce: Option<String>,
    pub(super) operation: String,
    /// JSON.
    pub(super) input: String,
    /// Tables that only this exchange has behind the provider's own description: the gateway's own tests know them.
    description: Option<String>,
    /// Method and URL, headers but for the user agent, blank line, body. Secrets are `***`.
    pub(super) request: Option<String>,
    /// Status, headers, blank line, body.
    pub(super) answer: Option<String>,
    /// What comes of it, JSON.
    pub(super) output: Option<String>,
    /// Or why nothing does.
    pub(super) refused: Option<String>,
    #[serde(default)]
    pub(super) secrets: Table,
    #[serde(default)]
    pub(super) settings: Table,
}

/// An answer as a server gives it.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Those of a folder, by name.
pub(super) fn read(folder: &Path) -> Result<Vec<(String, Exchange)>, String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let exchange = toml::from_str(&text).map_err(|error| format!("{}: {}", file.display(), error.message()))?;
        Ok((file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), exchange))
    };
    files.iter().map(read).collect()
}

impl Exchange {
    /// Whether it is one of the provider's own operations; one that nobody knows is no other's.
    pub(super) fn is_of(&self, declared: &[Operation]) -> bool {
        self.description.is_none() || declared.iter().any(|known| known.id == self.operation)
    }

    pub(super) fn answer(&self) -> Option<Given> {
        self.answer.as_deref().map(Given::read)
    }
}

impl Given {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.trim_start().lines();
        let status = lines.next().and_then(|line| line.trim().parse().ok()).unwrap_or(200);
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        Self { status, headers: lines.filter_map(header).collect(), body: body.trim_end_matches('\n').into() }
    }

    pub(super) fn answer(&self) -> Answer<'_> {
        Answer {
            status: self.status,
            headers: self.headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect(),
            body: self.body.as_slice().into(),
            error: None,
        }
    }
}
