//! `hookport plugin diff`: what changes for an operator from one file to the other, and which version that asks for.

mod changes;
mod version;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use self::changes::{Change, changes};
use self::version::{Bump, Version};
use crate::cli::{Failure, output};
use crate::plugin::{self, Inspection};

/// Tell what changes for operators from plugin A to plugin B, and which version that asks for; none of their code runs
///
/// Routes, schemes, secrets, settings, events, operations, answers, ABI, libraries and the C library are compared. What takes
/// something away, or newly requires a secret or a setting, asks for a major version (below 1.0: a minor one); what adds
/// something or changes it asks for a minor one. Exit 1 if B's version is lower than that, 2 if a file is no plugin.
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin diff plugins/libacme.so target/release/libacme.so
  hookport plugin diff github my-plugins/github/provider.toml
  hookport plugin diff old.so new.so --json | jq -r .asks")]
pub(super) struct Diff {
    /// A plugin (.so), a provider.toml, or the id of a provider that is built in
    a: PathBuf,
    /// The same, later
    b: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    a: Side,
    b: Side,
    changes: Vec<Change>,
    /// The part of the version that must grow.
    asks: Option<Bump>,
    /// The lowest version that is enough.
    at_least: Option<String>,
    enough: bool,
}

#[derive(Serialize)]
struct Side {
    file: PathBuf,
    sha256: String,
    provider: String,
    version: String,
}

impl Diff {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (a, b) = (inspect(&self.a)?, inspect(&self.b)?);
        let changes = changes(&a, &b);
        let asks = changes.iter().map(|change| change.asks).max().or((a.sha256 != b.sha256).then_some(Bump::Patch));
        let (a, b) = (Side::of(a)?, Side::of(b)?);
        let (old, new) = (Version::read(&a.version), Version::read(&b.version));
        let at_least = old.zip(asks).map(|(old, asks)| old.after(asks));
        let enough = match (asks, new, at_least) {
            (None, ..) => true,
            (Some(_), Some(new), Some(least)) => new >= least,
            // What is no version says nothing of itself.
            _ => false,
        };
        let at_least = at_least.map(|version| version.to_string());
        let document = Document { a, b, changes, asks, at_least, enough };
        match self.json {
            true => output::line(serde_json::to_string(&document).map_err(Failure::refused)?)?,
            false => document.show()?,
        }
        if enough { Ok(()) } else { Err(Failure::Said) }
    }
}

/// A file with a description that can be read.
fn inspect(file: &Path) -> Result<Inspection, Failure> {
    let inspection = plugin::inspect(file).map_err(Failure::unusable)?;
    match (&inspection.provider, &inspection.refusal) {
        (Some(_), _) => Ok(inspection),
        (None, why) => Err(Failure::unusable(format!("{}: {}", file.display(), why.as_deref().unwrap_or("no plugin")))),
    }
}

impl Side {
    fn of(inspection: Inspection) -> Result<Self, Failure> {
        let Inspection { file, sha256, provider, .. } = inspection;
        let provider = provider.ok_or_else(|| Failure::unusable(format!("{}: no description", file.display())))?;
        Ok(Self { file, sha256, provider: provider.id, version: provider.version })
    }
}

impl Document {
    fn show(&self) -> Result<(), Failure> {
        for change in &self.changes {
            output::line(output::plain(change))?;
        }
        let Self { a, b, asks, at_least, enough, .. } = self;
        let versions = format!("{} {} to {} {}", a.provider, a.version, b.provider, b.version);
        output::line(output::plain(match (asks, at_least) {
            (None, _) => format!("{versions}: the same file"),
            (Some(asks), Some(least)) if *enough => {
                format!("{versions}: a {asks} version is asked for, at least {least}")
            }
            (Some(asks), Some(least)) => {
                format!("{versions}: too low: a {asks} version is asked for, at least {least}")
            }
            (Some(asks), None) => format!("{versions}: a {asks} version is asked for, and what stands there is none"),
        }))
    }
}
