//! `hookport plugin`: what the plugin folders hold, what is built in, and what a file is.

mod catalog;
mod check;
mod running;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::Connection;
use super::configuration::Configuration;
use super::{Failure, output};
use crate::admin::shown::PluginShown;
use crate::gateway::Plugins;
use crate::plugin::{self, CodeState};

/// Show plugins
#[derive(Args)]
#[command(after_help = "Examples:
  hookport plugin list
  hookport plugin catalog
  hookport plugin check my-plugins/acme
  hookport plugin inspect github
  hookport plugin inspect libhookport_sgate.so")]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the providers that are loaded: of the executable's folder, of plugins.dirs, and built-in ones with a source
    #[command(
        after_help = "Examples:\n  hookport plugin list\n  hookport plugin list --config /etc/hookport.toml --json\n  hookport plugin list --running"
    )]
    List {
        #[command(flatten)]
        connection: Connection,
        /// Ask the running gateway instead of looking into the folders: what it has loaded, and what it counted
        #[arg(long)]
        running: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Tell what a plugin file is without running any of it; exit 1 if this gateway would refuse it, 2 if it is no plugin
    #[command(after_help = "Examples:\n  hookport plugin inspect libhookport_sgate.so\n  hookport plugin inspect \
                            plugins/acme/provider.toml --json")]
    Inspect {
        /// A plugin (.so), a provider.toml, or the id of a provider that is built in
        file: PathBuf,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    Check(check::Check),
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
            Command::List { connection, running: true, json } => running::list(connection, json),
            Command::List { connection, running: false, json } => list(connection.configuration(), json),
            Command::Inspect { file, json } => inspect(&file, json),
            Command::Check(check) => check.run(),
            Command::Catalog(catalog) => catalog.run(),
            Command::Show(show) => show.run(),
            Command::Schema => output::bytes(SCHEMA.as_bytes()),
        }
    }
}

fn list(configuration: &Configuration, json: bool) -> Result<(), Failure> {
    let draft = configuration.load_if_there()?;
    let plugins = draft.as_ref().map_or_else(|| Plugins::discover(&Plugins::folders(&[])), Plugins::of);
    let unstartable = plugins.unstartable();
    let shown = plugins.by_id.values().map(|plugin| {
        PluginShown::new(&plugin.provider.description, &plugin.file, &plugin.sha256, plugin.code.as_ref())
    });
    let shown: Vec<PluginShown> = shown.collect();
    if json {
        let files = |files: &[(PathBuf, String)]| -> Vec<_> {
            files.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect()
        };
        let (refused, skipped) = (files(&[plugins.refused, unstartable].concat()), files(&plugins.skipped));
        return output::line(json!({ "plugins": shown, "refused": refused, "skipped": skipped }));
    }
    let mut table = output::table(&["PROVIDER", "NAME", "VERSION", "CODE", "OPERATIONS", "FILE"]);
    for plugin in &shown {
        table.add_row([
            output::cell(&plugin.provider),
            output::cell(&plugin.name),
            output::cell(&plugin.version),
            output::cell(code(plugin)),
            output::cell(if plugin.operations.is_empty() { "-".to_owned() } else { plugin.operations.join(", ") }),
            output::cell(&plugin.file),
        ]);
    }
    for (_, error) in plugins.refused.iter().chain(&unstartable) {
        output::say(format_args!("refused: {error}"));
    }
    for (file, reason) in &plugins.skipped {
        output::say(format_args!("skipped: {} {reason}", file.display()));
    }
    output::print(
        &table,
        "no plugins: put them beside the executable, name their folder in plugins.dirs, or use a provider of \
         `hookport plugin catalog`",
    )
}

/// Where its code runs, and what holds it in.
fn code(plugin: &PluginShown) -> String {
    match plugin.code.as_ref().map(|code| code.state()) {
        None => "none".to_owned(),
        Some(CodeState { isolation: "inline", .. }) => "native".to_owned(),
        Some(CodeState { held_by: None, .. }) => "native, in a worker".to_owned(),
        Some(CodeState { held_by: Some(held_by), .. }) => format!("native, in a worker, held in by {held_by}"),
    }
}

fn inspect(file: &std::path::Path, json: bool) -> Result<(), Failure> {
    let inspection = plugin::inspect(file).map_err(|error| match error.fault.is_no_plugin() {
        true => Failure::unusable(error),
        false => Failure::refused(error),
    })?;
    match json {
        true => output::line(serde_json::to_string(&inspection).map_err(Failure::refused)?)?,
        false => output::line(inspection.to_string().trim_end())?,
    }
    if inspection.refusal.is_some() { Err(Failure::Said) } else { Ok(()) }
}
