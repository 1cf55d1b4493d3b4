//! `hookport plugin catalog` and `show`: the providers that are built in, as their own files describe them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use hookport_plugin_api::description::Evidence;
use serde_json::{Value, json};

use crate::cli::{Failure, output};
use crate::plugin::{self, HandshakePart, Inspection, ProviderPart, catalog};
use crate::provider::complaint::did_you_mean;

/// List the providers that are built in, or those of a folder, as their own files describe them
///
/// Each is used by its id: provider = "github". A plugin of the same id in a plugin folder goes before the one that is
/// built in. Exit 1 if a description cannot be used, 2 if there is none.
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin catalog
  hookport plugin catalog --json | jq '.providers[] | select(.evidence == \"vector\").provider'
  hookport plugin catalog my-plugins --markdown")]
pub(super) struct Catalog {
    /// A folder of folders with a provider.toml each, or one of these [default: those that are built in]
    dir: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Print a Markdown table
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// Print the text of a description that is built in, to copy and to correct
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin show github
  mkdir -p my-plugins/github && hookport plugin show github > my-plugins/github/provider.toml")]
pub(super) struct Show {
    /// The provider's id
    id: String,
}

/// Every usable description with the number of its cases, and what is refused.
type Found = (Vec<(ProviderPart, usize)>, Vec<(PathBuf, String)>);

impl Catalog {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (rows, refused) = match &self.dir {
            None => sorted(catalog::entries().iter().map(plugin::inspect_embedded)),
            Some(dir) => sorted(descriptions(dir)?.iter().map(|file| plugin::inspect(file))),
        };
        match (self.json, self.markdown) {
            (true, _) => output::line(document(&rows, &refused))?,
            (_, true) => markdown(&rows)?,
            _ => table(&rows)?,
        }
        for (file, reason) in &refused {
            output::say(format_args!("refused: {}: {reason}", file.display()));
        }
        if refused.is_empty() { Ok(()) } else { Err(Failure::Said) }
    }
}

impl Show {
    pub(super) fn run(self) -> Result<(), Failure> {
        let entry = catalog::find(&self.id).ok_or_else(|| {
            let near = did_you_mean(&self.id, catalog::entries().iter().map(|entry| entry.id));
            let list = "`hookport plugin catalog` lists those that are";
            Failure::unusable(format!("no provider {:?} is built in{near}; {list}", self.id))
        })?;
        output::bytes(entry.text.as_bytes())
    }
}

/// The descriptions of a folder: its own, or those one level deep.
fn descriptions(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(dir).map_err(|error| Failure::unusable(format!("{}: {error}", dir.display())))?;
    let folders = entries.flatten().map(|entry| entry.path()).chain([dir.to_owned()]);
    let files: Vec<PathBuf> =
        folders.map(|folder| folder.join("provider.toml")).filter(|file| file.is_file()).collect();
    match files.is_empty() {
        true => Err(Failure::unusable(format!("{0}: no {0}/provider.toml and no {0}/*/provider.toml", dir.display()))),
        false => Ok(files),
    }
}

/// By id.
fn sorted(inspected: impl Iterator<Item = Result<Inspection, plugin::LoadError>>) -> Found {
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    // Beside code a description may promise what only the code can keep.
    let has_code = |file: &Path| file.parent().is_some_and(|folder| folder.join("Cargo.toml").is_file());
    for inspection in inspected {
        match inspection {
            Ok(Inspection { refusal, provider: Some(provider), samples, file, .. })
                if refusal.is_none() || has_code(&file) =>
            {
                rows.push((provider, samples.len()));
            }
            Ok(Inspection { refusal, file, .. }) => refused.push((file, refusal.unwrap_or_default())),
            Err(error) => refused.push((error.file, error.fault.to_string())),
        }
    }
    rows.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
    (rows, refused)
}

/// Each once, in order.
fn once<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    all.fold(Vec::new(), |mut once, one| {
        if !once.contains(&one) {
            once.push(one);
        }
        once
    })
}

/// The methods that ask, and what is learnt.
fn handshake(handshake: &HandshakePart) -> String {
    let methods = handshake.methods.join("/");
    match handshake.captures.is_empty() {
        true => methods,
        false => format!("{methods}, tells {}", handshake.captures.join(", ")),
    }
}

fn document(rows: &[(ProviderPart, usize)], refused: &[(PathBuf, String)]) -> Value {
    let row = |(provider, cases): &(ProviderPart, usize)| {
        json!({
            "provider": provider.id,
            "name": provider.name,
            "version": provider.version,
            "docs": provider.docs,
            "algorithms": once(provider.verify.iter()),
            "signature": provider.signature,
            "handshakes": provider.handshakes,
            "content": provider.content,
            "evidence": provider.evidence,
            "cases": cases,
        })
    };
    let refused = refused.iter().map(|(file, reason)| json!({ "file": file, "reason": reason }));
    json!({ "providers": rows.iter().map(row).collect::<Vec<_>>(), "refused": refused.collect::<Vec<_>>() })
}

/// A row's cells behind the provider: algorithm, where, handshake, evidence, cases.
fn cells(provider: &ProviderPart, cases: usize, place: impl Fn(&String) -> String) -> [String; 5] {
    let or_none = |texts: Vec<String>| if texts.is_empty() { "-".to_owned() } else { texts.join(", ") };
    [
        or_none(once(provider.verify.iter().cloned())),
        or_none(provider.signature.iter().map(place).collect()),
        or_none(once(provider.handshakes.iter().map(handshake))),
        or_none(provider.evidence.map(Evidence::word).map(str::to_owned).into_iter().collect()),
        cases.to_string(),
    ]
}

fn table(rows: &[(ProviderPart, usize)]) -> Result<(), Failure> {
    let mut table = output::table(&["PROVIDER", "ALGORITHM", "SIGNATURE", "HANDSHAKE", "EVIDENCE", "CASES"]);
    for (provider, cases) in rows {
        let behind = cells(provider, *cases, String::clone);
        table.add_row([output::cell(&provider.id)].into_iter().chain(behind.iter().map(output::cell)));
    }
    output::print(&table, "no provider is built in")
}

fn markdown(rows: &[(ProviderPart, usize)]) -> Result<(), Failure> {
    output::line("| provider | id | algorithm | signature | handshake | evidence | cases |")?;
    output::line("|---|---|---|---|---|---|---|")?;
    rows.iter().try_for_each(|(provider, cases)| {
        let name = match &provider.docs {
            Some(docs) => format!("[{}]({docs})", provider.name),
            None => provider.name.clone(),
        };
        let first = [name, format!("`{}`", provider.id)];
        let behind = cells(provider, *cases, |place| format!("`{place}`"));
        let cells = first.iter().chain(&behind).map(|cell| output::plain(cell.replace('|', "\\|")));
        output::line(format_args!("| {} |", cells.collect::<Vec<_>>().join(" | ")))
    })
}
