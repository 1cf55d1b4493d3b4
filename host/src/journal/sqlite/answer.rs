//! How the engine's failures are said: what, where and how to mend it.

use rusqlite::ErrorCode;

use super::sum;
pub(super) use crate::journal::Answer as Sender;
use crate::journal::JournalError;

/// SQLite's error in the journal's words.
pub(super) fn failed(place: &str, error: &rusqlite::Error) -> JournalError {
    JournalError::Failed { place: place.to_owned(), message: words(error) }
}

/// What went wrong and what to do about it.
pub(super) fn words(error: &rusqlite::Error) -> String {
    if let Some(words) = sum::words(error).filter(|_| error.sqlite_error_code() != Some(ErrorCode::DatabaseCorrupt)) {
        return words;
    }
    let mend = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => {
            "free some space, or shorten journal.retention; the journal goes on by itself then"
        }
        Some(ErrorCode::SystemIoFailure) => {
            "look at the disk and at the system's log; the journal tries again by itself"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "the file and its folder must belong to the user that runs hookport and be writable"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the file is damaged: keep a copy; `hookport journal check` says what can be read, and a backup can be put in its place"
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds the file: close it (a reader such as sqlite3 may look, but not write)"
        }
        _ => return error.to_string(),
    };
    format!("{error}; {mend}")
}
