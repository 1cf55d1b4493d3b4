//! What a reader meets whose bytes are not those that were recorded: SQLite itself has no checksums.

use rusqlite::types::Type;
use rusqlite::{Error, ErrorCode};

use crate::journal::seal::Unopened;
pub(super) use crate::journal::sum::{Event, Request};

/// What a reader meets whose bytes are not those that were written.
#[derive(Debug, thiserror::Error)]
#[error(
    "the bytes in the file are not those that were recorded: the file is damaged here (`hookport journal check` says where else)"
)]
struct Damaged;

/// A row without a sum is of an older layout.
pub(super) fn check(kept: Option<i64>, found: impl FnOnce() -> i64) -> rusqlite::Result<()> {
    match kept {
        Some(kept) if kept != found() => Err(damage()),
        _ => Ok(()),
    }
}

fn damage() -> Error {
    Error::FromSqlConversionFailure(0, Type::Blob, Box::new(Damaged))
}

/// Whether the file is damaged where something was read, and not the disk out of reach.
pub(super) fn is_damage(error: &Error) -> bool {
    match error {
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => true,
        Error::SqliteFailure(_, Some(words)) if *words == Unopened.to_string() => true,
        other => other.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt),
    }
}

/// Its words, where it was found by a sum or by a value that nobody writes.
pub(super) fn words(error: &Error) -> Option<String> {
    match error {
        Error::FromSqlConversionFailure(_, _, inner) => Some(inner.to_string()),
        Error::SqliteFailure(_, Some(words)) if *words == Unopened.to_string() => Some(words.clone()),
        Error::InvalidColumnType(_, _, Type::Text) => Some(Unopened.to_string()),
        other => is_damage(other).then(|| Damaged.to_string()),
    }
}
