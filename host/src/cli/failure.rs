//! How a command ends when it does not end well.

use std::fmt;
use std::process::ExitCode;

use crate::provider::complaint::Complaint;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit 1: refused or failed; for people, on standard error.
    Refused(String),
    /// Exit 2: what was given cannot be used.
    Unusable(String),
    /// Exit 1; everything was said already.
    Said,
    /// Whoever read our output has enough: no failure at all.
    Closed,
}

impl Failure {
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self::Refused(message.to_string())
    }

    pub(crate) fn unusable(message: impl fmt::Display) -> Self {
        Self::Unusable(message.to_string())
    }

    /// Every complaint, a line each.
    pub(crate) fn complaints(complaints: &[Complaint]) -> Self {
        let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
        Self::Refused(lines.join("\nhookport: "))
    }

    /// Says what there is to say, and how the process ends.
    pub(super) fn exit(self) -> ExitCode {
        let code = match &self {
            Self::Refused(_) | Self::Said => 1,
            Self::Unusable(_) => 2,
            Self::Closed => 0,
        };
        if let Self::Refused(message) | Self::Unusable(message) = self {
            super::output::say(message);
        }
        ExitCode::from(code)
    }
}
