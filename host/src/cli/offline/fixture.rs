//! What a folder of cases says of their source: `source.toml`, the case's own `given` over it, keys that sign, and in
//! `fetched.toml` what stands at the URLs that keys are fetched from.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use hookport_plugin_api::description::Many;
use jiff::Timestamp;
use toml::{Table, Value};

use crate::case::Case;
use crate::config::Environment;
use crate::config::written::{self, Secret};
use crate::provider::remote::Fetched;
use crate::provider::sign::{PrivateKey, PrivateKeys};
use crate::provider::source::SourceParts;
use crate::provider::view::PublicUrl;

/// The circumstances of a case.
#[derive(Default)]
pub(in crate::cli) struct Fixture {
    /// What the clock shows.
    pub(in crate::cli) at: Option<Timestamp>,
    /// Who calls.
    pub(in crate::cli) peer: Option<IpAddr>,
    /// As `[sources.NAME]` has it.
    pub(in crate::cli) parts: SourceParts,
    /// What comes of the URLs of keys.
    pub(in crate::cli) fetched: Fetched,
}

impl Fixture {
    /// Of the case in this file; empty where nothing lies beside it and nothing is given.
    pub(in crate::cli) fn beside(file: &Path, case: &Case) -> Result<Self, String> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let wrong = |error: String| format!("{}: given: {error}", file.display());
        Self::within(folder, case.section("given").map(table_of).transpose().map_err(wrong)?.unwrap_or_default())
    }

    /// Of a case of this folder, which is given this.
    pub(in crate::cli) fn within(folder: &Path, given: Table) -> Result<Self, String> {
        let beside = folder.join("source.toml");
        let mut table = match fs::read_to_string(&beside) {
            Ok(text) => table(&text).map_err(|error| format!("{}: {error}", beside.display()))?,
            Err(_) => Table::new(),
        };
        lay_over(&mut table, given);
        let fixture = Self::of(table, folder).map_err(|error| format!("{}: {error}", beside.display()))?;
        Ok(Self { fetched: fetched(folder)?, ..fixture })
    }

    fn of(mut table: Table, folder: &Path) -> Result<Self, String> {
        let mut text = |key: &str| match table.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{key}: must be a text in quotes")),
        };
        let at = text("at")?.map(|at| at.parse().map_err(|error| format!("at: {error}"))).transpose()?;
        let peer = text("peer")?.map(|peer| peer.parse().map_err(|_| format!("peer: {peer:?} is no address")));
        table.insert("provider".into(), "".into());
        let source: written::Source = Value::Table(table).try_into().map_err(|error| plain(&error))?;
        Ok(Self { at, peer: peer.transpose()?, parts: parts(source, folder)?, ..Self::default() })
    }
}

fn fetched(folder: &Path) -> Result<Fetched, String> {
    let file = folder.join("fetched.toml");
    let Ok(text) = fs::read_to_string(&file) else { return Ok(Fetched::default()) };
    let known: BTreeMap<String, String> =
        toml::from_str(&text).map_err(|error| format!("{}: {}", file.display(), plain(&error)))?;
    let with = |fetched: Fetched, (url, text): (String, String)| fetched.with(url, Ok(text.into()));
    Ok(known.into_iter().fold(Fetched::default(), with))
}

fn parts(source: written::Source, folder: &Path) -> Result<SourceParts, String> {
    let environment = Environment::of_process();
    let mut parts = SourceParts {
        settings: source.settings,
        tolerance: source.tolerance.map(|span| span.0),
        public_urls: source.public_url.iter().map(|url| PublicUrl::parse(url)).collect::<Result<_, _>>()?,
        path: source.path,
        allow_from: source.allow_from.iter().map(|network| network.0).collect(),
        ..SourceParts::default()
    };
    for (name, Many(places)) in source.secrets {
        let load = |place| placed(place, folder).load(&environment);
        let values: Result<Vec<_>, _> = places.into_iter().map(load).collect();
        let values = values.map_err(|error| format!("secrets.{name}: {error}"))?;
        // An empty list takes away what the folder gives to every case.
        if !values.is_empty() {
            parts.secrets.insert(name, values);
        }
    }
    Ok(parts)
}

/// File names are relative to the folder of the case.
fn placed(secret: Secret, folder: &Path) -> Secret {
    match secret {
        Secret::File(file) => Secret::File(folder.join(file)),
        other => other,
    }
}

fn table_of(text: &[u8]) -> Result<Table, String> {
    table(std::str::from_utf8(text).map_err(|_| "not text")?)
}

fn table(text: &str) -> Result<Table, String> {
    text.parse().map_err(|error| plain(&error))
}

/// Without the line itself, which may hold a secret.
fn plain(error: &toml::de::Error) -> String {
    error.message().to_owned()
}

/// Tables of names are laid over name by name, everything else as a whole.
fn lay_over(table: &mut Table, given: Table) {
    for (key, value) in given {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) if key == "secrets" || key == "settings" => {
                below.extend(above);
            }
            (_, value) => drop(table.insert(key, value)),
        }
    }
}

/// The private keys in `keys` beside a file, each by the name of the public key that it belongs to: its file's name, which
/// may say `private` where the public key's says `public`, or end with it.
pub(in crate::cli) fn keys(file: &Path) -> PrivateKeys {
    let folder = file.parent().unwrap_or(Path::new("")).join("keys");
    let mut keys = PrivateKeys::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let (Some(name), true) = (file.file_stem().and_then(|name| name.to_str()), is_pem(&file)) else { continue };
        let Some(key) = fs::read_to_string(&file).ok().and_then(|text| PrivateKey::read(&text).ok()) else { continue };
        let names = [name.to_owned(), name.replace("private", "public"), name.replace("_private", "")];
        for name in names {
            keys.entry(name).or_insert_with(|| key.clone());
        }
    }
    keys
}

fn is_pem(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "pem")
}
