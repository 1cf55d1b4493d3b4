//! Who may know whom: the dependency arrows of the workspace and of the host's modules, held by reading what is imported.

use std::fs;
use std::path::{Path, PathBuf};

/// A module of the host and the modules that it must not know.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("inbound", &["outbound", "gateway", "admin", "cli", "config", "operations"]),
    ("outbound", &["inbound", "gateway", "admin", "cli", "provider", "plugin", "operations"]),
    (
        "journal",
        &[
            "inbound",
            "outbound",
            "gateway",
            "admin",
            "cli",
            "provider",
            "plugin",
            "config",
            "operations",
            "net",
            "metrics",
        ],
    ),
    (
        "provider",
        &["inbound", "outbound", "gateway", "admin", "cli", "plugin", "journal", "config", "operations", "net", "keys"],
    ),
    (
        "notices",
        &["inbound", "outbound", "gateway", "admin", "cli", "provider", "plugin", "config", "operations", "net"],
    ),
    // Both ways count in it, so it knows neither; it knows of the journal what is measured of it.
    (
        "metrics",
        &[
            "inbound",
            "outbound",
            "gateway",
            "admin",
            "cli",
            "provider",
            "config",
            "operations",
            "net",
            "keys",
            "notices",
        ],
    ),
    (
        "traces",
        &[
            "inbound",
            "outbound",
            "gateway",
            "admin",
            "cli",
            "provider",
            "plugin",
            "journal",
            "config",
            "operations",
            "keys",
        ],
    ),
    ("keys", &["inbound", "outbound", "gateway", "admin", "cli", "plugin", "journal", "config", "operations"]),
    ("plugin", &["inbound", "outbound", "gateway", "admin", "cli", "journal", "config", "operations", "net"]),
    ("operations", &["inbound", "outbound", "gateway", "admin", "cli"]),
    (
        "net",
        &["inbound", "outbound", "gateway", "admin", "cli", "provider", "plugin", "journal", "config", "operations"],
    ),
    ("admin", &["inbound", "outbound", "gateway", "cli"]),
    ("config", &["inbound", "outbound", "gateway", "admin", "cli", "journal", "operations"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_path_buf()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
            false => {}
        }
    }
}

/// The code of a module's files, without comments.
fn code(module: &str) -> Vec<(PathBuf, String)> {
    let source = root().join("host/src");
    let mut found = Vec::new();
    files(&source.join(module), &mut found);
    // What a test is about may be named.
    found.retain(|file| !file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs"))));
    found.extend([source.join(format!("{module}.rs"))].into_iter().filter(|file| file.is_file()));
    assert!(!found.is_empty(), "host/src/{module} is there");
    let bare = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file can be read");
        let lines: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        (path, lines.join("\n"))
    };
    found.into_iter().map(bare).collect()
}

#[test]
fn no_module_knows_what_it_must_not() {
    let mut wrong = Vec::new();
    for (module, forbidden) in FORBIDDEN {
        for (file, text) in code(module) {
            for other in *forbidden {
                if text.contains(&format!("crate::{other}::")) || text.contains(&format!("use crate::{other};")) {
                    wrong.push(format!("{} knows {other}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn folders(path: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(path)).expect("the plugins are there").flatten();
    let folders = entries.filter(|entry| entry.path().join("provider.toml").is_file());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_host_names_no_provider() {
    let (native, embedded) = (folders("plugins"), folders("plugins/catalog"));
    assert!(native.len() >= 5 && !embedded.is_empty(), "{native:?} {embedded:?}");
    for module in ["provider", "plugin", "inbound", "outbound", "journal", "operations", "config", "admin", "gateway"] {
        for (file, text) in code(module) {
            // Tests close a file.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for provider in &native {
                assert!(!text.contains(&format!("\"{provider}")), "{} names {provider}", file.display());
            }
            // Their ids are words, too: `"line` may begin many a text.
            for provider in &embedded {
                assert!(!text.contains(&format!("\"{provider}\"")), "{} names {provider}", file.display());
            }
        }
    }
}

#[test]
fn an_authors_crate_needs_the_plugin_api_and_serde_alone() {
    for entry in fs::read_dir(root().join("plugins")).expect("the plugins are there").flatten() {
        let Ok(text) = fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
        let manifest: toml::Table = toml::from_str(&text).expect("a manifest is TOML");
        let names: Vec<_> = manifest["dependencies"].as_table().expect("a table").keys().cloned().collect();
        assert_eq!(names, ["hookport-plugin-api", "serde"], "{:?}", entry.path());
    }
}

#[test]
fn the_plugin_api_knows_neither_sockets_nor_the_host() {
    let text = fs::read_to_string(root().join("plugin-api/Cargo.toml")).expect("the manifest is there");
    let manifest: toml::Table = toml::from_str(&text).expect("a manifest is TOML");
    let dependencies = manifest["dependencies"].as_table().expect("a table").iter();
    let optional =
        |entry: &(&String, &toml::Value)| entry.1.get("optional").is_some_and(|is| is.as_bool() == Some(true));
    let (asked_for, always): (Vec<_>, Vec<_>) = dependencies.partition(optional);
    let names = |mut of: Vec<(&String, &toml::Value)>| {
        of.sort_by_key(|(name, _)| *name);
        of.into_iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(always), ["abi_stable", "serde", "serde_json"]);
    assert_eq!(names(asked_for), ["schemars"], "for editors; no plugin is built with it");
}

#[test]
fn unsafe_has_two_addresses_and_two_in_workers_and_abi_stable_two_sides() {
    let mut found = Vec::new();
    for folder in ["host/src", "plugin-api/src", "plugins"] {
        files(&root().join(folder), &mut found);
    }
    let using = |words: &[&str]| {
        let uses = |file: &&PathBuf| {
            let text = fs::read_to_string(file).expect("a source file can be read");
            let bare: Vec<_> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
            words.iter().any(|word| bare.join("\n").contains(word))
        };
        let shown = |file: &PathBuf| file.strip_prefix(root()).unwrap().display().to_string();
        let mut addresses: Vec<_> = found.iter().filter(uses).map(shown).collect();
        addresses.sort();
        addresses
    };
    // A worker closes what it inherited, of which only numbers are known, and says what becomes of signals.
    let known = [
        "host/src/plugin/abi/entry.rs",
        "host/src/plugin/worker/descriptors.rs",
        "host/src/plugin/worker/signals.rs",
        "plugin-api/src/abi/entry.rs",
    ];
    assert_eq!(using(&["unsafe {", "unsafe impl"]), known);
    let beyond: Vec<_> = using(&["use abi_stable"])
        .into_iter()
        .filter(|file| !file.starts_with("host/src/plugin/abi") && !file.starts_with("plugin-api/src/abi/"))
        .collect();
    assert_eq!(beyond, [""; 0]);
}
