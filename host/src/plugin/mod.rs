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
mod counters;
mod discover;
mod error;
mod folders;
mod fresh;
mod incident;
mod inspect;
mod known;
mod lines;
mod mapped;
mod ours;
mod output;
pub mod policy;
mod preflight;
pub mod probe;
mod quarantine;
mod store;
mod tally;
mod text;
mod trust;
pub mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use hookport_plugin_api::Header;
use hookport_plugin_api::description::Description;
pub use hookport_plugin_api::operation::{Answer, OpResult, RequestPlan};

pub use self::abi::Native;
pub use self::call::{DecodeRequest, DecodedEvent, Fault, FaultKind, TextRequest};
pub use self::candidate::SETTLE;
use self::candidate::{Candidate, acceptable};
use self::catalog::Entry;
pub use self::code::{Code, CodeState, settle};
pub use self::counters::Counted;
pub use self::discover::{Found, Search};
pub use self::error::{LoadError, LoadFault};
pub use self::folders::{files, signature};
pub use self::fresh::Fresh;
pub use self::incident::Incident;
pub use self::inspect::{CodePart, HandshakePart, Inspection, ProviderPart, inspect, inspect_embedded};
pub use self::known::{Ask, Known, OnDisk};
use self::lines::Speaker;
pub use self::mapped::{Mapped, mapped};
use self::policy::{Limits, Policy, Standing, Tables};
use self::preflight::Preflight;
pub use self::store::{Build, Record, Store};
pub use self::tally::Tallies;
pub use self::trust::{Lock, Pin, PublicKey, SecretKey, Signature, Trust, pin_of, standing};
use self::worker::Image;
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
    /// Its code where it is to run in workers instead of here.
    pub image: Option<Image>,
    /// How far those may go.
    pub limits: Option<Limits>,
    /// Where it came from.
    pub file: PathBuf,
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// Who vouches for it; by its place alone where only the file was named.
    pub standing: Standing,
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
    Candidate::named(file)?.load(&Policy::inline(), Standing::of(file))
}

/// As [`load`], with native code where the policy wants it.
pub fn load_by(file: &Path, policy: &Policy) -> Result<Loaded, LoadError> {
    Candidate::named(file)?.load(policy, Standing::of(file))
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
    Candidate::embedded(entry).load(&Policy::inline(), Standing::Own)
}

impl Candidate {
    /// Everything that can be refused without running code is refused before any of it runs.
    fn load(&self, policy: &Policy, standing: Standing) -> Result<Loaded, LoadError> {
        self.loaded(policy, standing).map_err(|fault| self.error(fault))
    }

    fn loaded(&self, policy: &Policy, standing: Standing) -> Result<Loaded, LoadFault> {
        let code = if self.is_description() { None } else { Some(self.native()?) };
        if let Some((preflight, identity)) = &code {
            acceptable(preflight, identity, abi::glibc())?;
        }
        let (description, text) = self.description()?;
        self.complete(&description)?;
        let samples = self.samples()?;
        let abi = code.as_ref().map(|(_, identity)| (identity.abi_major, identity.abi_minor));
        let provider = &description.provider;
        let (mut native, mut image) = (None, None);
        if let Some((preflight, identity)) = code {
            match policy.isolates(&provider.id, standing) {
                true => image = Some(self.image(policy, &provider.id, identity.flags)?),
                false => native = Some(self.open(&description, &preflight, identity.flags, policy.tables)?),
            }
        }
        let (file, sha256) = (self.file.clone(), self.sha256.clone());
        let limits = image.as_ref().map(|_| policy.of(&description.provider.id).limits);
        Ok(Loaded { description, text, native, image, limits, file, sha256, standing, abi, samples })
    }

    /// Loads it into this process.
    fn open(
        &self,
        description: &Description,
        preflight: &Preflight<'_>,
        flags: u16,
        tables: Tables,
    ) -> Result<Native, LoadFault> {
        let (id, version) = (description.provider.id.as_str(), description.provider.version.as_str());
        let speaker = Arc::new(Speaker::new(id, version));
        let open = |copy: &Path| {
            let opened = abi::open_with(tables, copy, speaker, preflight, flags)?;
            mapped::count(id, copy);
            Ok(opened)
        };
        copy::with_private_copy(&self.file, &self.bytes, &self.sha256, open)
    }

    /// Keeps it for workers; nothing of it runs here.
    fn image(&self, policy: &Policy, id: &str, flags: u16) -> Result<Image, LoadFault> {
        let image = Image::new(&self.bytes, &self.sha256, flags, policy.of(id).limits, policy.program.clone());
        image.map_err(LoadFault::Image)
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
