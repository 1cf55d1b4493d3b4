//! The cases of a provider, judged offline as the gateway would judge them; those of code each in a process of its own.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::expected::{Came, Expected};
use super::kit::{Subject, Verdict};
use crate::case::Case;
use crate::cli::offline::fixture::Fixture;
use crate::cli::verify::judged::{Judged, judge};
use crate::clock::Clock;
use crate::gateway::Plugin;
use crate::provider::source::Source;

/// A case, and how what came differs from what it expects.
#[derive(Serialize)]
pub(super) struct CaseReport {
    name: String,
    holds: bool,
    differences: Vec<String>,
    #[serde(skip)]
    accepted: Option<bool>,
}

impl CaseReport {
    pub(super) fn holds(&self) -> bool {
        self.holds
    }
}

impl fmt::Display for CaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.differences.is_empty() {
            true => write!(f, "{}: holds", self.name),
            false => write!(f, "{}: does not hold: {}", self.name, self.differences.join("; ")),
        }
    }
}

/// What a folder of cases is short of.
pub(super) fn short(plugin: &Plugin, fixtures: &Path, reports: &[CaseReport]) -> Option<String> {
    let has = |accepted| reports.iter().any(|report| report.accepted == Some(accepted));
    let listens = plugin.provider.description.route.is_some();
    let signed = plugin.provider.unsigned().is_none();
    match (reports.is_empty(), has(true), has(false)) {
        _ if !listens => None,
        (true, ..) => Some(format!("no cases: put .http files into {}", fixtures.display())),
        (_, false, _) => Some("no case is accepted".to_owned()),
        (_, true, false) if signed => Some("no case is refused: does the signature prove anything?".to_owned()),
        _ => None,
    }
}

/// The files of a folder of cases.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|is| is == "http")).collect();
    files.sort();
    files
}

/// The name of a case's file.
pub(super) fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl CaseReport {
    /// Runs a case here. `whole` says that the provider's code is there, if any.
    pub(super) fn of(plugin: &Plugin, file: &Path, whole: bool) -> Self {
        let differences = differences(plugin, file, whole).unwrap_or_else(|error| vec![error]);
        Self::told(file, differences)
    }

    /// What was told of a case that ran elsewhere.
    pub(super) fn told(file: &Path, differences: Vec<String>) -> Self {
        let expected = fs::read(file).ok().and_then(|text| Expected::of(&Case::parse(&text).ok()?).ok());
        let accepted = expected.and_then(|expected| expected.accepts());
        Self { name: name(file), holds: differences.is_empty(), differences, accepted }
    }
}

/// The verdict on one fixture of a subject, by its name.
pub(super) fn verdict(subject: &Subject, fixture: &str) -> Result<Verdict, String> {
    let plugin = Plugin::compile(crate::plugin::load(&subject.file).map_err(|error| error.to_string())?)?;
    let file = subject.fixtures.join(format!("{fixture}.http"));
    Ok(Verdict::of(differences(&plugin, &file, subject.whole).unwrap_or_else(|error| vec![error])))
}

/// What came and was not expected.
fn differences(plugin: &Plugin, file: &Path, whole: bool) -> Result<Vec<String>, String> {
    let mut case = Case::parse(&fs::read(file).map_err(|error| error.to_string())?)?;
    let expected = Expected::of(&case)?;
    let Fixture { at, peer, parts, fetched } = Fixture::beside(file, &case)?;
    let now = at.unwrap_or_else(|| Clock::default().now());
    let source = Source::build("case", plugin.provider.clone(), parts).map_err(|wrong| wrong.join("; "))?;
    (case.request.peer, case.request.received) = (peer, now);
    let request = Arc::new(case.request);
    let judged = match source.path.as_deref() == Some(request.path()) {
        true => judge(&source, plugin, &request, &fetched, now),
        false => Judged::nowhere(),
    };
    let came = Came::of(&source, &request, judged, now, expected.repeats());
    Ok(expected.differences(&came, whole))
}
