//! The journal's folder: private, and one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use super::open::OpenError;

/// Makes the folder if it is missing, and closes it to others if it was open to them.
pub(super) fn prepare(folder: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::Folder { folder: folder.into(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let found = std::fs::metadata(folder).map_err(failed)?;
    let mode = found.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    // A folder such as /tmp is everybody's: closing it would break others, and leaving it open would show the events.
    if mode & 0o1002 != 0 {
        return Err(OpenError::Shared { folder: folder.into(), mode });
    }
    match std::fs::set_permissions(folder, Permissions::from_mode(0o700)) {
        Ok(()) => {
            tracing::warn!(
                "the journal's folder {} was open to others (mode {mode:04o}) and is 0700 now",
                folder.display()
            );
            Ok(())
        }
        Err(_) => Err(OpenError::Shared { folder: folder.into(), mode }),
    }
}

/// Makes the file with mode 0600, or takes from others what they could read; WAL and index get the file's mode.
pub(super) fn private(file: &Path) -> io::Result<()> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file)?;
    let mode = open.metadata()?.mode() & 0o7777;
    if mode & 0o177 != 0 {
        open.set_permissions(Permissions::from_mode(0o600))?;
        tracing::warn!("{} was open to others (mode {mode:04o}) and is 0600 now", file.display());
    }
    Ok(())
}

/// Takes the lock and writes who holds it; it is free again when the file is dropped, however the process ends.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join("journal.lock");
    let failed = |error| OpenError::Folder { folder: folder.into(), error };
    private(&path).map_err(failed)?;
    let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
    match patiently(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
            return Err(OpenError::Locked { folder: folder.into(), lock: path, holder });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    // On a full disk the lock still holds; only its holder's name is missing.
    let _ = write(&mut file);
    Ok(file)
}

/// A holder that is just ending gets a second; so does a child that was forked and has not become its program yet.
fn patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 0..20 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            ended => return ended,
        }
    }
    file.try_lock()
}

/// Makes the entries of new files durable.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
