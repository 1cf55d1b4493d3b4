//! A copy of a journal while it is written to: of one instant, complete, private, and never half a copy under its name.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{Progress, look};
use crate::journal::sqlite::open::OpenError;

/// Pages copied in one step, and a pause for those who need the disk, too.
const STEP: i32 = 1_024;
const PAUSE: Duration = Duration::from_millis(2);

/// Copies a folder's journal, or a file, into a new file; says how many bytes it has.
pub fn backup(path: &Path, to: &Path, progress: Progress<'_>) -> Result<u64, OpenError> {
    let from = look::file(path);
    let source = look::open(&from)?;
    let failed = |error| OpenError::Output { file: to.into(), error };
    if to.exists() {
        return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "it is there already and is not overwritten")));
    }
    let part = Part::new(to).map_err(failed)?;
    copy(&source, &part.0, progress).map_err(|error| match error {
        Copying::Read(error) => OpenError::of(&from, &error),
        Copying::Write(error) => OpenError::of(&part.0, &error),
    })?;
    let sync = || -> io::Result<u64> {
        let file = File::open(&part.0)?;
        file.sync_all()?;
        // A link, because a rename would overwrite what came meanwhile.
        std::fs::hard_link(&part.0, to).or_else(|_| std::fs::rename(&part.0, to))?;
        File::open(folder(to))?.sync_all()?;
        Ok(file.metadata()?.len())
    };
    sync().map_err(failed)
}

/// The copy while it is not whole; gone when it is dropped.
struct Part(PathBuf);

impl Part {
    fn new(to: &Path) -> io::Result<Self> {
        let mut name = to.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        Ok(Self(part))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn folder(of: &Path) -> &Path {
    of.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

enum Copying {
    Read(rusqlite::Error),
    Write(rusqlite::Error),
}

fn copy(source: &Connection, to: &Path, progress: Progress<'_>) -> Result<(), Copying> {
    // One snapshot for all steps: otherwise every commit would begin the copy anew.
    let snapshot = source.unchecked_transaction().map_err(Copying::Read)?;
    snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map_err(Copying::Read)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(to, flags).map_err(Copying::Write)?;
    // It is nothing before it is whole, and it is synced then.
    target.pragma_update(None, "journal_mode", "OFF").map_err(Copying::Write)?;
    target.pragma_update(None, "synchronous", "OFF").map_err(Copying::Write)?;
    let backup = Backup::new(&snapshot, &mut target).map_err(Copying::Read)?;
    loop {
        let step = backup.step(STEP).map_err(Copying::Write)?;
        let at = backup.progress();
        let (all, left) = (at.pagecount.unsigned_abs(), at.remaining.unsigned_abs());
        progress("pages", u64::from(all - left.min(all)), all.into());
        match step {
            StepResult::Done => return Ok(()),
            _ => std::thread::sleep(PAUSE),
        }
    }
}
