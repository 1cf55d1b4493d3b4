//! `[destinations.NAME]`, resolved.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::config::written::{self, Format, Retry};

/// Where events go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An HTTP endpoint.
    Http(Http),
    /// A file of JSON lines.
    File {
        /// Appended to; created if missing.
        path: PathBuf,
        /// What a line holds.
        format: Format,
        /// When to try again.
        retry: Retry,
    },
    /// Standard output.
    Stdout {
        /// What a line holds.
        format: Format,
    },
}

impl Destination {
    /// Takes what was written, with the values of `signing_secret`; only the URL can be wrong.
    pub fn of(written: &written::Destination, signing_secrets: Vec<SecretString>) -> Result<Self, url::ParseError> {
        Ok(match written {
            written::Destination::Http(http) => Self::Http(Http {
                url: Url::parse(&http.url)?,
                allow_private: http.allow_private,
                format: http.format,
                signing_secrets,
                timeout: http.timeout.0,
                concurrency: http.concurrency,
                retry: http.retry,
            }),
            written::Destination::File(file) => {
                Self::File { path: file.path.clone(), format: file.format, retry: file.retry }
            }
            written::Destination::Stdout(stdout) => Self::Stdout { format: stdout.format },
        })
    }

    /// What it gets.
    pub fn format(&self) -> Format {
        match self {
            Self::Http(Http { format, .. }) | Self::File { format, .. } | Self::Stdout { format } => *format,
        }
    }
}

/// `kind = "http"`.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where.
    pub url: Url,
    /// Whether private, loopback and link-local addresses are allowed.
    pub allow_private: bool,
    /// What is sent.
    pub format: Format,
    /// Standard Webhooks secrets; several give several signatures.
    pub signing_secrets: Vec<SecretString>,
    /// For a whole attempt.
    pub timeout: Duration,
    /// Attempts at once.
    pub concurrency: usize,
    /// When to try again.
    pub retry: Retry,
}
