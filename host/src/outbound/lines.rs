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
    /// Writes all lines or, where it can, none; one reply for each. Lines that a file got are on the disk then.
    pub(super) async fn write(&self, lines: Vec<Vec<u8>>) -> Vec<Reply> {
        let (to, count) = (self.clone(), lines.len());
        let written = tokio::task::spawn_blocking(move || match &to {
            Self::File(path) => append(path, &lines),
            Self::Stdout => write_all(&mut io::stdout().lock(), &lines),
        });
        let (stay, failed) = match written.await {
            Ok(Ok(())) => return vec![Reply::Written; count],
            Ok(Err(Broken { stay, error })) => (stay, format!("{self}: {error}")),
            Err(error) => (0, format!("{self}: writing was broken off: {error}")),
        };
        (0..count).map(|line| if line < stay { Reply::Written } else { Reply::Failed(failed.clone()) }).collect()
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

/// Why not all lines were written, and how many from the first stay written all the same.
#[derive(Debug)]
struct Broken {
    stay: usize,
    error: io::Error,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self { stay: 0, error }
    }
}

fn append(path: &Path, lines: &[Vec<u8>]) -> Result<(), Broken> {
    let (mut file, is_regular) = open(path)?;
    let before = file.metadata()?.len();
    let mut counted = Counted { file: &mut file, bytes: 0 };
    let written = write_lines(&mut counted, lines);
    let grown = before + counted.bytes;
    if !is_regular {
        return written;
    }
    let Err(broken) = written.and_then(|()| Ok(file.sync_data()?)) else { return Ok(()) };
    // What others changed meanwhile is theirs: then nothing is cut off.
    let is_ours = file.metadata().is_ok_and(|metadata| metadata.len() == grown);
    if is_ours && file.set_len(before).is_ok() {
        return Err(Broken { stay: 0, ..broken });
    }
    let stay = if file.sync_data().is_ok() { broken.stay } else { 0 };
    Err(Broken { stay, ..broken })
}

/// Opens the file, and creates it with its folders; whether it is a regular one, which can be synced and cut.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let created: Vec<_> = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    for parent in created.into_iter().filter_map(Path::parent) {
        let folder = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        // Some file systems cannot do this, and the lines are more useful than the certainty.
        if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
            tracing::warn!("{} is new, and its folder cannot be synced: {error}", path.display());
        }
    }
    let is_regular = file.metadata()?.is_file();
    Ok((file, is_regular))
}

fn write_lines(counted: &mut Counted<'_>, lines: &[Vec<u8>]) -> Result<(), Broken> {
    if ends_torn(counted.file)? {
        counted.write_all(b"\n")?;
    }
    write_all(counted, lines)
}

/// A file, and how many bytes it took.
struct Counted<'a> {
    file: &'a mut File,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
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
fn write_all(to: &mut impl Write, lines: &[Vec<u8>]) -> Result<(), Broken> {
    for (stay, line) in lines.iter().enumerate() {
        to.write_all(line).and_then(|()| to.flush()).map_err(|error| Broken { stay, error })?;
    }
    Ok(())
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

    /// The limit is the shell's, and the test runs itself below it: a signal that is ignored becomes an error.
    #[test]
    fn a_batch_that_does_not_fit_leaves_nothing_behind() {
        const LIMITED: &str = "HOOKPORT_TEST_LIMITED_FILE";
        if let Some(path) = std::env::var_os(LIMITED) {
            let broken = append(Path::new(&path), &vec![[[b'x'; 399].as_slice(), b"\n"].concat(); 8]).unwrap_err();
            assert_eq!((broken.stay, broken.error.kind()), (0, io::ErrorKind::FileTooLarge));
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        fs::write(&path, b"1\n{\"half").unwrap();
        let limited = std::process::Command::new("sh")
            .args(["-c", r#"trap '' XFSZ; ulimit -f 2; exec "$0" --exact "$1""#])
            .arg(std::env::current_exe().unwrap())
            .arg("outbound::lines::tests::a_batch_that_does_not_fit_leaves_nothing_behind")
            .env(LIMITED, &path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&limited.stdout);
        assert!(limited.status.success() && said.contains("1 passed"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), b"1\n{\"half");
    }

    #[test]
    fn what_is_no_regular_file_gets_its_lines_and_keeps_those_before_an_error() {
        append(Path::new("/dev/null"), &[b"1\n".to_vec()]).unwrap();
        let broken = append(Path::new("/dev/full"), &[b"1\n".to_vec()]).unwrap_err();
        assert_eq!((broken.stay, broken.error.kind()), (0, io::ErrorKind::StorageFull));
        let mut room = [0; 5];
        let broken = write_all(&mut room.as_mut_slice(), &[b"1\n".to_vec(), b"2\n".to_vec(), b"3\n".to_vec()]);
        assert_eq!(broken.unwrap_err().stay, 2);
    }
}
