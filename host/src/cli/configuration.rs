//! `--config`: the configuration file of a command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::config::{self, Config, Draft, Environment, Rules};
use crate::gateway::Plugins;
use crate::outbound::Condition;
use crate::plugin::catalog;
use crate::provider::complaint::Complaint;

/// Which configuration.
#[derive(Args, Clone)]
pub(crate) struct Configuration {
    /// The configuration file [default: $HOOKPORT_CONFIG, ./hookport.toml, config/hookport.toml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
}

impl Configuration {
    /// Reads it; what is wrong with single keys is in the draft.
    pub(crate) fn load(&self) -> Result<Draft, Failure> {
        self.attempt().map_err(|(_, failure)| failure)
    }

    /// As [`Configuration::load`], with the complaints one by one beside the failure that tells them.
    pub(crate) fn attempt(&self) -> Result<Draft, (Vec<Complaint>, Failure)> {
        let environment = Environment::of_process();
        let file = config::find(self.config.as_deref(), &environment).map_err(|message| {
            let nowhere = Complaint { file: String::new(), line: None, key: String::new(), message: message.clone() };
            (vec![nowhere], Failure::unusable(message))
        })?;
        read(&file, &environment)
    }

    /// The configuration checked against the plugins that are there, ready to run.
    pub(crate) fn resolve(&self) -> Result<(Config, Plugins), Failure> {
        let draft = self.load()?;
        let plugins = Plugins::of(&draft);
        let resolved = resolved(&draft, &plugins);
        together(&draft, plugins, resolved)
    }

    /// What a gateway begins with; what was read is shown first.
    pub(super) fn begin(&self, read: impl FnOnce(&Draft)) -> Result<(Config, Plugins), Failure> {
        let draft = self.load()?;
        read(&draft);
        let (plugins, resolved) = Plugins::first(&draft);
        together(&draft, plugins, resolved)
    }

    /// The same file from now on, wherever it was found.
    pub(crate) fn pinned(self) -> Self {
        let file = config::place(self.config.as_deref(), &Environment::of_process());
        Self { config: file.or(self.config) }
    }

    /// As [`Configuration::load`]; nothing where nobody names a file and none is found.
    pub(crate) fn load_if_there(&self) -> Result<Option<Draft>, Failure> {
        let environment = Environment::of_process();
        config::place(self.config.as_deref(), &environment)
            .map(|file| read(&file, &environment).map_err(|(_, failure)| failure))
            .transpose()
    }
}

/// A configuration and its plugins, or all that is wrong with either.
fn together(
    draft: &Draft,
    plugins: Plugins,
    resolved: Result<Config, Vec<Complaint>>,
) -> Result<(Config, Plugins), Failure> {
    match resolved {
        Ok(config) => Ok((config, plugins)),
        Err(complaints) => {
            let (_, others) = implied(draft, &plugins, complaints);
            let providers = draft.written.sources.values().map(|source| &source.provider);
            let mut lost = providers.filter(|id| plugins.claimed.contains(*id) && !plugins.by_id.contains_key(*id));
            let is_lost = lost.next().is_some();
            let needed = plugins.refused.iter().filter(|_| is_lost);
            let refused = needed.flat_map(|(file, error)| unusable(draft, file, error));
            Err(Failure::complaints(&refused.chain(others).collect::<Vec<_>>()))
        }
    }
}

/// What was read, checked where a gateway runs with these plugins. A plugin that has broken since is a mistake, too.
///
/// A native plugin that has broken stays as it was and is told: its file is its author's, and waits for no operator.
pub(super) fn resolve_again(
    draft: &Draft,
    loaded: &Plugins,
    dry_run: bool,
) -> Result<(Config, Plugins), Vec<Complaint>> {
    let (plugins, resolved) = Plugins::again(draft, loaded, dry_run);
    let broken = plugins.refused.iter().filter(|refused| !loaded.refused.contains(refused)).cloned();
    let described = plugins.by_id.values().filter(|plugin| plugin.code.is_none()).filter_map(|plugin| {
        let why = plugin.on_disk.as_ref()?.refused.clone()?;
        Some((plugin.file.clone(), why))
    });
    let broken = broken.chain(described);
    let mut wrong: Vec<Complaint> = broken.flat_map(|(file, error)| unusable(draft, &file, &error)).collect();
    match resolved {
        Ok(config) if wrong.is_empty() => return Ok((config, plugins)),
        Ok(_) => {}
        Err(complaints) => {
            let (implied, others) = implied(draft, &plugins, complaints);
            // Refused from the start, and only now a source needs it.
            if wrong.is_empty() && !implied.is_empty() {
                wrong.extend(plugins.refused.iter().flat_map(|(file, error)| unusable(draft, file, error)));
            }
            wrong.extend(others);
        }
    }
    Err(wrong)
}

/// Parts complaints: those that a source's provider is not there, because its plugin is refused, and all others. What is
/// wrong with the plugin is said of the plugin.
pub(super) fn implied(
    draft: &Draft,
    plugins: &Plugins,
    complaints: Vec<Complaint>,
) -> (Vec<Complaint>, Vec<Complaint>) {
    let sources = draft.written.sources.iter();
    // Where the catalogue has one, too, there is a choice to tell of.
    let is_lost = |id: &String| plugins.claimed.contains(id) && catalog::find(id).is_none();
    let refused =
        sources.filter(|(_, source)| is_lost(&source.provider) && !plugins.by_id.contains_key(&source.provider));
    let keys: BTreeSet<String> = refused.map(|(name, _)| format!("sources.{name}.provider")).collect();
    complaints.into_iter().partition(|complaint| keys.contains(&complaint.key))
}

fn resolved(draft: &Draft, plugins: &Plugins) -> Result<Config, Vec<Complaint>> {
    let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
    config::resolve(draft, Rules { providers: &plugins.descriptions(), compile })
}

/// Why a plugin cannot be used, `FILE:LINE: ...` a line; a folder that cannot be read is a matter of the configuration.
pub(super) fn unusable(draft: &Draft, file: &Path, error: &str) -> Vec<Complaint> {
    if draft.written.plugins.dirs.iter().any(|folder| folder == file) {
        return vec![draft.complaint("plugins.dirs", error)];
    }
    let shown = file.display().to_string();
    let complaint = |text: &str| {
        let text = text.strip_prefix(&shown).unwrap_or(text).trim_start_matches(':');
        let (line, message) = match text.split_once(": ").map(|(line, message)| (line.parse().ok(), message)) {
            Some((Some(line), message)) => (Some(line), message),
            _ => (None, text.trim_start()),
        };
        Complaint { file: shown.clone(), line, key: String::new(), message: message.to_owned() }
    };
    error.lines().map(complaint).collect()
}

fn read(file: &Path, environment: &Environment) -> Result<Draft, (Vec<Complaint>, Failure)> {
    config::load(file, environment).map_err(|complaints| {
        let failure = match file.is_file() {
            true => Failure::complaints(&complaints),
            false => Failure::unusable(&complaints[0]),
        };
        (complaints, failure)
    })
}
