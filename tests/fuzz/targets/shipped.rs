//! The sources of every description that ships, with the secrets of its cases, and the requests of those cases.
#![allow(dead_code, reason = "each target takes its part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hookport::config::{self, Environment, Rules};
use hookport::provider::compile::Provider;
use hookport::provider::parse::{Grammar, Places, parse};
use hookport::provider::remote::Fetched;
use hookport::provider::source::Source;
use jiff::Timestamp;
use toml::{Table, Value};

/// A source and what is given with it.
pub struct Stage {
    /// The description's folder.
    pub folder: PathBuf,
    /// Its `[sources.NAME]`, with whole paths.
    pub table: Table,
    /// Made ready.
    pub source: Arc<Source>,
    /// What stands at the URLs that keys are fetched from.
    pub fetched: Fetched,
    /// What its clock shows.
    pub at: Timestamp,
}

/// All of them, in the order of their folders.
pub fn stages() -> Vec<Stage> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    let mut folders: Vec<_> = [plugins.join("catalog"), plugins].iter().flat_map(|above| inside(above)).collect();
    folders.retain(|folder| folder.join("fixtures/source.toml").is_file());
    folders.sort();
    folders.into_iter().map(stage).collect()
}

/// The requests of a folder's cases, as the cases have them.
pub fn requests(folder: &Path) -> Vec<Vec<u8>> {
    let files =
        inside(&folder.join("fixtures")).into_iter().filter(|file| file.extension().is_some_and(|end| end == "http"));
    let rule = b"\n----------";
    let request = |file: PathBuf| {
        let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let end = text.windows(rule.len()).position(|window| window == rule).unwrap_or(text.len());
        text[..end].to_vec()
    };
    files.map(request).collect()
}

/// Writes what a campaign begins from.
pub fn seed(target: &str, seeds: impl IntoIterator<Item = Vec<u8>>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("the corpus can be written");
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(folder.join(format!("shipped-{number}")), seed).expect("the corpus can be written");
    }
}

fn stage(folder: PathBuf) -> Stage {
    let name = folder.display().to_string();
    let text = |file: &str| fs::read_to_string(folder.join(file));
    let written = text("provider.toml").unwrap_or_else(|error| panic!("{name}: {error}"));
    let description = parse(&written, &name, Grammar::Strict).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let provider = Provider::compile(description, &Places::new(&written, &name));
    let provider = Arc::new(provider.unwrap_or_else(|wrong| panic!("{wrong:?}")));
    let mut table: Table =
        text("fixtures/source.toml").unwrap_or_default().parse().unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    table.remove("peer");
    let at = table.remove("at").and_then(|at| at.as_str()?.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    table.insert("provider".into(), provider.description.provider.id.clone().into());
    if let Some(Value::Table(secrets)) = table.get_mut("secrets") {
        secrets.retain(|_, secret| secret.as_array().is_none_or(|list| !list.is_empty()));
        secrets.iter_mut().for_each(|(_, secret)| place(secret, &folder.join("fixtures")));
    }
    let configuration = nested(&table);
    let draft = config::load_text(Path::new("hookport.toml"), configuration, &Environment::from_iter([]));
    let rules = Rules { providers: &[&provider.description], compile: |_| Ok(()) };
    let config =
        draft.and_then(|draft| config::resolve(&draft, rules)).unwrap_or_else(|wrong| panic!("{name}: {wrong:?}"));
    let source = Source::build("fuzz", provider, config.sources["fuzz"].parts.clone());
    let known: BTreeMap<String, String> =
        text("fixtures/fetched.toml").ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
    let fetched = known.into_iter().fold(Fetched::default(), |fetched, (url, text)| fetched.with(url, Ok(text.into())));
    Stage { source: Arc::new(source.unwrap_or_else(|wrong| panic!("{name}: {wrong:?}"))), folder, table, fetched, at }
}

/// A configuration of this source alone.
fn nested(table: &Table) -> String {
    let whole = Table::from_iter([(
        "sources".to_owned(),
        Table::from_iter([("fuzz".to_owned(), Value::Table(table.clone()))]).into(),
    )]);
    whole.to_string()
}

fn place(secret: &mut Value, folder: &Path) {
    match secret {
        Value::Array(list) => list.iter_mut().for_each(|secret| place(secret, folder)),
        Value::Table(table) => {
            if let Some(Value::String(file)) = table.get_mut("file") {
                *file = folder.join(&*file).display().to_string();
            }
        }
        _ => {}
    }
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
