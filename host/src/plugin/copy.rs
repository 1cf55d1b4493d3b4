//! The private copy that is loaded in the operator's file's place.
//!
//! The dynamic loader knows libraries by name and inode: a file renamed over a loaded one gives the old code, and one that is
//! written over while loaded ends the process. So the bytes that were judged are written to a new file in a new folder that
//! only we may enter, loaded from there and removed; the mapping stays.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::LoadFault;

/// The variable that names the folder for copies.
pub(super) const FOLDER_VARIABLE: &str = "HOOKPORT_PLUGIN_TMP";

/// Runs `load` on a copy of these bytes and removes the copy.
pub(super) fn with_private_copy<T>(
    file: &Path,
    bytes: &[u8],
    sha256: &str,
    load: impl FnOnce(&Path) -> Result<T, LoadFault>,
) -> Result<T, LoadFault> {
    let folder = folder();
    let fault = |error| LoadFault::Copy { folder: folder.clone(), error };
    let parent = std::path::absolute(&folder).map_err(fault)?;
    // The crate makes the folder with mode 0700.
    let private = tempfile::Builder::new().prefix("hookport-plugin-").tempdir_in(parent).map_err(fault)?;
    let name: String = file.file_stem().unwrap_or_default().to_string_lossy().chars().take(40).collect();
    let copy = private.path().join(format!("{name}-{}.so", &sha256[..16]));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&copy);
    written.and_then(|mut opened| opened.write_all(bytes)).map_err(fault)?;
    load(&copy)
}

/// The folder for copies: `HOOKPORT_PLUGIN_TMP`, else the system's, which `TMPDIR` moves.
fn folder() -> PathBuf {
    std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty()).map_or_else(std::env::temp_dir, PathBuf::from)
}
