//! The release's loader, file by file, and its own order of them; no catalogue stands behind it.

#[path = "../../../../host/src/plugin/abi.rs"]
mod abi;
#[path = "../../../../host/src/plugin/call.rs"]
mod call;
#[path = "../../../../host/src/plugin/candidate.rs"]
mod candidate;
#[path = "../../../../host/src/plugin/copy.rs"]
mod copy;
#[path = "../../../../host/src/plugin/error.rs"]
mod error;
#[path = "../../../../host/src/plugin/output.rs"]
mod output;
#[path = "../../../../host/src/plugin/preflight.rs"]
mod preflight;

use std::path::Path;
use std::sync::Arc;

pub use hookport_plugin_api::Header;
use hookport_plugin_api::description::Description;
pub use hookport_plugin_api::operation::{Answer, OpResult, RequestPlan};

pub use self::abi::Native;
pub use self::call::{DecodeRequest, DecodedEvent, Fault, FaultKind};
use self::candidate::{Candidate, acceptable};
pub use self::error::{LoadError, LoadFault};
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

/// Everything that can be refused without running code is refused before any of it runs.
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
    let id: Arc<str> = description.provider.id.as_str().into();
    let native = copy::with_private_copy(&candidate.file, &candidate.bytes, &candidate.sha256, |copy| {
        abi::open(copy, id, &preflight, identity.flags)
    })?;
    Ok(Loaded { native: Some(native), abi: (identity.abi_major, identity.abi_minor) })
}

fn describe(text: &str, newer: bool) -> Result<Description, String> {
    let grammar = if newer { Grammar::Newer } else { Grammar::Strict };
    parse(text, "", grammar)
        .map_err(|wrong| wrong.iter().map(|complaint| complaint.keyed()).collect::<Vec<_>>().join("; "))
}

mod catalog {
    use std::path::{Path, PathBuf};

    pub(super) struct Entry {
        pub(super) id: &'static str,
        pub(super) text: &'static str,
    }

    impl Entry {
        pub(super) fn file(&self) -> PathBuf {
            PathBuf::new()
        }

        pub(super) fn samples(&self) -> Vec<super::Sample> {
            Vec::new()
        }
    }

    pub(super) fn id(_: &Path) -> Option<&str> {
        None
    }

    pub(super) fn find(_: &str) -> Option<&'static Entry> {
        None
    }

    pub(super) fn entries() -> &'static [Entry] {
        &[]
    }
}
