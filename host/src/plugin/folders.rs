//! Plugin folders: `DIR/*.so` and `DIR/*/provider.toml`, one level deep.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::provider::is_id;

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

/// The files that may be plugins, by name: libraries first, then descriptions that are nobody's source code. A folder of which
/// a part cannot be read is not read: what is missing in it may be what serves.
pub(super) fn candidates(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    entries.sort_unstable();
    // What begins with a dot is on its way to its name.
    let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let library = |path: &&PathBuf| {
        path.extension().is_some_and(|extension| extension == "so") && !path.is_dir() && !is_hidden(path)
    };
    let mut files: Vec<PathBuf> = entries.iter().filter(library).cloned().collect();
    files.extend(entries.iter().filter_map(|folder| description(folder)));
    Ok(files)
}

/// The description in a provider's folder; also where nobody can tell whether there is one, so that it is missed.
fn description(folder: &Path) -> Option<PathBuf> {
    let file = folder.join("provider.toml");
    match fs::metadata(&file) {
        Ok(found) => (found.is_file() && !folder.join("Cargo.toml").exists()).then_some(file),
        Err(error) if is_absence(&error) => None,
        // A file system's own folders (lost+found) are closed to most and are no provider's.
        Err(_) => named_after(&file).is_some().then_some(file),
    }
}

/// The provider whose folder a description lies in: mostly a folder is called as its provider.
pub(super) fn named_after(file: &Path) -> Option<&str> {
    let folder = file.parent()?.file_name()?.to_str()?;
    is_id(folder).then_some(folder)
}

/// Whether an error says that nothing is there, and not that nobody can tell.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
