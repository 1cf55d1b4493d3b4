//! The providers that this process has: found in the plugin folders or taken from the catalogue, compiled, by id. One that
//! is broken stops no other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hookport_plugin_api::description::{Description, Operation};

use crate::clock::Clock;
use crate::config::Draft;
use crate::notices::{Notice, Notices};
use crate::plugin::policy::{Policy, QuarantineTerms};
use crate::plugin::worker::Image;
use crate::plugin::{Code, Incident, Known, Loaded, Native, Sample, catalog, discover_again, load_embedded, settle};
use crate::provider::compile::Provider;
use crate::provider::parse::Places;

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
    /// Native plugins whose files have changed since their code was loaded; a restart takes them on.
    pub outdated: Vec<PathBuf>,
}

impl Plugin {
    /// What a description says alone, without code and cases.
    pub fn described(provider: Arc<Provider>, file: PathBuf) -> Self {
        Self { provider, code: None, file, sha256: String::new(), samples: Vec::new() }
    }

    /// Compiles what was loaded.
    pub fn compile(loaded: Loaded) -> Result<Self, String> {
        Self::compile_with(loaded, QuarantineTerms::default())
    }

    /// As [`compile`](Self::compile); says when the code is left alone.
    fn compile_with(loaded: Loaded, terms: QuarantineTerms) -> Result<Self, String> {
        let Loaded { description, text, native, image, file, sha256, samples, .. } = loaded;
        let operates = native.as_ref().is_some_and(Native::operates) || image.as_ref().is_some_and(Image::operates);
        let built = |operation: &&Operation| operates || operation.request.is_some();
        if let Some(operation) = description.operations.iter().find(|operation| !built(operation)) {
            return Err(format!(
                "{}: operations: nothing makes the request of \"{}\": write [operations.request], or native code (op_build, op_parse)",
                file.display(),
                operation.id
            ));
        }
        let name = file.display().to_string();
        let provider = Provider::compile(description, &Places::new(&text, &name));
        let provider =
            provider.map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let inline = native.map(|native| Code::inline(native, terms));
        let code = inline.or_else(|| Some(Code::worker(image?, &provider.id, &provider.version, terms)));
        Ok(Self { provider: Arc::new(provider), code: code.map(Arc::new), file, sha256, samples })
    }
}

impl Plugins {
    /// What a configuration can use: what is in its folders, and of the catalogue what its sources name.
    pub fn of(draft: &Draft) -> Self {
        let mut plugins = Self::of_folders(draft, &Self::default());
        plugins.embed(draft.written.sources.values().map(|source| source.provider.as_str()));
        plugins
    }

    /// As [`of`](Self::of), beside these: descriptions are read again, and native code that is here stays as it is.
    pub fn again(draft: &Draft, before: &Self) -> Self {
        let mut plugins = Self::of_folders(draft, before);
        plugins.embed(draft.written.sources.values().map(|source| source.provider.as_str()));
        plugins
    }

    fn of_folders(draft: &Draft, before: &Self) -> Self {
        let written = &draft.written.plugins;
        Self::beside(&Self::folders(&written.dirs), before, &written.policy())
    }

    /// Loads and compiles what is in these folders, native code into this process.
    pub fn discover(dirs: &[PathBuf]) -> Self {
        Self::discover_by(dirs, &Policy::inline())
    }

    /// As [`discover`](Self::discover), with native code where the policy wants it.
    pub fn discover_by(dirs: &[PathBuf], policy: &Policy) -> Self {
        Self::beside(dirs, &Self::default(), policy)
    }

    fn beside(dirs: &[PathBuf], before: &Self, policy: &Policy) -> Self {
        let native = before.by_id.iter().filter(|(_, plugin)| plugin.code.is_some());
        let known = native.map(|(id, plugin)| Known { id, file: &plugin.file, sha256: &plugin.sha256 });
        let found = discover_again(dirs, &known.collect::<Vec<_>>(), policy);
        let mut plugins = Self { skipped: found.skipped, claimed: found.claimed, ..Self::default() };
        for (file, is_another) in found.kept {
            let here = before.by_id.iter().find(|(_, plugin)| plugin.file == file);
            plugins.by_id.extend(here.map(|(id, plugin)| (id.clone(), plugin.clone())));
            plugins.outdated.extend(is_another.then_some(file));
        }
        plugins.refused.extend(found.refused.into_iter().map(|(file, error)| (file, error.to_string())));
        found.loaded.into_iter().for_each(|loaded| plugins.take(loaded, policy.quarantine));
        plugins
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
            Err(error) => {
                self.claimed.insert(id);
                self.refused.push((file, error));
            }
        }
    }

    /// The folders of a configuration, and the executable's own in front.
    pub fn folders(configured: &[PathBuf]) -> Vec<PathBuf> {
        let own = std::env::current_exe().ok().and_then(|file| file.parent().map(Path::to_path_buf));
        own.into_iter().chain(configured.iter().cloned()).collect()
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
            code.start();
        }
    }

    /// Says in the log what was not loaded and why.
    pub fn log(&self) {
        for (file, error) in &self.refused {
            tracing::error!(file = %file.display(), "a plugin is not loaded: {error}");
        }
        for (file, reason) in &self.skipped {
            tracing::info!(file = %file.display(), "skipped: {reason}");
        }
        for file in &self.outdated {
            tracing::warn!(file = %file.display(), "a plugin has changed since its code was loaded: restart to take it on");
        }
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
