//! Opening a journal to look at it: nothing is written, not even beside a file that nobody uses.

use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};

use crate::journal::sqlite::open::{OpenError, PATIENCE};
use crate::journal::sqlite::schema;
use crate::journal::sqlite::space::log_of;

/// The database in a folder, or the file itself.
pub(super) fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("journal.db") } else { path.to_owned() }
}

/// A connection that cannot write, to a file that is a journal.
pub(super) fn open(file: &Path) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of(file, &error);
    let conn = connect(file)?;
    let number = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    if number("application_id")? != schema::APPLICATION {
        return Err(OpenError::Foreign { file: file.into() });
    }
    match number("user_version")? {
        found if found > schema::VERSION => Err(OpenError::Newer { file: file.into(), found, known: schema::VERSION }),
        found if found < schema::VERSION => Err(OpenError::Older { file: file.into(), found, known: schema::VERSION }),
        _ => Ok(conn),
    }
}

/// As [`open`], whatever the file is.
pub(super) fn connect(file: &Path) -> Result<Connection, OpenError> {
    if !file.is_file() {
        return Err(OpenError::Missing { file: file.into() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    // Without a log nobody has it open. Then nothing has to be made beside it, where it may lie on a read-only disk.
    let options = if log_of(file).exists() { "mode=ro" } else { "immutable=1" };
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let name = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    let open = || -> rusqlite::Result<Connection> {
        let conn = Connection::open_with_flags(format!("file:{name}?{options}"), flags)?;
        conn.busy_timeout(PATIENCE)?;
        conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok(conn)
    };
    open().map_err(|error| OpenError::of(file, &error))
}
