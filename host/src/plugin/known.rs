//! What a search for plugins goes by: what somebody asks, what serves, and what lies in its place.

use std::path::Path;

use super::policy::Standing;

/// What somebody asks of the plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ask {
    /// Nobody asks: what was refused is not tried again, and what is held stays.
    #[default]
    Nothing,
    /// All of them again.
    All,
    /// One provider's again.
    One(String),
    /// One provider back to an earlier build: the one whose hash begins so, or the one before.
    Back(String, Option<String>),
}

impl Ask {
    /// The one provider that it is about.
    pub fn names(&self) -> Option<&str> {
        match self {
            Self::Nothing | Self::All => None,
            Self::One(id) | Self::Back(id, _) => Some(id),
        }
    }
}

/// What serves already.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its provider.
    pub id: &'a str,
    /// Where it was found.
    pub file: &'a Path,
    /// Of what serves, hexadecimal.
    pub sha256: &'a str,
    /// How that stands.
    pub standing: Standing,
    /// What lies in its place, where that is another.
    pub on_disk: Option<&'a OnDisk>,
}

/// What lies in a plugin's place and is not what serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDisk {
    /// Of the file; empty where it cannot be read.
    pub sha256: String,
    /// Its description's version, where that can be told.
    pub version: Option<String>,
    /// Why it does not serve; nothing where an operator went back from it.
    pub refused: Option<String>,
}
