//! `hookport plugin`: what the plugin folders hold, what is built in, what a file is; and an author's way to a new one.

mod catalog;
mod check;
mod diff;
pub(super) mod fixture;
mod list;
mod new;
mod running;
mod trust;
mod upgrade;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::configuration::Configuration;
use super::{Failure, output};
use crate::plugin;

/// Make, check and show plugins
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin list
  hookport plugin catalog
  hookport plugin new acme
  hookport plugin check my-plugins/acme
  hookport plugin inspect github
  hookport plugin diff old/libacme.so new/libacme.so
  hookport plugin inspect libhookport_sgate.so")]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::List),
    Reload(upgrade::Reload),
    Rollback(upgrade::Rollback),
    Keygen(trust::Keygen),
    Sign(trust::Sign),
    Pin(trust::Pin),
    /// Tell what a plugin file is without running any of it; exit 1 if this gateway would refuse it, 2 if it is no plugin
    #[command(after_help = "Examples:\n  hookport plugin inspect libhookport_sgate.so\n  hookport plugin inspect \
                            plugins/acme/provider.toml --json")]
    Inspect {
        #[command(flatten)]
        configuration: Configuration,
        /// A plugin (.so), a provider.toml, or the id of a provider that is built in
        file: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    New(new::New),
    Check(check::Check),
    #[command(hide = true)]
    CheckCase(check::CheckCase),
    Diff(diff::Diff),
    Catalog(catalog::Catalog),
    Show(catalog::Show),
    /// Print the JSON Schema of a provider.toml (Draft 7), with which editors complete and check descriptions
    ///
    /// Taplo (Even Better TOML) and Tombi take it by a first line `#:schema ./provider.schema.json` in the description.
    #[command(after_help = "Examples:\n  hookport plugin schema > my-plugins/acme/provider.schema.json")]
    Schema,
}

/// Made of the description's types; a test holds it to them.
const SCHEMA: &str = include_str!("../../../plugins/provider.schema.json");

impl Plugin {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::List(list) => list.run(),
            Command::Reload(reload) => reload.run(),
            Command::Rollback(rollback) => rollback.run(),
            Command::Keygen(keygen) => keygen.run(),
            Command::Sign(sign) => sign.run(),
            Command::Pin(pin) => pin.run(),
            Command::Inspect { configuration, file, json } => inspect(&configuration, &file, json),
            Command::New(new) => new.run(),
            Command::Check(check) => check.run(),
            Command::CheckCase(case) => case.run(),
            Command::Diff(diff) => diff.run(),
            Command::Catalog(catalog) => catalog.run(),
            Command::Show(show) => show.run(),
            Command::Schema => output::bytes(SCHEMA.as_bytes()),
        }
    }
}

fn inspect(configuration: &Configuration, file: &std::path::Path, json: bool) -> Result<(), Failure> {
    let inspection = plugin::inspect(file).map_err(|error| match error.fault.is_no_plugin() {
        true => Failure::unusable(error),
        false => Failure::refused(error),
    })?;
    let standing = trust::stands(file, configuration)?;
    if json {
        let mut document = serde_json::to_value(&inspection).map_err(Failure::refused)?;
        document["standing"] = standing.into();
        output::line(document)?;
    } else {
        output::line(inspection.to_string().trim_end())?;
        output::line(format_args!("{:<14} {standing}", "standing"))?;
    }
    if inspection.refusal.is_some() { Err(Failure::Said) } else { Ok(()) }
}
