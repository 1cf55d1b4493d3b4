//! One renewal of the plugins: what was found is put in the place of what serves, tried and loaded, or what serves stays.

use std::path::Path;

use tokio::runtime::Handle;

use super::plugins::{Plugin, Plugins};
use super::remember::Refusal;
use super::renew::fitting;
use crate::config::{Config, Draft};
use crate::plugin::policy::{Policy, Standing};
use crate::plugin::{Ask, Fresh, Known, LoadFault, OnDisk, SETTLE, Search, Store, Trust, catalog, mapped, probe};
use crate::provider::complaint::Complaint;

/// Generations of code in one process from which on a restart is advised.
const MANY: u32 = 16;

/// A renewal that is under way.
pub(super) struct Renewal<'a> {
    pub(super) draft: &'a Draft,
    before: &'a Plugins,
    store: Store,
    trust: Trust,
    pub(super) policy: Policy,
    ask: &'a Ask,
    pub(super) plugins: Plugins,
    /// Nothing serves yet, and the store may be another gateway's.
    starts: bool,
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
            plugins: Plugins { quarantine: Some(draft.written.plugins.policy().quarantine), ..Plugins::default() },
            starts: false,
            failed: Vec::new(),
        }
    }

    pub(super) fn at_start(self) -> Self {
        Self { starts: true, ..self }
    }

    /// What is not loaded yet; what stays is among the plugins already.
    pub(super) fn find(&mut self) -> Vec<(Fresh, Option<OnDisk>)> {
        let dirs = Plugins::folders(&self.draft.written.plugins.dirs);
        let folders = self.before.by_id.iter().filter(|(_, plugin)| plugin.is_of_a_folder());
        let known: Vec<Known<'_>> = folders.map(|(id, plugin)| plugin.known(id)).collect();
        let found = Search { dirs: &dirs, known: &known, ..self.search() }.find();
        let refused = found.refused.into_iter().map(|(file, error)| (file, error.to_string()));
        self.plugins.refused = refused.collect();
        self.failed = found.failed.iter().map(ToString::to_string).collect();
        (self.plugins.skipped, self.plugins.claimed) = (found.skipped, found.claimed);
        for (id, on_disk) in found.kept {
            let plugin = self.before.by_id.get(&id).map(|plugin| Plugin { on_disk, ..plugin.clone() });
            self.plugins.by_id.extend(plugin.map(|plugin| (id, plugin)));
        }
        self.miss(&found.fresh);
        found.fresh
    }

    pub(super) fn search(&self) -> Search<'_> {
        Search {
            dirs: &[],
            known: &[],
            trust: &self.trust,
            store: Some(&self.store),
            ask: self.ask,
            settle: Some(SETTLE),
        }
    }

    /// What serves and lies in no folder any more goes on where the catalogue has another of its id: a folder that is not
    /// mounted is empty, and nobody asked for another provider.
    fn miss(&mut self, found: &[(Fresh, Option<OnDisk>)]) {
        let is_found = |id: &str| found.iter().any(|(fresh, _)| fresh.id() == id);
        for (id, plugin) in self.before.by_id.iter().filter(|_| *self.ask == Ask::Nothing) {
            let has_another = plugin.is_of_a_folder() && catalog::find(id).is_some() && self.is_used(id);
            if has_another && !self.plugins.by_id.contains_key(id) && !is_found(id) {
                let refused = Some(LoadFault::Gone.to_string());
                let on_disk = Some(OnDisk { sha256: String::new(), version: None, refused });
                self.plugins.by_id.insert(id.clone(), Plugin { on_disk, ..plugin.clone() });
            }
        }
    }

    fn is_used(&self, id: &str) -> bool {
        self.draft.written.sources.values().any(|source| source.provider == id)
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
    pub(super) fn load(&mut self, fresh: Fresh, on_disk: Option<OnDisk>) -> bool {
        match self.loaded(&fresh) {
            Ok(plugin) => {
                self.serves(fresh, Plugin { on_disk, ..plugin });
                true
            }
            Err(error) => {
                self.stays(&fresh, &error);
                false
            }
        }
    }

    /// What was tried and is good; a copy of it is kept where somebody may want to go back to it.
    fn serves(&mut self, fresh: Fresh, plugin: Plugin) {
        self.plugins.by_id.insert(fresh.id().to_owned(), plugin);
        if self.is_used(fresh.id()) {
            self.plugins.later().copies.push(fresh);
        }
    }

    /// A start has nothing to stay with but what is kept.
    pub(super) fn begin(&mut self, fresh: Fresh, on_disk: Option<OnDisk>) {
        let error = match self.loaded(&fresh) {
            Ok(plugin) => return self.serves(fresh, Plugin { on_disk, ..plugin }),
            Err(error) => error,
        };
        let earlier = self.earlier(&fresh).and_then(|earlier| Some((self.loaded(&earlier).ok()?, earlier)));
        match earlier {
            Some((plugin, earlier)) => {
                let on_disk = Some(refused(&fresh, &error));
                self.serves(earlier, Plugin { on_disk, ..plugin });
            }
            None => self.plugins.refuse(fresh.id(), fresh.file(), error),
        }
    }

    /// The build that served before this one.
    pub(super) fn earlier(&self, fresh: &Fresh) -> Option<Fresh> {
        self.search().kept(fresh.id(), fresh.file(), fresh.sha256())
    }

    /// Tried and loaded.
    fn loaded(&self, fresh: &Fresh) -> Result<Plugin, String> {
        let id = fresh.id();
        let plugin = self.tried(fresh).inspect_err(|why| self.remember(fresh, why))?;
        let many = mapped(id).generations;
        if many >= MANY {
            tracing::warn!(
                provider = id,
                generations = many,
                "loaded code is never unloaded, and this is much of it: restart the gateway when it suits"
            );
        }
        let build = self.is_used(id).then(|| fresh.build());
        Ok(Plugin { build, ..plugin.numbered(self.generation(fresh)) })
    }

    /// Whatever it does ends in another process, before any of it runs in this one.
    fn tried(&self, fresh: &Fresh) -> Result<Plugin, String> {
        let is_isolated = fresh.is_isolated(&self.policy);
        if !is_isolated && fresh.standing() != Standing::Own {
            fresh.probe(&self.policy).map_err(|error| error.to_string())?;
        }
        let loaded = fresh.load(&self.policy).map_err(|error| error.to_string())?;
        let plugin = Plugin::compile_with(loaded, self.policy.quarantine)?;
        // What a start finds in the place of nothing gets its turn: a worker that breaks costs nobody else anything.
        if let (true, false, Some(code)) = (is_isolated, self.starts, &plugin.code) {
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

    /// What was refused is not tried again by itself; also where nothing else comes of this renewal.
    fn remember(&self, fresh: &Fresh, why: &str) {
        let (id, sha256) = (fresh.id().to_owned(), fresh.sha256().to_owned());
        let refusal = Refusal { id, sha256, why: shortened(fresh.file(), why) };
        match self.starts {
            true => self.plugins.later().refusals.push(refusal),
            false => refusal.write(&self.store),
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
