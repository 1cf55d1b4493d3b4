//! `--config`: the configuration file of a command.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::config::{self, Config, Draft, Environment, Rules};
use crate::gateway::Plugins;
use crate::outbound::Condition;
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
        let compile = |text: &str| Condition::compile(text).map(drop).map_err(|error| error.to_string());
        let rules = Rules { providers: &plugins.descriptions(), compile };
        let config = config::resolve(&draft, rules).map_err(|complaints| Failure::complaints(&complaints))?;
        Ok((config, plugins))
    }

    /// As [`Configuration::load`]; nothing where nobody names a file and none is found.
    pub(crate) fn load_if_there(&self) -> Result<Option<Draft>, Failure> {
        let environment = Environment::of_process();
        config::place(self.config.as_deref(), &environment)
            .map(|file| read(&file, &environment).map_err(|(_, failure)| failure))
            .transpose()
    }
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
