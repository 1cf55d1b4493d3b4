//! What is written down of the plugins beside the journal: for the next start, and for who wants to go back.

use super::plugins::Plugins;
use crate::plugin::Store;

impl Plugins {
    /// Writes down which builds serve, for the next start and for who wants to go back.
    pub fn write_down(&self, store: &Store) {
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
