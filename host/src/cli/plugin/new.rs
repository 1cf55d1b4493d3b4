//! `hookport plugin new`: a folder from which an author goes on, whose first `plugin check` is green.
//!
//! The texts are in `new/template`; what a captured request says of its provider is guessed in `capture`, and fixtures are
//! signed and judged in [`super::fixture`].

mod capture;
mod template;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{Timestamp, Unit};

use self::capture::Guess;
use self::template::Template;
use super::fixture;
use crate::case::Case;
use crate::cli::{Failure, output};
use crate::clock::Clock;
use crate::gateway::Plugin;
use crate::plugin::load;
use crate::provider::is_id;
use crate::provider::source::{Source, SourceParts};

/// Make a folder for a new provider: description, decoder, fixtures, test, CI file
///
/// The fixtures are signed by a test secret, so that the first `hookport plugin check` is green. With --from a captured
/// request says where the provider calls, how it seems to sign and what it sends; secrets, signatures and what looks private
/// in it are not taken over.
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin new acme
  hookport plugin new acme --no-code
  hookport plugin new acme --from captured.http
  hookport plugin new acme --api ../hookport/plugin-api")]
pub(super) struct New {
    /// The provider's id, which is also the folder's name: lower-case letters, digits and -
    name: String,
    /// A description and fixtures alone: most providers need no code
    #[arg(long)]
    no_code: bool,
    /// A request as the provider sent it: request line, headers, blank line, body
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The folder of hookport-plugin-api, instead of version 1 of crates.io
    #[arg(long, value_name = "DIR", conflicts_with = "no_code")]
    api: Option<PathBuf>,
}

impl New {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !is_id(&self.name) {
            let wrong = format!("{:?} is not an id: lower-case letters, digits and - only", self.name);
            return Err(Failure::unusable(wrong));
        }
        let captured = self.from.as_deref().map(read).transpose()?;
        let guess = captured.map(|case| Guess::of(&self.name, case));
        let api = self.api.as_deref().map(api).transpose()?;
        let folder = Path::new(&self.name);
        fs::create_dir(folder).map_err(|error| match folder.exists() {
            true => Failure::unusable(format!("{}: is there already; nothing is overwritten", folder.display())),
            false => unwritable(folder, &error),
        })?;
        let now = Clock::default().now().round(Unit::Second).map_err(Failure::refused)?;
        let written = self.write(folder, guess.as_ref(), api, now);
        if written.is_err() {
            // Made a moment ago, by us.
            let _half = fs::remove_dir_all(folder);
        }
        written?;
        for remark in guess.iter().flat_map(|guess| &guess.remarks) {
            output::say(remark);
        }
        let build = if self.no_code { "" } else { "cargo build, " };
        output::say(format_args!("made {0}/; next: cd {0}, {build}hookport plugin check .", self.name));
        Ok(())
    }

    fn write(&self, folder: &Path, guess: Option<&Guess>, api: Option<String>, now: Timestamp) -> Result<(), Failure> {
        let template = Template { id: &self.name, at: now, api: api.as_deref(), guess };
        let files = if self.no_code { template.description() } else { template.plugin() };
        for (name, text) in files {
            write(&folder.join(name), text.as_bytes())?;
        }
        let description = folder.join("provider.toml");
        let plugin = load(&description)
            .map_err(Failure::refused)
            .and_then(|loaded| Plugin::compile(loaded).map_err(Failure::refused))?;
        let parts = SourceParts {
            secrets: [("main".to_owned(), vec![template.secret().into()])].into(),
            ..SourceParts::default()
        };
        let source = Source::build("case", plugin.provider.clone(), parts);
        let source = source.map_err(|wrong| Failure::refused(wrong.join("; ")))?;
        let cases = fixture::cases(&plugin, &source, template.samples()?, now).map_err(Failure::refused)?;
        cases.into_iter().try_for_each(|(name, text)| write(&folder.join(format!("fixtures/{name}.http")), &text))
    }
}

fn read(file: &Path) -> Result<Case, Failure> {
    let unusable = |error: String| Failure::unusable(format!("{}: {error}", file.display()));
    let text = fs::read(file).map_err(|error| unusable(error.to_string()))?;
    Case::parse(&text).map_err(unusable)
}

/// The folder's whole name: the new folder lies elsewhere.
fn api(folder: &Path) -> Result<String, Failure> {
    let wrong = |what: &dyn std::fmt::Display| Failure::unusable(format!("--api {}: {what}", folder.display()));
    let whole = folder.canonicalize().map_err(|error| wrong(&error))?;
    match whole.join("Cargo.toml").is_file() {
        true => Ok(whole.display().to_string()),
        false => Err(wrong(&"there is no Cargo.toml")),
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let made = file.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(file, bytes)).map_err(|error| unwritable(file, &error))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(format!("{}: cannot be written: {error}", file.display()))
}
