//! One renewal of the plugins: what was found is put in the place of what serves, tried and loaded, or what serves stays.

use std::path::Path;

use tokio::runtime::Handle;

use super::plugins::{Plugin, Plugins};
use super::renew::fitting;
use crate::config::{Config, Draft};
use crate::plugin::policy::{Policy, Standing};
use crate::plugin::{Ask, Fresh, Known, LoadFault, OnDisk, Search, Store, Trust, mapped, probe};
use crate::provider::complaint::Complaint;

/// Generations of code in one process from which on a restart is advised.
const MANY: u32 = 16;

/// A renewal that is under way.
pub(super) struct Renewal<'a> {
    draft: &'a Draft,
    before: &'a Plugins,
    store: Store,
    trust: Trust,
    policy: Policy,
    ask: &'a Ask,
    pub(super) plugins: Plugins,
    /// What was asked and cannot be done.
    pub(super) failed: Vec<String>,
}

impl<'a> Renewal<'a> {
    pub(super) fn of(draft: &'a Draft, before: &'a Plugins, ask: &'a Ask) -> Self {
        Self {
            draft,
            before,
            store: Plugins::store(draft),
            trust: Plugins::trust(draft),
            policy: draft.written.plugins.policy(),
            ask,
            plugins: Plugins::default(),
            failed: Vec::new(),
        }
    }

    /// What is not loaded yet; what stays is among the plugins already.
    pub(super) fn find(&mut self) -> Vec<(Fresh, Option<OnDisk>)> {
        let dirs = Plugins::folders(&self.draft.written.plugins.dirs);
        let folders = self.before.by_id.iter().filter(|(_, plugin)| plugin.is_of_a_folder());
        let known = folders.map(|(id, plugin)| Known {
            id,
            file: &plugin.file,
            sha256: &plugin.sha256,
            standing: plugin.standing,
            on_disk: plugin.on_disk.as_ref(),
        });
        let known: Vec<Known<'_>> = known.collect();
        let found =
            Search { dirs: &dirs, known: &known, trust: &self.trust, store: Some(&self.store), ask: self.ask }.find();
        let refused = found.refused.into_iter().map(|(file, error)| (file, error.to_string()));
        self.plugins.refused = refused.collect();
        self.failed = found.failed.iter().map(ToString::to_string).collect();
        (self.plugins.skipped, self.plugins.claimed) = (found.skipped, found.claimed);
        for (id, on_disk) in found.kept {
            let plugin = self.before.by_id.get(&id).map(|plugin| Plugin { on_disk, ..plugin.clone() });
            self.plugins.by_id.extend(plugin.map(|plugin| (id, plugin)));
        }
        found.fresh
    }

    /// Judges it by the configuration, without any of its code.
    pub(super) fn put(&mut self, fresh: &Fresh, on_disk: Option<OnDisk>) {
        match Plugin::judged(fresh) {
            Ok(plugin) => {
                let generation = self.generation(fresh);
                let plugin = Plugin { on_disk, generation, ..plugin };
                self.plugins.by_id.insert(fresh.id().to_owned(), plugin);
            }
            Err(error) => self.stays(fresh, &error),
        }
    }

    /// Whether the configuration fits what served before in the place of what is found: its new builds then wait for theirs.
    pub(super) fn fits_without(
        &mut self,
        found: &[(Fresh, Option<OnDisk>)],
        config: &mut Result<Config, Vec<Complaint>>,
    ) -> bool {
        let Err(wrong) = config else { return false };
        let why = LoadFault::Unfit(wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")).to_string();
        let whole = self.plugins.clone();
        for (fresh, _) in found.iter().filter(|(fresh, _)| fresh.is_native()) {
            if self.before.by_id.contains_key(fresh.id()) {
                self.stays(fresh, &why);
            }
        }
        match fitting(self.draft, &self.plugins) {
            Ok(fitted) => *config = Ok(fitted),
            Err(_) => self.plugins = whole,
        }
        config.is_ok()
    }

    /// Tries it and loads it; else what was before stays, and is said to.
    pub(super) fn load(&mut self, fresh: &Fresh, on_disk: Option<OnDisk>) -> bool {
        match self.loaded(fresh) {
            Ok(plugin) => {
                self.plugins.by_id.insert(fresh.id().to_owned(), Plugin { on_disk, ..plugin });
                true
            }
            Err(error) => {
                self.stays(fresh, &error);
                false
            }
        }
    }

    /// A start has nothing to stay with but what is kept.
    pub(super) fn begin(&mut self, fresh: Fresh, on_disk: Option<OnDisk>) {
        let error = match self.loaded(&fresh) {
            Ok(plugin) => {
                self.plugins.by_id.insert(fresh.id().to_owned(), Plugin { on_disk, ..plugin });
                return;
            }
            Err(error) => error,
        };
        let earlier = self.earlier(&fresh);
        match earlier.map(|earlier| self.loaded(&earlier)) {
            Some(Ok(plugin)) => {
                let on_disk = Some(refused(&fresh, &error));
                self.plugins.by_id.insert(fresh.id().to_owned(), Plugin { on_disk, ..plugin });
            }
            _ => self.plugins.refuse(fresh.id(), fresh.file(), error),
        }
    }

    /// The build that served before this one.
    pub(super) fn earlier(&self, fresh: &Fresh) -> Option<Fresh> {
        let search = Search { dirs: &[], known: &[], trust: &self.trust, store: Some(&self.store), ask: self.ask };
        search.kept(fresh.id(), fresh.file(), fresh.sha256())
    }

    /// Kept, tried and loaded.
    fn loaded(&self, fresh: &Fresh) -> Result<Plugin, String> {
        let id = fresh.id();
        let is_used = self.draft.written.sources.values().any(|source| source.provider == id);
        if is_used && let Err(error) = fresh.keep(&self.store) {
            tracing::warn!(provider = id, "no copy of this build is kept, and nobody can go back to it: {error}");
        }
        let plugin = self.tried(fresh).inspect_err(|why| self.remember(fresh, why))?;
        let many = mapped(id).generations;
        if many >= MANY {
            tracing::warn!(
                provider = id,
                generations = many,
                "loaded code is never unloaded, and this is much of it: restart the gateway when it suits"
            );
        }
        let build = is_used.then(|| fresh.build());
        Ok(Plugin { build, ..plugin.numbered(self.generation(fresh)) })
    }

    /// Whatever it does ends in another process, before any of it runs in this one.
    fn tried(&self, fresh: &Fresh) -> Result<Plugin, String> {
        let is_isolated = fresh.is_isolated(&self.policy);
        if !is_isolated && fresh.standing() != Standing::Own {
            fresh.probe().map_err(|error| error.to_string())?;
        }
        let loaded = fresh.load(&self.policy).map_err(|error| error.to_string())?;
        let plugin = Plugin::compile_with(loaded, self.policy.quarantine)?;
        // What a start finds in the place of nothing gets its turn: a worker that breaks costs nobody else anything.
        if let (true, false, Some(code)) = (is_isolated, self.before.by_id.is_empty(), &plugin.code) {
            let rehearsed = match (code.try_start(), Handle::try_current()) {
                (Ok(()), Ok(runtime)) => {
                    runtime.block_on(probe::rehearse(code, &plugin.samples, &plugin.provider.description))
                }
                (started, _) => started,
            };
            rehearsed.map_err(|why| LoadFault::Probe(why).to_string())?;
        }
        Ok(plugin)
    }

    /// What was refused is not tried again by itself.
    fn remember(&self, fresh: &Fresh, why: &str) {
        let mut record = self.store.record(fresh.id()).unwrap_or_default();
        record.refuse(fresh.sha256(), &shortened(fresh.file(), why));
        if let Err(error) = self.store.write(fresh.id(), &mut record) {
            tracing::warn!(provider = fresh.id(), "a refusal cannot be written down: {error}");
        }
    }

    /// What was before stays where there is something, and its file is refused.
    pub(super) fn stays(&mut self, fresh: &Fresh, why: &str) {
        match self.before.by_id.get(fresh.id()) {
            // An earlier build that cannot be gone back to says nothing about the file on disk, nor ends what holds.
            Some(_) if matches!(self.ask, Ask::Back(..)) => self.failed.push(shortened(fresh.file(), why)),
            Some(before) => {
                let plugin = Plugin { on_disk: Some(refused(fresh, why)), ..before.clone() };
                self.plugins.by_id.insert(fresh.id().to_owned(), plugin);
            }
            None => {
                self.plugins.by_id.remove(fresh.id());
                self.plugins.refuse(fresh.id(), fresh.file(), why.to_owned());
            }
        }
    }

    /// The next one; a start goes on with the number of a build that served last.
    fn generation(&self, fresh: &Fresh) -> u32 {
        let record = self.store.record(fresh.id());
        let last = record.as_ref().map_or(0, |record| record.generation);
        match self.before.by_id.get(fresh.id()) {
            Some(before) => before.generation.max(last).saturating_add(1),
            None if record.is_some_and(|record| record.sha256 == fresh.sha256()) => last.max(1),
            None => last.saturating_add(1),
        }
    }
}

fn refused(fresh: &Fresh, why: &str) -> OnDisk {
    OnDisk {
        sha256: fresh.sha256().to_owned(),
        version: Some(fresh.version().to_owned()),
        refused: Some(shortened(fresh.file(), why)),
    }
}

/// An error's words without its file, which is told beside it.
fn shortened(file: &Path, why: &str) -> String {
    why.strip_prefix(&format!("{}: ", file.display())).unwrap_or(why).to_owned()
}
