//! A plugin whose bytes were judged and are good, and of which nothing has run yet.

use std::path::Path;

use hookport_plugin_api::description::Description;

use super::candidate::{Candidate, acceptable, is_description};
use super::policy::{Policy, Standing};
use super::probe::probe;
use super::store::{Build, Store};
use super::{LoadError, LoadFault, Loaded, abi};
use crate::clock::Clock;

/// The file, with what it says.
pub struct Fresh {
    candidate: Candidate,
    description: Description,
    text: String,
    standing: Standing,
}

impl Fresh {
    /// Everything that can be refused without running code is refused here.
    pub(super) fn of(candidate: Candidate, standing: Standing) -> Result<Self, LoadError> {
        let judged = || -> Result<_, LoadFault> {
            if !candidate.is_description() {
                let (preflight, identity) = candidate.native()?;
                acceptable(&preflight, &identity, abi::glibc())?;
            }
            let (description, text) = candidate.description()?;
            candidate.complete(&description)?;
            Ok((description, text))
        };
        match judged() {
            Ok((description, text)) => Ok(Self { candidate, description, text, standing }),
            Err(fault) => Err(candidate.error(fault)),
        }
    }

    /// The provider.
    pub fn id(&self) -> &str {
        &self.description.provider.id
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.description.provider.version
    }

    /// Where it was found.
    pub fn file(&self) -> &Path {
        &self.candidate.file
    }

    /// Of the file, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.candidate.sha256
    }

    /// Who vouches for it.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether there is code in it.
    pub fn is_native(&self) -> bool {
        !self.candidate.is_description()
    }

    /// What it is, as written and as understood.
    pub fn description(&self) -> (&Description, &str) {
        (&self.description, &self.text)
    }

    /// What the store knows it by.
    pub fn build(&self) -> Build {
        let kind = if is_description(&self.candidate.file) { "toml" } else { "so" };
        Build {
            sha256: self.candidate.sha256.clone(),
            version: self.description.provider.version.clone(),
            kind: kind.into(),
            since: Clock::default().now(),
            own: self.standing == Standing::Own,
        }
    }

    /// Keeps a copy, so that it can be gone back to.
    pub fn keep(&self, store: &Store) -> std::io::Result<()> {
        let name = format!("{}.{}", self.candidate.sha256, self.build().kind);
        let signature = std::fs::read(self.candidate.signature()).ok();
        store.keep(self.id(), &name, &self.candidate.bytes, signature.as_deref())
    }

    /// Loads it in a process of its own, which may end as it likes.
    pub fn probe(&self, policy: &Policy) -> Result<(), LoadError> {
        let fault = match self.is_native() {
            true => probe(&self.candidate, policy).map_err(LoadFault::Probe),
            false => Ok(()),
        };
        fault.map_err(|fault| self.error(fault))
    }

    /// Whether its code goes into workers.
    pub fn is_isolated(&self, policy: &Policy) -> bool {
        self.is_native() && policy.isolates(self.id(), self.standing)
    }

    /// Takes its code to where the policy wants it: in this process it runs from here on.
    pub fn load(&self, policy: &Policy) -> Result<Loaded, LoadError> {
        self.candidate.load(policy, self.standing)
    }

    /// An error about it.
    pub fn error(&self, fault: LoadFault) -> LoadError {
        self.candidate.error(fault)
    }
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fresh").field("file", &self.candidate.file).finish_non_exhaustive()
    }
}
