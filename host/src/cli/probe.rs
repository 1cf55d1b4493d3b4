//! `hookport plugin-probe`: the process in which a plugin is tried before it is loaded; the gateway starts and ends it.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, output};
use crate::plugin::probe;

/// Load a plugin and run its samples; not for people
#[derive(Args)]
#[command(name = probe::PROBE, after_help = "Examples:\n  hookport plugin-probe FILE   # the gateway starts it")]
pub(super) struct Probe {
    file: PathBuf,
}

impl Probe {
    pub(super) fn run(self) -> Result<(), Failure> {
        // Whoever started it reads this line.
        probe::work(&self.file).or_else(|words| {
            output::line(words)?;
            Err(Failure::Said)
        })
    }
}
