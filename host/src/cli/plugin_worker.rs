//! `hookport plugin-worker`: the process in which a plugin's code runs; the gateway starts and ends it.

use clap::Args;

use super::Failure;
use crate::plugin::worker;

/// Run a plugin's code for the gateway, behind walls; not for people
#[derive(Args)]
#[command(name = worker::WORKER, after_help = "Examples:\n  hookport plugin-worker   # the gateway starts it")]
pub(super) struct PluginWorker {}

impl PluginWorker {
    pub(super) fn run(self) -> Result<(), Failure> {
        worker::work().map_err(Failure::refused)
    }
}
