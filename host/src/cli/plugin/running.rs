//! `hookport plugin list --running`: the plugins of a running gateway, and what it counted of their calls.

use serde::Deserialize;

use crate::cli::client::{Client, Connection, read};
use crate::cli::{Failure, output};

#[derive(Deserialize)]
struct Shown {
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
struct Plugin {
    provider: String,
    version: String,
    code: Option<Code>,
    file: String,
}

#[derive(Deserialize)]
struct Code {
    isolation: String,
    held_by: Option<String>,
    quarantined: Option<String>,
    calls: u64,
    errors: u64,
    panics: u64,
    restarts: u64,
    seconds: f64,
}

pub(super) fn list(connection: Connection, json: bool) -> Result<(), Failure> {
    let client: Client = connection.open()?;
    let Some(answer) = client.show("/v1/plugins", &(), json)? else { return Ok(()) };
    let plugins = read::<Shown>(&answer)?.plugins;
    let head = ["PROVIDER", "VERSION", "CODE", "CALLS", "ERRORS", "PANICS", "RESTARTS", "SECONDS", "FILE"];
    let mut table = output::table(&head);
    for plugin in &plugins {
        let count = |count: fn(&Code) -> u64| match &plugin.code {
            Some(code) => output::cell(count(code)),
            None => output::cell("-"),
        };
        table.add_row([
            output::cell(&plugin.provider),
            output::cell(&plugin.version),
            output::cell(plugin.code.as_ref().map_or("none", |code| &code.isolation)),
            count(|code| code.calls),
            count(|code| code.errors),
            count(|code| code.panics),
            count(|code| code.restarts),
            output::cell(plugin.code.as_ref().map_or("-".to_owned(), |code| format!("{:.3}", code.seconds))),
            output::cell(&plugin.file),
        ]);
        let code = plugin.code.as_ref();
        if let Some(why) = code.and_then(|code| code.quarantined.as_ref()) {
            output::say(output::plain(format_args!("{} is quarantined: {why}", plugin.provider)));
        }
        if let Some(held_by) = code.and_then(|code| code.held_by.as_ref()) {
            output::say(output::plain(format_args!("{} is held in by {held_by}", plugin.provider)));
        }
    }
    output::print(&table, "no plugins")
}
