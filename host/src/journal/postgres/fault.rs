//! Why something could not be read or done: the server says so, or bytes are not those that were recorded.

use std::error::Error;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::journal::seal::Unopened;

/// What the functions of this engine fail with; the engine says where.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The server's or the connection's words.
    #[error(transparent)]
    Server(#[from] tokio_postgres::Error),
    /// There is no connection.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The server did not answer, and may have done it.
    #[error("the server did not answer in time")]
    Silent,
    /// This host's lease is over, or it cannot say that it lives.
    #[error("this host could not say in time that it lives, and has no flights until it can")]
    Lease,
    /// Sealed by another key.
    #[error(transparent)]
    Unopened(#[from] Unopened),
    /// Found by a checksum, or by a value that nobody writes.
    #[error(
        "the bytes in the database are not those that were recorded: it is damaged here, or somebody changed the row by hand"
    )]
    Damaged,
}

impl Fault {
    /// Whether one row is not readable, and not the server out of reach.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Unopened(_) | Self::Damaged => true,
            // A column that does not hold what it should.
            Self::Server(error) => error.as_db_error().is_none() && !error.is_closed() && is_conversion(error),
            Self::Pool(_) | Self::Silent | Self::Lease => false,
        }
    }

    /// Whether the day has no partition yet.
    pub(super) fn is_missing_day(&self) -> bool {
        let Self::Server(error) = self else { return false };
        let Some(error) = error.as_db_error() else { return false };
        *error.code() == SqlState::CHECK_VIOLATION && error.routine() == Some("ExecFindPartition")
    }

    /// Whether the same thing may be done at once when it is tried again: two waited for each other.
    pub(super) fn is_passing(&self) -> bool {
        let Self::Server(error) = self else { return false };
        matches!(error.code(), Some(code) if *code == SqlState::T_R_DEADLOCK_DETECTED || *code == SqlState::T_R_SERIALIZATION_FAILURE)
    }

    /// Whether the connection is of no use any more, or leads to a server that only reads.
    pub(super) fn is_connection(&self) -> bool {
        match self {
            Self::Server(error) => error.as_db_error().is_none_or(|error| {
                let code = error.code().code();
                code.starts_with("57P") || code.starts_with("08") || code == SqlState::READ_ONLY_SQL_TRANSACTION.code()
            }),
            Self::Silent => true,
            _ => false,
        }
    }

    /// All that is known, for people.
    pub(super) fn words(&self) -> String {
        let mut words = match self {
            Self::Server(error) => said(error),
            Self::Pool(PoolError::Backend(error)) => said(error),
            Self::Pool(PoolError::Timeout(_)) => "no connection was free in time: the server is away or slow, or \
                journal.connections is too small"
                .to_owned(),
            other => other.to_string(),
        };
        if matches!(self, Self::Pool(PoolError::Backend(error)) if error.as_db_error().is_none()) {
            words.push_str(" (is the server running, and reachable at journal.url?)");
        }
        words
    }
}

/// The server's words with its hint, or the connection's with their causes.
fn said(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        return format!("{} ({}){hint}", error.message(), error.code().code());
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = inner.source();
    }
    words
}

fn is_conversion(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error deserializing column")
}
