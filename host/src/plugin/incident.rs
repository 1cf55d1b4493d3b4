//! What of a plugin's code people should hear of, and who listens.

use std::sync::{Arc, OnceLock};

/// Something that happened to a plugin's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incident {
    /// It broke again and again, and is left alone for a while.
    Quarantined {
        /// The provider.
        plugin: Arc<str>,
        /// So many calls in a row.
        faults: u32,
        /// The last of them.
        last: String,
    },
    /// It is well again.
    Released {
        /// The provider.
        plugin: Arc<str>,
    },
    /// One of its workers ended, or could not be started.
    WorkerLost {
        /// The provider.
        plugin: Arc<str>,
        /// Of the plugin's file.
        sha256: Arc<str>,
        /// How.
        how: String,
        /// So many since it was told last.
        losses: u64,
    },
}

type Listener = Box<dyn Fn(Incident) + Send + Sync>;

/// Who listens to one plugin's incidents; at first nobody.
#[derive(Default)]
pub(super) struct Ears(OnceLock<Listener>);

impl Ears {
    pub(super) fn set(&self, listener: Listener) {
        // The first one stays.
        let _ = self.0.set(listener);
    }

    pub(super) fn hear(&self, incident: Incident) {
        if let Some(listener) = self.0.get() {
            listener(incident);
        }
    }
}

impl std::fmt::Debug for Ears {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ears").finish_non_exhaustive()
    }
}
