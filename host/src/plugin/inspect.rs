//! Tells what a plugin's file is without running any of it.

mod code;
mod contract;
mod provider;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use hookport_plugin_api::description::Description;
use serde::Serialize;

pub use self::code::CodePart;
pub use self::provider::{HandshakePart, ProviderPart};
use super::candidate::{Candidate, acceptable};
use super::catalog::Entry;
use super::{LoadError, LoadFault, abi};
use crate::provider::compile::Provider;
use crate::provider::parse::Places;

/// What a plugin's file says.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The file.
    pub file: PathBuf,
    /// Its hash, hexadecimal.
    pub sha256: String,
    /// Its length.
    pub bytes: usize,
    /// Why this gateway would not load it.
    pub refusal: Option<String>,
    /// The provider, where its description can be read.
    pub provider: Option<ProviderPart>,
    /// Whether the description is all of it.
    pub code_free: bool,
    /// The code, where there is any that can be read.
    pub code: Option<CodePart>,
    /// The event types that are known: those of its cases.
    pub events: Vec<String>,
    /// The cases that came with it, by name.
    pub samples: Vec<String>,
}

/// What the engine says against a description that can be read.
fn senseless(description: &Description, text: &str) -> Option<String> {
    let wrong = Provider::compile(description.clone(), &Places::new(text, "provider.toml")).err()?;
    let words = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Some(format!("has a description that cannot be used: {words}"))
}

/// Reads a plugin's file. It fails where the file is no plugin or damaged; one that this gateway would refuse for another
/// reason is shown with the reason.
pub fn inspect(file: &Path) -> Result<Inspection, LoadError> {
    examine(Candidate::named(file)?)
}

/// As [`inspect`], of one of the catalogue.
pub fn inspect_embedded(entry: &'static Entry) -> Result<Inspection, LoadError> {
    examine(Candidate::embedded(entry))
}

fn examine(candidate: Candidate) -> Result<Inspection, LoadError> {
    let mut refusal = None;
    let mut code = None;
    if !candidate.is_description() {
        match candidate.native() {
            Ok((preflight, identity)) => {
                refusal = acceptable(&preflight, &identity, abi::glibc()).err().map(|fault| fault.to_string());
                code = Some(CodePart::of(preflight, &identity));
            }
            // What another major version says beyond its number is not ours to read.
            Err(fault @ LoadFault::OtherMajor { .. }) => return Ok(Inspection::unread(candidate, &fault)),
            Err(fault) => return Err(candidate.error(fault)),
        }
    }
    let samples = candidate.samples().map_err(|fault| candidate.error(fault))?;
    let mut events = Vec::new();
    let provider = match candidate.description() {
        Ok((description, text)) => {
            events = contract::events(&description, &samples);
            refusal = refusal.or(candidate.complete(&description).err().map(|fault| fault.to_string()));
            refusal = refusal.or_else(|| senseless(&description, &text));
            Some(ProviderPart::of(description))
        }
        Err(fault) => {
            refusal.get_or_insert(fault.to_string());
            None
        }
    };
    Ok(Inspection {
        bytes: candidate.bytes.len(),
        code_free: candidate.is_description(),
        refusal,
        provider,
        code,
        events,
        samples: samples.into_iter().map(|sample| sample.name).collect(),
        file: candidate.file,
        sha256: candidate.sha256,
    })
}

impl Inspection {
    /// A plugin of which only the refusal can be told.
    fn unread(candidate: Candidate, fault: &LoadFault) -> Self {
        Self {
            bytes: candidate.bytes.len(),
            refusal: Some(fault.to_string()),
            provider: None,
            code_free: false,
            code: None,
            events: Vec::new(),
            samples: Vec::new(),
            file: candidate.file,
            sha256: candidate.sha256,
        }
    }
}

/// For people.
impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "file", &format!("{} ({} bytes)", self.file.display(), self.bytes))?;
        line(f, "sha256", &self.sha256)?;
        line(f, "loads here", self.refusal.as_deref().map_or("yes", |_| "no"))?;
        lines(f, "because", self.refusal.iter())?;
        if let Some(provider) = &self.provider {
            provider.show(f)?;
        }
        lines(f, "event", &self.events)?;
        match &self.code {
            Some(code) => code.show(f)?,
            None if !self.code_free => line(f, "code", "of an ABI that this gateway cannot read")?,
            None => line(f, "code", "none: the description is all of it")?,
        }
        lines(f, "samples", &self.samples)
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    writeln!(f, "{name:<14} {text}")
}

fn lines<T: AsRef<str>>(f: &mut fmt::Formatter<'_>, name: &str, texts: impl IntoIterator<Item = T>) -> fmt::Result {
    texts.into_iter().try_for_each(|text| line(f, name, text.as_ref()))
}

fn entries(f: &mut fmt::Formatter<'_>, name: &str, entries: &BTreeMap<String, String>) -> fmt::Result {
    entries.iter().try_for_each(|(key, about)| line(f, name, &format!("{key}: {about}")))
}
