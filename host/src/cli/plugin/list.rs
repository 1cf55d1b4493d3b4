//! `hookport plugin list`: what a running gateway serves with, or what one would find in the plugin folders.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::running;
use crate::admin::shown::PluginShown;
use crate::cli::client::Connection;
use crate::cli::{Failure, output};
use crate::gateway::{Plugins, plugin_shown};
use crate::plugin::CodeState;

/// List the providers that are loaded: of the executable's folder, of plugins.dirs, and built-in ones with a source
///
/// A running gateway is asked with --running: which build serves, what lies on disk and why it may not serve, and what was
/// counted of its calls.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hookport plugin list\n  hookport plugin list --config /etc/hookport.toml --json\n  \
                        hookport plugin list --running"
)]
pub(super) struct List {
    #[command(flatten)]
    connection: Connection,
    /// Ask the running gateway; --admin asks, too
    #[arg(long)]
    running: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.running || self.connection.is_named() {
            running::list(self.connection, self.json)
        } else {
            found(&self.connection, self.json)
        }
    }
}

fn found(connection: &Connection, json: bool) -> Result<(), Failure> {
    let draft = connection.configuration().load_if_there()?;
    let plugins = draft.as_ref().map_or_else(|| Plugins::discover(&Plugins::folders(&[])), Plugins::of);
    let unstartable = plugins.unstartable();
    let shown: Vec<PluginShown> = plugins.by_id.values().map(plugin_shown).collect();
    if json {
        let files = |files: &[(PathBuf, String)]| -> Vec<_> {
            files.iter().map(|(file, reason)| json!({ "file": file, "reason": reason })).collect()
        };
        let (refused, skipped) = (files(&[plugins.refused, unstartable].concat()), files(&plugins.skipped));
        return output::line(json!({ "plugins": shown, "refused": refused, "skipped": skipped }));
    }
    let mut table = output::table(&["PROVIDER", "NAME", "VERSION", "CODE", "STANDING", "OPERATIONS", "FILE"]);
    for plugin in &shown {
        table.add_row([
            output::cell(&plugin.provider),
            output::cell(&plugin.name),
            output::cell(&plugin.version),
            output::cell(code(plugin)),
            output::cell(&plugin.standing),
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
