//! Where native code runs, within which bounds, and whom it is trusted of, as written in `[plugins]` and `[plugins.override.PROVIDER]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::Plugins;
use crate::config::units::{Size, Span};
use crate::plugin::policy::{Isolation, Limits, Policy, QuarantineTerms, Terms};

/// `[plugins.override.PROVIDER]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginTerms {
    /// Where its code runs.
    pub isolation: Option<Isolation>,
    /// A call that takes longer ends its worker.
    pub deadline: Option<Span>,
    /// Address space of a worker.
    pub memory: Option<Size>,
    /// How many.
    pub workers: Option<usize>,
}

/// `[plugins] quarantine`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantine {
    /// So many broken calls in a row; 0 leaves none alone.
    pub faults: u32,
    /// Within so long.
    pub within: Span,
    /// Until it is tried again.
    pub pause: Span,
}

/// `[plugins.trust]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Public keys whose signatures count, by names of one's own.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// The file with the pins; without it nothing is pinned.
    pub lock: PathBuf,
    /// What becomes of native code that nobody vouches for.
    pub unsigned: UnsignedCode,
}

/// What becomes of native code that nobody vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnsignedCode {
    /// It runs where `isolation = "auto"` puts what is not trusted.
    Worker,
    /// It is not loaded.
    Refuse,
}

impl Plugins {
    /// What it says, for those who load plugins.
    pub fn policy(&self) -> Policy {
        let general = Terms {
            isolation: self.isolation,
            limits: Limits { deadline: self.deadline.0, memory: self.memory.0 as u64, workers: self.workers },
        };
        let terms = |own: &PluginTerms| Terms {
            isolation: own.isolation.unwrap_or(general.isolation),
            limits: Limits {
                deadline: own.deadline.map_or(general.limits.deadline, |span| span.0),
                memory: own.memory.map_or(general.limits.memory, |size| size.0 as u64),
                workers: own.workers.unwrap_or(general.limits.workers),
            },
        };
        let Quarantine { faults, within, pause } = self.quarantine;
        Policy {
            general,
            overrides: self.overrides.iter().map(|(id, own)| (id.clone(), terms(own))).collect(),
            quarantine: QuarantineTerms { faults, within: within.0, pause: pause.0 },
            ..Policy::default()
        }
    }
}
