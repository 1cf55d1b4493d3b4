//! `hookport plugin check`: whether a description is right, its cases hold, and the provider is what the kit asks.

mod cases;
mod description;
mod expected;
mod found;
mod kit;
mod run;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use self::cases::CaseReport;
use self::found::Found;
use self::kit::{Limits, Subject, Told};
use crate::cli::{Failure, output};
use crate::provider::complaint::Complaint;

/// Check plugins: their descriptions, the cases beside them, and the conformance kit
///
/// What is wrong with a description is told with line, key and the way out. Cases are the .http files in fixtures/, with the
/// source.toml there; they are run as the gateway would. The kit makes more of them: forgeries that must be refused,
/// documents that no provider sends. Code runs in a process of its own for each case: that it crashes or hangs is a result.
/// Of a folder with a Cargo.toml the library in its target folder is checked. Exit 0 if all is well, 1 if something is wrong
/// or a case does not hold, 2 if a file is no plugin; warnings do not count.
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin check my-plugins/acme
  hookport plugin check plugins/catalog
  hookport plugin check target/debug/libacme.so --fixtures plugins/acme/fixtures
  hookport plugin check acme --seed 7 --reproduce hostile/mutated
  hookport plugin check my-plugins --json | jq '.files[].errors[].message'")]
pub(super) struct Check {
    /// A provider.toml, a plugin (.so), a folder with one, or a folder of such folders
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the cases are [default: fixtures/ beside each file]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// What the kit's cases are made of: the same number makes the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long a case of a plugin with code may take
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// Run only this case, in this process, where a debugger sees it: fixture/NAME or one of the kit
    #[arg(long, value_name = "CASE", conflicts_with = "json")]
    reproduce: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Run one case of `plugin check`; not for people
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hookport plugin check-case libacme.so --fixtures fixtures load/opens   # `plugin check` runs it"
)]
pub(super) struct CheckCase {
    file: PathBuf,
    #[arg(long)]
    fixtures: PathBuf,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    case: String,
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
    kit: Vec<Told>,
}

#[derive(Serialize)]
struct Document<'r> {
    ok: bool,
    seed: u64,
    files: &'r [Report],
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut reports = Vec::new();
        for named in &self.files {
            for found in found::find(named)? {
                if let Some(case) = &self.reproduce {
                    return self.reproduce(found, case);
                }
                reports.push(self.report(found)?);
            }
        }
        let ok = reports.iter().all(|report| report.ok);
        match self.json {
            true => {
                let document = Document { ok, seed: self.seed, files: &reports };
                output::line(serde_json::to_string(&document).map_err(Failure::refused)?)?;
            }
            false => {
                let alone = reports.len() == 1;
                reports.iter().try_for_each(|report| report.show(alone, self.seed))?;
            }
        }
        if ok { Ok(()) } else { Err(Failure::Said) }
    }

    fn subject(&self, found: &Found, whole: bool) -> Subject {
        let fixtures = self.fixtures.clone().unwrap_or_else(|| found.fixtures.clone());
        let timeout = Duration::from_secs(self.timeout);
        Subject { file: found.file.clone(), fixtures, seed: self.seed, timeout, whole }
    }

    fn reproduce(&self, found: Found, case: &str) -> Result<(), Failure> {
        let checked = description::check(&found.file)?;
        let verdict = self.subject(&found, checked.whole).run(case).map_err(Failure::unusable)?;
        verdict.details.iter().try_for_each(|detail| output::line(output::plain(detail)))?;
        output::line(format_args!("{case}: {}", verdict.result))?;
        if verdict.is_good() { Ok(()) } else { Err(Failure::Said) }
    }

    fn report(&self, found: Found) -> Result<Report, Failure> {
        let mut checked = description::check(&found.file)?;
        let subject = self.subject(&found, checked.whole);
        checked.errors.extend(found.outdated().map(|what| description::whole(&found.file, &what)));
        let (cases, kit) = match &checked.plugin {
            Some(plugin) => run::all(&subject, plugin, checked.native),
            None => (Vec::new(), Vec::new()),
        };
        let short = checked.plugin.as_ref().and_then(|plugin| cases::short(plugin, &subject.fixtures, &cases));
        checked
            .warnings
            .extend(short.map(|what| Complaint { key: String::new(), ..description::whole(&found.file, &what) }));
        let ok = checked.errors.is_empty()
            && cases.iter().all(CaseReport::holds)
            && kit.iter().all(|told| told.result.is_good());
        let description::Checked { id, errors, warnings, .. } = checked;
        Ok(Report { file: found.file, provider: id, ok, errors, warnings, cases, kit })
    }
}

impl CheckCase {
    pub(super) fn run(self) -> Result<(), Failure> {
        Limits::set();
        let timeout = Duration::MAX;
        let subject = Subject { file: self.file, fixtures: self.fixtures, seed: self.seed, timeout, whole: true };
        let verdict = subject.run(&self.case).unwrap_or_else(|error| kit::Verdict::of(vec![error]));
        // What the plugin wrote may end without a new line.
        output::line(format_args!("\n{}", serde_json::to_string(&verdict).map_err(Failure::refused)?))
    }
}

impl Report {
    /// What holds is listed where only one file is checked.
    fn show(&self, alone: bool, seed: u64) -> Result<(), Failure> {
        for error in &self.errors {
            output::line(output::plain(format_args!("error: {error}")))?;
        }
        for warning in &self.warnings {
            output::line(output::plain(format_args!("warning: {warning}")))?;
        }
        for case in self.cases.iter().filter(|case| alone || !case.holds()) {
            output::line(output::plain(format_args!("case {case}")))?;
        }
        for told in self.kit.iter().filter(|told| alone || !told.result.is_good()) {
            output::line(output::plain(format_args!("kit {told}")))?;
        }
        let file = self.file.display();
        for told in self.kit.iter().filter(|told| !told.result.is_good()) {
            output::line(format_args!("again: hookport plugin check {file} --seed {seed} --reproduce {}", told.case))?;
        }
        let failed = self.cases.iter().filter(|case| !case.holds()).count();
        let asked = self.kit.iter().filter(|told| told.result != kit::Ending::LeftOut);
        let good = asked.clone().filter(|told| told.result.is_good()).count();
        output::line(format_args!(
            "{}: {file}: {}, {}, {} of {} hold, {good} of {} of the kit",
            if self.ok { "ok" } else { "not ok" },
            counted(self.errors.len(), "error"),
            counted(self.warnings.len(), "warning"),
            self.cases.len() - failed,
            counted(self.cases.len(), "case"),
            asked.count(),
        ))
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
