//! The catalogue: code-free providers, each a folder with its description and its cases.

use std::path::{Path, PathBuf};

/// Every code-free provider of the catalogue: its id and its folder.
pub(crate) fn providers() -> Vec<(String, PathBuf)> {
    let folders = std::fs::read_dir(folder()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = folders.filter(|folder| folder.join("provider.toml").is_file()).collect();
    found.sort();
    let id = |folder: &PathBuf| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    found.into_iter().map(|folder| (id(&folder), folder)).collect()
}

/// Where they lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/catalog")
}
