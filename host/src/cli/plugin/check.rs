//! `hookport plugin check`: whether a description is right, and whether its cases hold.

mod cases;
mod description;
mod expected;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use self::cases::CaseReport;
use crate::cli::{Failure, output};
use crate::provider::complaint::Complaint;

/// Check descriptions, and run the cases beside them as the gateway would
///
/// What is wrong is told with line, key and the way out. Cases are the .http files in fixtures/ beside a description, with
/// the source.toml there. Exit 0 if all is well, 1 if something is wrong or a case does not hold, 2 if a file is no plugin;
/// warnings do not count.
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin check my-plugins/acme
  hookport plugin check plugins/catalog
  hookport plugin check target/debug/libacme.so --fixtures plugins/acme/fixtures
  hookport plugin check my-plugins --json | jq '.files[].errors[].message'")]
pub(super) struct Check {
    /// A provider.toml, a plugin (.so), a folder with one, or a folder of such folders
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the cases are [default: fixtures/ beside each file]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What was found out about a file.
#[derive(Serialize)]
struct Report {
    file: PathBuf,
    provider: Option<String>,
    ok: bool,
    errors: Vec<Complaint>,
    warnings: Vec<Complaint>,
    cases: Vec<CaseReport>,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut reports = Vec::new();
        for named in &self.files {
            for file in plugins(named)? {
                let fixtures = self.fixtures.clone().unwrap_or_else(|| beside(&file).join("fixtures"));
                reports.push(Report::of(file, &fixtures)?);
            }
        }
        let ok = reports.iter().all(|report| report.ok);
        match self.json {
            true => {
                let document = Document { ok, files: &reports };
                output::line(serde_json::to_string(&document).map_err(Failure::refused)?)?;
            }
            false => {
                let alone = reports.len() == 1;
                reports.iter().try_for_each(|report| report.show(alone))?;
            }
        }
        if ok { Ok(()) } else { Err(Failure::Said) }
    }
}

#[derive(Serialize)]
struct Document<'r> {
    ok: bool,
    files: &'r [Report],
}

/// The folder of a file.
fn beside(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The plugins that a name stands for.
fn plugins(named: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !named.is_dir() {
        return Ok(vec![named.to_owned()]);
    }
    let own = named.join("provider.toml");
    if own.is_file() {
        return Ok(vec![own]);
    }
    let entries = fs::read_dir(named).map_err(|error| Failure::unusable(format!("{}: {error}", named.display())))?;
    let library = |path: &Path| path.extension().is_some_and(|ending| ending == "so") && path.is_file();
    let within = entries.flatten().map(|entry| entry.path());
    let within = within.map(|path| if path.is_dir() { path.join("provider.toml") } else { path });
    let plugin = |path: &PathBuf| library(path) || path.ends_with("provider.toml") && path.is_file();
    let mut files: Vec<PathBuf> = within.filter(plugin).collect();
    files.sort();
    match files.is_empty() {
        true => Err(Failure::unusable(format!(
            "{0}: no {0}/provider.toml, {0}/*/provider.toml or {0}/*.so",
            named.display()
        ))),
        false => Ok(files),
    }
}

impl Report {
    fn of(file: PathBuf, fixtures: &Path) -> Result<Self, Failure> {
        let checked = description::check(&file)?;
        let (cases, more) = match &checked.plugin {
            Some(plugin) => cases::run(plugin, fixtures, checked.whole),
            None => (Vec::new(), None),
        };
        let warn =
            |message: String| Complaint { file: file.display().to_string(), line: None, key: String::new(), message };
        let warnings = checked.warnings.into_iter().chain(more.map(warn)).collect();
        let ok = checked.errors.is_empty() && cases.iter().all(CaseReport::holds);
        Ok(Self { file, provider: checked.id, ok, errors: checked.errors, warnings, cases })
    }

    /// The cases that hold are listed where only one file is checked.
    fn show(&self, alone: bool) -> Result<(), Failure> {
        for error in &self.errors {
            output::line(output::plain(format_args!("error: {error}")))?;
        }
        for warning in &self.warnings {
            output::line(output::plain(format_args!("warning: {warning}")))?;
        }
        for case in self.cases.iter().filter(|case| alone || !case.holds()) {
            output::line(output::plain(format_args!("case {case}")))?;
        }
        let failed = self.cases.iter().filter(|case| !case.holds()).count();
        let file = self.file.display();
        output::line(format_args!(
            "{}: {file}: {}, {}, {} of {} hold",
            if self.ok { "ok" } else { "not ok" },
            counted(self.errors.len(), "error"),
            counted(self.warnings.len(), "warning"),
            self.cases.len() - failed,
            counted(self.cases.len(), "case"),
        ))
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
