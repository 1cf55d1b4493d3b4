//! Generations: what changed in the plugin folders is judged, tried and loaded beside what serves, or what serves stays.
//!
//! Nothing is swapped here; that, and who drains, is [`super::reload`]'s. Requests end with the code that they began with:
//! the last one of a generation lets go of it, and it is told that no call will follow.

use std::path::Path;

use tokio::runtime::Handle;

use crate::config::{self, Config, Draft, Rules};
use crate::outbound::Condition;
use crate::plugin::policy::{Policy, Standing};
use crate::plugin::{Ask, Fresh, Known, LoadFault, OnDisk, Search, Store, Trust, mapped, probe};
use crate::provider::complaint::{Complaint, did_you_mean};

use super::parts;
use super::plugins::{Plugin, Plugins};

/// Generations of code in one process from which on a restart is advised.
const MANY: u32 = 16;

/// A renewal that is under way.
struct Renewal<'a> {
    draft: &'a Draft,
    before: &'a Plugins,
    store: Store,
    trust: Trust,
    policy: Policy,
    ask: &'a Ask,
    plugins: Plugins,
    /// What was asked and cannot be done.
    failed: Vec<String>,
}

impl Plugins {
    /// What a gateway begins with: as [`of`](Self::of), but a build that an operator went back to stays, and one that served
    /// before serves again where the file in its place cannot be used.
    pub fn first(draft: &Draft) -> (Self, Result<Config, Vec<Complaint>>) {
        let nothing = Self::default();
        let mut renewal = Renewal::of(draft, &nothing, &Ask::Nothing);
        for (fresh, on_disk) in renewal.find() {
            renewal.begin(fresh, on_disk);
        }
        renewal.plugins.embed_for(draft);
        let config = fitting(draft, &renewal.plugins);
        (renewal.plugins, config)
    }

    /// What a configuration that is read again can use, beside what serves. Of a dry run nothing is loaded.
    pub fn again(draft: &Draft, before: &Self, dry_run: bool) -> (Self, Result<Config, Vec<Complaint>>) {
        let mut renewal = Renewal::of(draft, before, &Ask::Nothing);
        let found = renewal.find();
        for (fresh, on_disk) in &found {
            renewal.put(fresh, on_disk.clone());
        }
        renewal.plugins.embed_for(draft);
        let mut config = fitting(draft, &renewal.plugins);
        let fit = config.is_ok() || !renewal.fits_without(&found, &mut config);
        for (fresh, on_disk) in found.into_iter().filter(|(fresh, _)| fit || !before.by_id.contains_key(fresh.id())) {
            if !dry_run && config.is_ok() && !renewal.load(&fresh, on_disk) {
                config = fitting(draft, &renewal.plugins);
            }
        }
        (renewal.plugins, config)
    }

    /// What somebody asks of the plugins alone, one after the other: what does not fit, or fails, stays as it was.
    pub fn renewed(draft: &Draft, before: &Self, ask: &Ask) -> Result<(Config, Self), Vec<Complaint>> {
        let mut renewal = Renewal::of(draft, before, ask);
        let found = renewal.find();
        if let Some(id) = ask.names()
            && !renewal.plugins.by_id.contains_key(id)
            && found.iter().all(|(fresh, _)| fresh.id() != id)
        {
            let known = before.by_id.iter().filter(|(_, plugin)| plugin.is_of_a_folder()).map(|(id, _)| id.as_str());
            renewal.failed.push(format!("no plugin folder has a usable \"{id}\"{}", did_you_mean(id, known)));
        }
        if !renewal.failed.is_empty() {
            return Err(renewal.failed.into_iter().map(|message| complaint("plugins".into(), message)).collect());
        }
        for (fresh, on_disk) in found {
            let serving = renewal.plugins.clone();
            renewal.put(&fresh, on_disk.clone());
            match fitting(draft, &renewal.plugins) {
                Ok(_) => drop(renewal.load(&fresh, on_disk)),
                Err(wrong) => {
                    renewal.plugins = serving;
                    let words = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                    renewal.stays(&fresh, &LoadFault::Unfit(words).to_string());
                }
            }
        }
        renewal.plugins.embed_for(draft);
        let config = fitting(draft, &renewal.plugins)?;
        Ok((config, renewal.plugins))
    }
}

impl<'a> Renewal<'a> {
    fn of(draft: &'a Draft, before: &'a Plugins, ask: &'a Ask) -> Self {
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
    fn find(&mut self) -> Vec<(Fresh, Option<OnDisk>)> {
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
    fn put(&mut self, fresh: &Fresh, on_disk: Option<OnDisk>) {
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
    fn fits_without(&mut self, found: &[(Fresh, Option<OnDisk>)], config: &mut Result<Config, Vec<Complaint>>) -> bool {
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
    fn load(&mut self, fresh: &Fresh, on_disk: Option<OnDisk>) -> bool {
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
    fn begin(&mut self, fresh: Fresh, on_disk: Option<OnDisk>) {
        let error = match self.loaded(&fresh) {
            Ok(plugin) => {
                self.plugins.by_id.insert(fresh.id().to_owned(), Plugin { on_disk, ..plugin });
                return;
            }
            Err(error) => error,
        };
        let earlier = Search { dirs: &[], known: &[], trust: &self.trust, store: Some(&self.store), ask: self.ask }
            .kept(fresh.id(), fresh.file(), fresh.sha256());
        match earlier.map(|earlier| self.loaded(&earlier)) {
            Some(Ok(plugin)) => {
                let on_disk = Some(refused(&fresh, &error));
                self.plugins.by_id.insert(fresh.id().to_owned(), Plugin { on_disk, ..plugin });
            }
            _ => self.plugins.refuse(fresh.id(), fresh.file(), error),
        }
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
    fn stays(&mut self, fresh: &Fresh, why: &str) {
        match self.before.by_id.get(fresh.id()) {
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

fn complaint(file: String, message: String) -> Complaint {
    Complaint { file, line: None, key: String::new(), message }
}

/// The configuration where it can run with these plugins; none of their code is needed to tell.
fn fitting(draft: &Draft, plugins: &Plugins) -> Result<Config, Vec<Complaint>> {
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    let config = config::resolve(draft, Rules { providers: &plugins.descriptions(), compile })?;
    parts::sources(&config, plugins)?;
    Ok(config)
}
