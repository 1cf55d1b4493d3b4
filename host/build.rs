//! The catalogue as a table in the program: every `plugins/catalog/*/provider.toml` with its cases, sorted by id.

use std::env;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or(io::Error::other("cargo sets its variables"));
    let catalog = variable("CARGO_MANIFEST_DIR")?.join("../plugins/catalog");
    let mut table = String::from("pub(super) static CATALOG: &[Entry] = &[\n");
    for folder in listed(&catalog, |path| path.join("provider.toml").is_file()) {
        entry(&folder, &mut table);
    }
    table.push_str("];\n");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", catalog.display());
    fs::write(variable("OUT_DIR")?.join("catalog.rs"), table)
}

fn entry(folder: &Path, table: &mut String) {
    let (id, text) = (name(folder), folder.join("provider.toml"));
    // Writing into a String cannot fail.
    let _ = writeln!(table, "    Entry {{ id: {id:?}, text: include_str!({text:?}), cases: &[");
    for case in listed(&folder.join("fixtures"), |path| path.extension().is_some_and(|ending| ending == "http")) {
        let _ = writeln!(table, "        ({:?}, include_bytes!({case:?})),", name(&case));
    }
    table.push_str("    ] },\n");
}

/// What is in a folder and fits, sorted; nothing where there is no such folder.
fn listed(folder: &Path, fits: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| fits(path)).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
