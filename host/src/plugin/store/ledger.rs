//! What is written down of a provider: which builds served, which one does, and what is not tried again by itself.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file's name.
pub(super) const NAME: &str = "ledger.json";
/// Builds that are kept, with the one that serves.
const KEPT: usize = 5;
/// Refusals that are remembered.
const REFUSALS: usize = 16;

/// What is known of a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Where it was found.
    pub file: PathBuf,
    /// The number of the generation that serves, or served last.
    pub generation: u32,
    /// Its build.
    pub sha256: String,
    /// After a rollback: the file on disk that is passed over, by its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// Builds that served, oldest first.
    #[serde(default)]
    pub builds: Vec<Build>,
    /// Files that were tried and refused, by their hashes, oldest first; they are tried again when somebody asks.
    #[serde(default)]
    pub refused: Vec<(String, String)>,
}

/// A build that served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Of its file.
    pub sha256: String,
    /// The description's version.
    pub version: String,
    /// `so` or `toml`.
    pub kind: String,
    /// When it began to serve, last.
    pub since: Timestamp,
    /// It came with the gateway; a copy has no place that says so.
    #[serde(default)]
    pub own: bool,
}

impl Build {
    /// Its copy's name.
    pub(super) fn file_name(&self) -> String {
        format!("{}.{}", self.sha256, self.kind)
    }
}

impl Record {
    /// From now on this one serves.
    pub fn serves(&mut self, build: Build, generation: u32) {
        self.builds.retain(|known| known.sha256 != build.sha256);
        (self.sha256, self.generation) = (build.sha256.clone(), generation);
        self.builds.push(build);
    }

    /// The build that serves.
    pub(in crate::plugin) fn current(&self) -> Option<&Build> {
        self.builds.iter().find(|build| build.sha256 == self.sha256)
    }

    /// The build to go back to: the one whose hash begins so, or the one that served last before this one.
    pub(in crate::plugin) fn before(&self, sha256: Option<&str>) -> Result<&Build, String> {
        let kept = || self.builds.iter().map(|build| format!("{} ({})", short(&build.sha256), build.version));
        let list = || kept().collect::<Vec<_>>().join(", ");
        let Some(wanted) = sha256 else {
            let other = self.builds.iter().rev().find(|build| build.sha256 != self.sha256);
            return other.ok_or_else(|| "no earlier build of it is kept".to_owned());
        };
        let mut like = self.builds.iter().filter(|build| build.sha256.starts_with(&wanted.to_ascii_lowercase()));
        match (like.next(), like.next()) {
            (Some(build), None) => Ok(build),
            (None, _) => Err(format!("no build whose sha256 begins with {wanted} is kept; there are {}", list())),
            (Some(_), Some(_)) => Err(format!("several builds begin with {wanted}; there are {}", list())),
        }
    }

    /// Why a file is not tried again by itself.
    pub(in crate::plugin) fn refusal(&self, sha256: &str) -> Option<&str> {
        self.refused.iter().find(|(refused, _)| refused == sha256).map(|(_, why)| why.as_str())
    }

    /// Remembers that a file was tried and refused.
    pub fn refuse(&mut self, sha256: &str, why: &str) {
        self.refused.retain(|(refused, _)| refused != sha256);
        self.refused.push((sha256.to_owned(), why.to_owned()));
    }

    /// Forgets the oldest.
    pub(super) fn bound(&mut self) {
        self.refused.drain(..self.refused.len().saturating_sub(REFUSALS));
        let mut left = self.builds.len().saturating_sub(KEPT);
        let serving = self.sha256.clone();
        self.builds.retain(|build| {
            let goes = left > 0 && build.sha256 != serving;
            left -= usize::from(goes);
            !goes
        });
    }
}

/// As much of a hash as people compare.
fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
