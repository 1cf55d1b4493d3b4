//! Giving all free space back while no gateway runs: a packed copy in the same folder takes the file's place.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{Progress, look};
use crate::journal::sqlite::open::{self, OpenError};
use crate::journal::sqlite::space::log_of;
use crate::journal::sqlite::{folder, schema};

/// Packs a folder's journal; says how many bytes it had and has. Refused while somebody uses it.
pub fn pack(path: &Path, progress: Progress<'_>) -> Result<(u64, u64), OpenError> {
    let _lock = folder::lock(path)?;
    let file = look::file(path);
    if !file.is_file() {
        return Err(OpenError::Missing { file });
    }
    let (failed, packed) = (|error| OpenError::of(&file, &error), path.join("journal.db.packed"));
    let output = |error| OpenError::Output { file: packed.clone(), error };
    progress("pages", 0, 1);
    let conn = open::connect(&file).map_err(failed)?;
    schema::prepare(&conn, &file)?;
    let before = size(&file) + size(&log_of(&file));
    // Nothing may stay in the log: it would belong to another file then.
    let _ = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    let _ = std::fs::remove_file(&packed);
    folder::private(&packed).map_err(output)?;
    let name = packed.to_string_lossy();
    let into = conn.execute("VACUUM INTO ?", [&*name]).map_err(failed).and_then(|_| {
        conn.close().map_err(|(_, error)| failed(error))?;
        replace(path, &packed, &file).map_err(output)
    });
    if into.is_err() {
        let _ = std::fs::remove_file(&packed);
    }
    into?;
    progress("pages", 1, 1);
    Ok((before, size(&file)))
}

fn replace(folder: &Path, packed: &Path, file: &Path) -> io::Result<()> {
    if size(&log_of(file)) > 0 {
        return Err(io::Error::other("somebody reads the journal: close what does, and try again"));
    }
    File::open(packed)?.sync_all()?;
    std::fs::rename(packed, file)?;
    folder::sync(folder)
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |file| file.len())
}
