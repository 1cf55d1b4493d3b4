//! Plugin folders: `DIR/*.so` and `DIR/*/provider.toml`, one level deep.

use std::fs;
use std::path::{Path, PathBuf};

/// What a signature's file is called behind the file's name.
pub(super) const SIGNATURE: &str = ".sig";

/// Where a file's signature lies, if it has one.
pub fn signature(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(SIGNATURE);
    name.into()
}

/// The files in these folders that may be plugins; a folder that cannot be read has none.
pub fn files(dirs: &[PathBuf]) -> Vec<PathBuf> {
    dirs.iter().filter_map(|dir| candidates(dir).ok()).flatten().collect()
}

/// The files that may be plugins, by name: libraries first, then descriptions that are nobody's source code.
pub(super) fn candidates(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort_unstable();
    // What begins with a dot is on its way to its name.
    let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let library = |path: &&PathBuf| {
        path.extension().is_some_and(|extension| extension == "so") && !path.is_dir() && !is_hidden(path)
    };
    let mut files: Vec<PathBuf> = entries.iter().filter(library).cloned().collect();
    let folders = entries.iter().filter(|path| path.is_dir() && !path.join("Cargo.toml").exists());
    files.extend(folders.map(|folder| folder.join("provider.toml")).filter(|description| description.is_file()));
    Ok(files)
}
