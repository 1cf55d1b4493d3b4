//! What is written down of the plugins beside the journal: for the next start, and for who wants to go back. Nothing of a build
//! that did not serve, and nothing before the journal's folder is this gateway's.

use std::sync::{MutexGuard, PoisonError};

use super::plugins::Plugins;
use crate::plugin::{Fresh, Store};

/// What came of a renewal and is in no store yet.
#[derive(Default)]
pub struct Unwritten {
    /// Builds that serve.
    pub(super) copies: Vec<Fresh>,
    /// Builds that were tried and refused.
    pub(super) refusals: Vec<Refusal>,
}

/// A build that was tried and refused.
pub(super) struct Refusal {
    pub(super) id: String,
    pub(super) sha256: String,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn write(&self, store: &Store) {
        let mut record = store.record(&self.id).unwrap_or_default();
        record.refuse(&self.sha256, &self.why);
        if let Err(error) = store.write(&self.id, &mut record) {
            tracing::warn!(provider = self.id, "a refusal cannot be written down: {error}");
        }
    }
}

impl Plugins {
    /// What is not written down yet.
    pub(super) fn later(&self) -> MutexGuard<'_, Unwritten> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down which builds serve, for the next start and for who wants to go back.
    pub fn write_down(&self, store: &Store) {
        let Unwritten { copies, refusals } = std::mem::take(&mut *self.later());
        refusals.iter().for_each(|refusal| refusal.write(store));
        for fresh in copies {
            if let Err(error) = fresh.keep(store) {
                let provider = fresh.id();
                tracing::warn!(provider, "no copy of this build is kept, and nobody can go back to it: {error}");
            }
        }
        for (id, plugin) in &self.by_id {
            let known = store.record(id);
            if plugin.build.is_none() && (known.is_none() || !plugin.is_of_a_folder()) {
                continue;
            }
            let mut record = known.clone().unwrap_or_default();
            let on_disk = plugin.on_disk.as_ref();
            record.file.clone_from(&plugin.file);
            record.held = on_disk.filter(|on_disk| on_disk.refused.is_none()).map(|on_disk| on_disk.sha256.clone());
            if (record.sha256 != plugin.sha256 || record.generation != plugin.generation)
                && let Some(build) = plugin.build.clone()
            {
                record.serves(build, plugin.generation);
            }
            if known.as_ref() != Some(&record)
                && let Err(error) = store.write(id, &mut record)
            {
                tracing::warn!(provider = %id, "what serves cannot be written down: {error}");
            }
        }
    }
}
