//! Destinations of lines: a file that is appended to, or standard output. What a line holds is left to `payload`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::judge::Reply;

/// Where lines go.
#[derive(Debug, Clone)]
pub(super) enum Lines {
    /// A file; opened for each batch, so that it may be moved away and a new one begun.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Lines {
    /// Writes all lines or fails; when it returns, a file's lines are on the disk.
    pub(super) async fn write(&self, lines: Vec<Vec<u8>>) -> Reply {
        let to = self.clone();
        let written = tokio::task::spawn_blocking(move || match &to {
            Self::File(path) => append(path, &lines),
            Self::Stdout => write_all(&mut io::stdout().lock(), &lines),
        });
        match written.await {
            Ok(Ok(())) => Reply::Written,
            Ok(Err(error)) => Reply::Failed(format!("{self}: {error}")),
            Err(error) => Reply::Failed(format!("{self}: writing was broken off: {error}")),
        }
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdout => f.write_str("standard output"),
        }
    }
}

fn append(path: &Path, lines: &[Vec<u8>]) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    if ends_torn(&mut file)? {
        file.write_all(b"\n")?;
    }
    write_all(&mut file, lines)?;
    file.sync_data()
}

/// A crash or a full disk may have cut the last line short; the next one must not be joined to it.
fn ends_torn(file: &mut File) -> io::Result<bool> {
    let is_regular = file.metadata()?.is_file();
    if !is_regular || file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// One write for each line, so that a reader of the growing file seldom sees half of one.
fn write_all(to: &mut impl Write, lines: &[Vec<u8>]) -> io::Result<()> {
    for line in lines {
        to.write_all(line)?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn lines_are_appended_to_a_private_file_that_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/events.jsonl");
        append(&path, &[b"1\n".to_vec(), b"2\n".to_vec()]).unwrap();
        append(&path, &[b"3\n".to_vec()]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"1\n2\n3\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_line_never_joins_one_that_was_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, b"1\n{\"half").unwrap();
        append(&path, &[b"2\n".to_vec()]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"1\n{\"half\n2\n");
    }
}
