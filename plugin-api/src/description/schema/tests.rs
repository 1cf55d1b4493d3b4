//! The committed schema is that of the types; every description of the repository fits it, and no misspelt one does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::KEYS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schema() -> Value {
    super::schema().to_value()
}

/// Every `provider.toml` of the repository and those that tests load, as JSON.
fn descriptions() -> Vec<(PathBuf, Value)> {
    let folders = ["plugins", "plugins/catalog", "tests/plugins"].map(|folder| root().join(folder));
    let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = folders.into_iter().flat_map(inside).map(|folder| folder.join("provider.toml"));
    let cases = inside(root().join("tests/cases/config/providers"));
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let value = toml::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        (file, value)
    };
    files.filter(|file| file.is_file()).chain(cases).map(read).collect()
}

#[test]
fn the_committed_schema_is_that_of_the_types() {
    let file = root().join("plugins/provider.schema.json");
    let text = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(&file, &text).expect("it can be written");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == text, "plugins/provider.schema.json is of older types: run this test with UPDATE_CASES=1");
}

#[test]
fn every_description_fits_the_schema() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let descriptions = descriptions();
    assert!(descriptions.len() > 100, "{}", descriptions.len());
    for (file, description) in descriptions {
        let wrong: Vec<_> =
            validator.iter_errors(&description).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{file:?}: {wrong:#?}");
    }
}

#[test]
fn a_key_that_no_table_has_fits_nowhere() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let mut tables = 0;
    for (file, description) in descriptions() {
        for place in places(&description, String::new()) {
            let mut misspelt = description.clone();
            let table = misspelt.pointer_mut(&place).and_then(Value::as_object_mut).expect("a table");
            // No table of names holds numbers.
            table.insert("colour".into(), json!(1));
            assert!(!validator.is_valid(&misspelt), "{file:?}: {place}/colour");
            tables += 1;
        }
    }
    assert!(tables > 1000, "{tables}");
}

/// Pointers to every table.
fn places(value: &Value, at: String) -> Vec<String> {
    let step = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(table) => {
            let inner = table.iter().flat_map(|(name, value)| places(value, step(name)));
            [at.clone()].into_iter().chain(inner).collect()
        }
        Value::Array(list) => {
            list.iter().enumerate().flat_map(|(index, value)| places(value, step(&index.to_string()))).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn every_key_of_the_grammar_is_known_to_the_reader_that_suggests() {
    let mut keys = BTreeSet::new();
    properties(&schema(), &mut keys);
    let known: BTreeSet<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(keys, known);
}

fn properties(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(table) => {
            if let Some(Value::Object(properties)) = table.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            table.values().for_each(|value| properties(value, keys));
        }
        Value::Array(list) => list.iter().for_each(|value| properties(value, keys)),
        _ => {}
    }
}
