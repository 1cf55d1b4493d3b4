//! Configurations and what is said about them: `cases/config/*.toml`, the complaints behind a line of dashes.
//!
//! `UPDATE_CASES=1` writes down what is said now; look at the difference before you keep it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hookport::config::{self, Environment, Rules};
use hookport_plugin_api::description::Description;

const DASHES: &str = "# ----------\n";

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/config")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder of cases is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn providers() -> Vec<Description> {
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a description can be read");
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files(&cases().join("providers")).into_iter().map(read).collect()
}

fn compile(condition: &str) -> Result<(), String> {
    hookport::outbound::Condition::compile(condition).map(drop).map_err(|error| error.to_string())
}

/// What is said about a text, one line each.
fn said(name: &str, text: &str, providers: &[Description]) -> String {
    let known: Vec<&Description> = providers.iter().collect();
    let rules = Rules { providers: &known, compile };
    let environment: Environment = BTreeMap::new().into_iter().collect();
    let draft = config::load_text(Path::new(name), text.to_owned(), &environment);
    let lines: Vec<String> = match draft.and_then(|draft| config::resolve(&draft, rules)) {
        Ok(config) => config.warnings.iter().map(|warning| format!("# warning: {warning}\n")).collect(),
        Err(complaints) => complaints.iter().map(|complaint| format!("# {complaint}\n")).collect(),
    };
    lines.concat()
}

#[test]
fn every_configuration_gets_its_complaints() {
    let providers = providers();
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut wrong = Vec::new();
    let files = files(&cases());
    assert!(files.len() >= 30, "the cases are gone");
    for path in files {
        let case = std::fs::read_to_string(&path).expect("a case can be read");
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        let (text, expected) = case.split_once(DASHES).unwrap_or((&case, ""));
        let said = said(&name, text, &providers);
        assert!(!said.contains("hunter2"), "{name}: a secret is repeated:\n{said}");
        if update {
            std::fs::write(&path, format!("{text}{DASHES}{said}")).expect("a case can be written");
        } else if said != expected || !case.contains(DASHES) {
            wrong.push(format!("{name}\nexpected:\n{expected}said:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The description of a provider of this repository.
fn description(plugin: &str) -> Description {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(plugin).join("provider.toml");
    toml::from_str(&std::fs::read_to_string(file).expect("a provider")).expect("a description")
}

#[test]
fn the_example_configuration_is_one() {
    let providers = ["eiotclub", "sgate"].map(description);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/hookport.toml");
    let secrets = ["EIOTCLUB_SECRET", "SGATE_API_KEY", "SGATE_PUBLIC_KEY", "CRM_SECRET"];
    let environment = secrets.map(|name| (name.to_owned(), "secret".to_owned())).into_iter().collect();
    let draft = config::load(&file, &environment).expect("it can be read");
    let known: Vec<&Description> = providers.iter().collect();
    match config::resolve(&draft, Rules { providers: &known, compile }) {
        Ok(config) => assert!(config.warnings.is_empty(), "{:?}", config.warnings),
        Err(complaints) => panic!("{complaints:#?}"),
    }
}
