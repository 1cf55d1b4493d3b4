//! Loading as the release does it: everything that can be refused without running code is refused before any of it runs.

use std::path::Path;
use std::sync::Arc;

use hookport_plugin_api::description::Description;

use super::abi::{self, Native};
use super::candidate::{Candidate, acceptable};
use super::error::{LoadError, LoadFault};
use super::lines::Speaker;
use super::copy;
use crate::provider::parse::{Grammar, parse};

/// A plugin with its code.
pub struct Loaded {
    /// Its code.
    pub native: Option<Native>,
    /// The ABI that it was built for.
    pub abi: (u16, u16),
}

/// A case file that came with a plugin.
pub struct Sample {
    /// The file's name.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Loads one.
pub fn load(file: &Path) -> Result<Loaded, LoadError> {
    let candidate = Candidate::read(file)?;
    loaded(&candidate).map_err(|fault| candidate.error(fault))
}

fn loaded(candidate: &Candidate) -> Result<Loaded, LoadFault> {
    let (preflight, identity) = candidate.native()?;
    acceptable(&preflight, &identity, abi::glibc())?;
    let (description, _) = candidate.description()?;
    candidate.complete(&description)?;
    candidate.samples()?;
    let speaker = Arc::new(Speaker::new(description.provider.id.as_str(), description.provider.version.as_str()));
    let native = copy::with_private_copy(&candidate.file, &candidate.bytes, &candidate.sha256, |copy| {
        abi::open(copy, speaker, &preflight, identity.flags)
    })?;
    Ok(Loaded { native: Some(native), abi: (identity.abi_major, identity.abi_minor) })
}

pub(super) fn describe(text: &str, newer: bool) -> Result<Description, String> {
    let grammar = if newer { Grammar::Newer } else { Grammar::Strict };
    parse(text, "", grammar)
        .map_err(|wrong| wrong.iter().map(|complaint| complaint.keyed()).collect::<Vec<_>>().join("; "))
}
