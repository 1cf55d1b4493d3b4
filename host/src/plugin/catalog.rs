//! The catalogue: code-free providers that are built into the program. Their text is read when somebody names them.
//!
//! A plugin of the same id in a folder goes before: anybody can copy a description, correct it and use it at once.

use std::path::{Path, PathBuf};

use super::Sample;

/// One of them.
pub struct Entry {
    /// The provider's id, which is its folder's name.
    pub id: &'static str,
    /// Its `provider.toml`.
    pub text: &'static str,
    /// Its cases, by name.
    cases: &'static [(&'static str, &'static [u8])],
}

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// All of them, by id.
pub fn entries() -> &'static [Entry] {
    CATALOG
}

/// The one of that id.
pub fn find(id: &str) -> Option<&'static Entry> {
    CATALOG.binary_search_by_key(&id, |entry| entry.id).ok().map(|at| &CATALOG[at])
}

/// The id that a command's FILE is when it is no file: one word.
pub(super) fn id(file: &Path) -> Option<&str> {
    file.to_str().filter(|name| !name.contains(['/', '\\', '.']))
}

const EMBEDDED: &str = "embedded:";

/// Whether this stands for a file of the catalogue.
pub fn is_embedded(file: &Path) -> bool {
    file.to_str().is_some_and(|file| file.starts_with(EMBEDDED))
}

impl Entry {
    /// What stands for its file.
    pub fn file(&self) -> PathBuf {
        format!("{EMBEDDED}{}", self.id).into()
    }

    /// The cases that came with it.
    pub fn samples(&self) -> Vec<Sample> {
        let sample = |(name, text): &(&str, &[u8])| Sample { name: (*name).to_owned(), text: text.to_vec() };
        self.cases.iter().map(sample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_is_found_by_its_id() {
        for entry in entries() {
            assert_eq!(find(entry.id).map(|found| found.text), Some(entry.text), "{}", entry.id);
        }
        assert!(find("").is_none());
    }
}
