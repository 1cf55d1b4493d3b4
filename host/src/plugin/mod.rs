//! Plugins: finding them, judging their files, loading and calling them.
//!
//! What a description means is [`crate::provider`]'s; here it is text and types. Loaded code stays loaded: unloading leaves
//! pointers behind in thread-local destructors and in the layout checker, so a reload makes a new generation beside the old.

mod abi;
mod call;
mod candidate;
pub mod catalog;
mod code;
mod copy;
mod discover;
mod error;
mod inspect;
mod output;
pub mod policy;
mod preflight;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use hookport_plugin_api::Header;
use hookport_plugin_api::description::Description;
use hookport_plugin_api::identity::Identity;
pub use hookport_plugin_api::operation::{Answer, OpResult, RequestPlan};

pub use self::abi::Native;
pub use self::call::{DecodeRequest, DecodedEvent, Fault, FaultKind};
use self::candidate::{Candidate, acceptable};
use self::catalog::Entry;
pub use self::code::Code;
pub use self::discover::{Discovered, Known, discover, discover_again, files};
pub use self::error::{LoadError, LoadFault};
pub use self::inspect::{CodePart, HandshakePart, Inspection, ProviderPart, inspect, inspect_embedded};
use self::preflight::Preflight;
use crate::provider::complaint::Complaint;
use crate::provider::parse::{Grammar, parse};

/// A provider with its code, if it has any.
#[derive(Debug)]
pub struct Loaded {
    /// What the provider is.
    pub description: Description,
    /// The description as written.
    pub text: String,
    /// Its code; a code-free provider has none.
    pub native: Option<Native>,
    /// Where it came from.
    pub file: PathBuf,
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// The ABI that it was built for; a code-free provider has none.
    pub abi: Option<(u16, u16)>,
    /// The cases that came with it.
    pub samples: Vec<Sample>,
}

/// A case file that came with a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The file's name without folder and ending.
    pub name: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Loads a plugin (`.so`) or a code-free provider (`provider.toml`, or the id of one of the catalogue).
pub fn load(file: &Path) -> Result<Loaded, LoadError> {
    Candidate::named(file)?.load()
}

/// A description as written.
pub struct Text {
    /// The text.
    pub text: String,
    /// How strictly unknown keys are taken.
    pub grammar: Grammar,
    /// Whether it is all of the plugin.
    pub code_free: bool,
}

/// The description that a file is or carries; no code of it runs.
pub fn text(file: &Path) -> Result<Text, LoadError> {
    let candidate = Candidate::read(file)?;
    let (text, newer) = candidate.text().map_err(|fault| candidate.error(fault))?;
    let grammar = if newer { Grammar::Newer } else { Grammar::Strict };
    Ok(Text { text: text.to_owned(), grammar, code_free: candidate.is_description() })
}

/// Loads a provider of the catalogue.
pub fn load_embedded(entry: &'static Entry) -> Result<Loaded, LoadError> {
    Candidate::embedded(entry).load()
}

impl Candidate {
    /// Everything that can be refused without running code is refused before any of it runs.
    fn load(&self) -> Result<Loaded, LoadError> {
        self.loaded().map_err(|fault| self.error(fault))
    }

    fn loaded(&self) -> Result<Loaded, LoadFault> {
        let code = if self.is_description() { None } else { Some(self.native()?) };
        if let Some((preflight, identity)) = &code {
            acceptable(preflight, identity, abi::glibc())?;
        }
        let (description, text) = self.description()?;
        self.complete(&description)?;
        let samples = self.samples()?;
        let abi = code.as_ref().map(|(_, identity)| (identity.abi_major, identity.abi_minor));
        let open = |(preflight, identity): (Preflight<'_>, Identity<'_>)| {
            let id: Arc<str> = description.provider.id.as_str().into();
            copy::with_private_copy(&self.file, &self.bytes, &self.sha256, |copy| {
                abi::open(copy, id, &preflight, identity.flags)
            })
        };
        let native = code.map(open).transpose()?;
        Ok(Loaded { description, text, native, file: self.file.clone(), sha256: self.sha256.clone(), abi, samples })
    }
}

/// Reads a description. `newer` says that it was built for a newer grammar than this host's.
fn describe(text: &str, newer: bool) -> Result<Description, String> {
    let grammar = if newer { Grammar::Newer } else { Grammar::Strict };
    // The file is named by whoever reports this.
    let line = |complaint: &Complaint| match complaint.line {
        Some(line) => format!("line {line}: {}", complaint.keyed()),
        None => complaint.keyed(),
    };
    parse(text, "", grammar).map_err(|wrong| wrong.iter().map(line).collect::<Vec<_>>().join("; "))
}
