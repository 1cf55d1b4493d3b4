//! Logging: lines go to the host, which writes them under the plugin's id. Before the host has introduced itself, as in a
//! plugin's own unit tests, they go nowhere.

use std::fmt;

use crate::abi;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Worth a line a day.
    Info,
    /// For the author.
    Debug,
    /// For the author, with a lens.
    Trace,
}

impl Level {
    /// The number that crosses the border.
    pub const fn number(self) -> u32 {
        match self {
            Self::Error => 1,
            Self::Warn => 2,
            Self::Info => 3,
            Self::Debug => 4,
            Self::Trace => 5,
        }
    }

    /// The level of a number; what nobody knows yet is `Trace`.
    pub const fn of_number(number: u32) -> Self {
        match number {
            1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            _ => Self::Trace,
        }
    }
}

/// Writes a line; [`log!`](crate::log!) formats it.
pub fn write(level: Level, target: &str, message: fmt::Arguments<'_>) {
    if abi::log_enabled(level) {
        match message.as_str() {
            Some(text) => abi::log_line(level, target, text),
            None => abi::log_line(level, target, &message.to_string()),
        }
    }
}

/// Writes a line to the host's log: `log!(Level::Warn, "no {field}")`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($message:tt)+) => {
        $crate::log::write($level, ::core::module_path!(), ::core::format_args!($($message)+))
    };
}
