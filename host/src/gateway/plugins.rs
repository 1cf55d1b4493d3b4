//! The providers that this process has: found in the plugin folders or taken from the catalogue, compiled, by id. One that
//! is broken stops no other. How they are exchanged while the gateway runs is [`super::renew`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookport_plugin_api::description::Description;

use super::remember::Unwritten;
use crate::clock::Clock;
use crate::config::Draft;
use crate::config::written::UnsignedCode;
use crate::event;
use crate::notices::{Notice, Notices};
use crate::plugin::policy::{Limits, Policy, QuarantineTerms, Standing};
use crate::plugin::{
    Ask, Build, Code, Fresh, Incident, Known, Loaded, Lock, OnDisk, PublicKey, Sample, Search, Store, Trust, catalog,
    load_embedded, settle,
};
use crate::provider::compile::Provider;
use crate::provider::parse::Places;
use crate::provider::text::SignedTexts;

/// Workers that end take no longer.
const END: Duration = Duration::from_secs(2);

/// One provider, ready for sources.
#[derive(Clone)]
pub struct Plugin {
    /// What it is.
    pub provider: Arc<Provider>,
    /// Its code, where it has some.
    pub code: Option<Arc<Code>>,
    /// Where it was found.
    pub file: PathBuf,
    /// Of the file.
    pub sha256: String,
    /// The cases that came with it.
    pub samples: Vec<Sample>,
    /// Who vouches for it.
    pub standing: Standing,
    /// Which of its builds, counted from 1.
    pub generation: u32,
    /// What lies in its place, where that is another.
    pub on_disk: Option<OnDisk>,
    /// How far its workers may go, where its code is in workers.
    pub limits: Option<Limits>,
    /// What the store knows it by, where it is kept there.
    pub(super) build: Option<Build>,
}

/// All of them.
#[derive(Clone, Default)]
pub struct Plugins {
    /// By the provider's id.
    pub by_id: BTreeMap<String, Plugin>,
    /// Meant to be plugins, and not usable: which file, and everything wrong with it.
    pub refused: Vec<(PathBuf, String)>,
    /// Not plugins, and why we think so.
    pub skipped: Vec<(PathBuf, String)>,
    /// The providers of what is refused, where that can be told.
    pub claimed: BTreeSet<String>,
    /// What the store does not have yet.
    pub unwritten: Arc<Mutex<Unwritten>>,
    /// When code is left alone, where that may be another than when it was loaded.
    pub quarantine: Option<QuarantineTerms>,
}

impl Plugin {
    /// What a description says alone, without code and cases.
    pub fn described(provider: Arc<Provider>, file: PathBuf) -> Self {
        Self {
            provider,
            code: None,
            file,
            sha256: String::new(),
            samples: Vec::new(),
            standing: Standing::Unsigned,
            generation: 1,
            on_disk: None,
            limits: None,
            build: None,
        }
    }

    /// Whether a plugin folder has it, and not the catalogue.
    pub(super) fn is_of_a_folder(&self) -> bool {
        !catalog::is_embedded(&self.file)
    }

    /// What a search goes by.
    pub(super) fn known<'a>(&'a self, id: &'a str) -> Known<'a> {
        let Self { file, sha256, standing, on_disk, .. } = self;
        Known { id, file, sha256, standing: *standing, on_disk: on_disk.as_ref() }
    }

    /// Compiles what was loaded.
    pub fn compile(loaded: Loaded) -> Result<Self, String> {
        Self::compile_with(loaded, QuarantineTerms::default())
    }

    /// As [`compile`](Self::compile); says when the code is left alone.
    pub(super) fn compile_with(loaded: Loaded, terms: QuarantineTerms) -> Result<Self, String> {
        let Loaded { description, text, native, image, file, sha256, samples, standing, limits, .. } = loaded;
        let provider = compiled(description, &text, &file)?;
        let inline = native.map(|native| Code::inline(native, terms));
        let code = inline.or_else(|| Some(Code::worker(image?, &provider.id, &provider.version, terms)));
        let code = code.map(Arc::new);
        let texts = code.clone().map(|code| code as Arc<dyn SignedTexts>);
        let provider = Arc::new(provider.with_texts(texts));
        Ok(Self { code, sha256, samples, standing, limits, ..Self::described(provider, file) }.numbered(1))
    }

    /// Of this generation; what is made with it says so.
    pub(super) fn numbered(mut self, generation: u32) -> Self {
        self.generation = generation;
        let (version, sha256) = (self.provider.version.clone(), self.sha256.as_str().into());
        // Nobody else has it yet.
        if let Some(provider) = Arc::get_mut(&mut self.provider) {
            provider.build = Some(Arc::new(event::Build { version, sha256, generation }));
        }
        self
    }

    /// The same without its code, of which nothing has run yet.
    pub(super) fn judged(fresh: &Fresh) -> Result<Self, String> {
        let (description, text) = fresh.description();
        let provider = Arc::new(compiled(description.clone(), text, fresh.file())?);
        let (sha256, standing) = (fresh.sha256().to_owned(), fresh.standing());
        Ok(Self { sha256, standing, ..Self::described(provider, fresh.file().into()) })
    }
}

fn compiled(description: Description, text: &str, file: &Path) -> Result<Provider, String> {
    let name = file.display().to_string();
    let provider = Provider::compile(description, &Places::new(text, &name));
    provider.map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

impl Plugins {
    /// What a configuration can use: what is in its folders, and of the catalogue what its sources name.
    pub fn of(draft: &Draft) -> Self {
        let dirs = Self::folders(&draft.written.plugins.dirs);
        let mut plugins = Self::loaded(&dirs, &Self::trust(draft), &draft.written.plugins.policy());
        plugins.embed_for(draft);
        plugins
    }

    /// Loads and compiles what is in these folders, native code into this process.
    pub fn discover(dirs: &[PathBuf]) -> Self {
        Self::discover_by(dirs, &Policy::inline())
    }

    /// As [`discover`](Self::discover), with native code where the policy wants it.
    pub fn discover_by(dirs: &[PathBuf], policy: &Policy) -> Self {
        Self::loaded(dirs, &Trust::default(), policy)
    }

    fn loaded(dirs: &[PathBuf], trust: &Trust, policy: &Policy) -> Self {
        let found = Search { dirs, known: &[], trust, store: None, ask: &Ask::Nothing, settle: None }.find();
        let refused = found.refused.into_iter().map(|(file, error)| (file, error.to_string())).collect();
        let mut plugins = Self { refused, skipped: found.skipped, claimed: found.claimed, ..Self::default() };
        for (fresh, _) in found.fresh {
            match fresh.load(policy) {
                Ok(loaded) => plugins.take(loaded, policy.quarantine),
                Err(error) => plugins.refuse(fresh.id(), fresh.file(), error.to_string()),
            }
        }
        plugins
    }

    /// Of the catalogue what a configuration's sources name.
    pub(super) fn embed_for(&mut self, draft: &Draft) {
        self.embed(draft.written.sources.values().map(|source| source.provider.as_str()));
    }

    /// Adds these providers from the catalogue. One that a folder has stays, and so does one that a folder has and that is
    /// refused: whoever corrected a description must not get the uncorrected one unawares.
    pub fn embed<'n>(&mut self, ids: impl IntoIterator<Item = &'n str>) {
        for id in ids {
            if self.by_id.contains_key(id) || self.claimed.contains(id) {
                continue;
            }
            match catalog::find(id).map(|entry| (entry, load_embedded(entry))) {
                None => {}
                Some((_, Ok(loaded))) => self.take(loaded, QuarantineTerms::default()),
                Some((entry, Err(error))) => self.refused.push((entry.file(), error.to_string())),
            }
        }
    }

    fn take(&mut self, loaded: Loaded, terms: QuarantineTerms) {
        let (file, id) = (loaded.file.clone(), loaded.description.provider.id.clone());
        match Plugin::compile_with(loaded, terms) {
            Ok(plugin) => drop(self.by_id.insert(id, plugin)),
            Err(error) => self.refuse(&id, &file, error),
        }
    }

    pub(super) fn refuse(&mut self, id: &str, file: &Path, error: String) {
        self.claimed.insert(id.to_owned());
        self.refused.push((file.into(), error));
    }

    /// The folders of a configuration, and the executable's own in front.
    pub fn folders(configured: &[PathBuf]) -> Vec<PathBuf> {
        let own = std::env::current_exe().ok().and_then(|file| file.parent().map(Path::to_path_buf));
        own.into_iter().chain(configured.iter().cloned()).collect()
    }

    /// The store of a configuration's gateway.
    pub fn store(draft: &Draft) -> Store {
        Store::beside(&draft.written.journal.path)
    }

    /// Whom a configuration trusts. A key that is none is complained about when it is resolved, and trusts nobody here.
    pub fn trust(draft: &Draft) -> Trust {
        let written = &draft.written.plugins.trust;
        Trust {
            keys: written.keys.values().filter_map(|key| PublicKey::read(key).ok()).collect(),
            lock: Lock::read(&written.lock),
            refuses_unsigned: written.unsigned == UnsignedCode::Refuse,
        }
    }

    /// The descriptions, for checking a configuration.
    pub fn descriptions(&self) -> Vec<&Description> {
        self.by_id.values().map(|plugin| &plugin.provider.description).collect()
    }

    /// Tells every plugin's code that no call will follow; for the end of the process, when everything else has stopped.
    pub fn quiesce(&self) {
        self.codes().for_each(|code| code.quiesce());
        settle(END);
    }

    /// Code that was left alone is tried again.
    pub(super) fn release(&self) {
        self.codes().for_each(|code| code.release());
    }

    fn codes(&self) -> impl Iterator<Item = &Arc<Code>> {
        self.by_id.values().filter_map(|plugin| plugin.code.as_ref())
    }

    /// Starts what code needs, for those who only look; says which file cannot be, and why.
    pub fn unstartable(&self) -> Vec<(PathBuf, String)> {
        let fault = |plugin: &Plugin| {
            let why = plugin.code.as_ref()?.try_start().err()?;
            Some((plugin.file.clone(), format!("{}: its worker {why}", plugin.file.display())))
        };
        self.by_id.values().filter_map(fault).collect()
    }

    /// Starts what code needs, and tells from now on what happens to it.
    pub(super) fn begin(&self, notices: &Arc<Notices>, clock: &Clock) {
        for code in self.codes() {
            let (notices, clock) = (notices.clone(), clock.clone());
            code.listen(move |incident| notices.tell(clock.now(), notice(incident)));
            self.quarantine.into_iter().for_each(|terms| code.retune(terms));
            code.start();
        }
    }

    /// What lies in the place of a plugin that serves and may not take its place.
    pub fn passed_over(&self) -> impl Iterator<Item = String> {
        let passed = |plugin: &Plugin| {
            let on_disk = plugin.on_disk.as_ref()?;
            let why = on_disk.refused.as_ref()?;
            let version = on_disk.version.as_deref().unwrap_or("a file of no known version");
            let (file, serving) = (plugin.file.display(), &plugin.provider.version);
            Some(format!("{file}: on disk {version} refused: {why}; serving {serving}"))
        };
        self.by_id.values().filter_map(passed)
    }

    /// Says in the log what was not loaded and why.
    pub fn log(&self) {
        for (file, error) in &self.refused {
            tracing::error!(file = %file.display(), "a plugin is not loaded: {error}");
        }
        for (file, reason) in &self.skipped {
            tracing::info!(file = %file.display(), "skipped: {reason}");
        }
        self.passed_over().for_each(|words| tracing::error!("{words}"));
    }
}

/// What the gateway says of an incident.
fn notice(incident: Incident) -> Notice {
    match incident {
        Incident::Quarantined { plugin, faults, last } => Notice::PluginQuarantined { plugin, faults, last },
        Incident::Released { plugin } => Notice::PluginReleased { plugin },
        Incident::WorkerLost { plugin, sha256, how, losses } => Notice::WorkerLost { plugin, sha256, how, losses },
    }
}
