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
    generation: u32,
    sha256: String,
    standing: String,
    code: Option<Code>,
    loaded: Loaded,
    on_disk: Option<OnDisk>,
    file: String,
}

/// What its code takes up in the gateway's process.
#[derive(Deserialize)]
struct Loaded {
    generations: u32,
    bytes: u64,
}

/// What lies in its place and does not serve.
#[derive(Deserialize)]
struct OnDisk {
    version: Option<String>,
    refused: Option<String>,
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
    let what = ["PROVIDER", "VERSION", "GENERATION", "SHA256", "STANDING", "CODE"];
    let counted = ["CALLS", "ERRORS", "PANICS", "RESTARTS", "SECONDS", "LOADED", "FILE"];
    let mut table = output::table(&[&what[..], &counted].concat());
    for plugin in &plugins {
        let count = |count: fn(&Code) -> u64| match &plugin.code {
            Some(code) => output::cell(count(code)),
            None => output::cell("-"),
        };
        table.add_row([
            output::cell(&plugin.provider),
            output::cell(&plugin.version),
            output::cell(plugin.generation),
            output::cell(plugin.sha256.get(..12).unwrap_or(&plugin.sha256)),
            output::cell(&plugin.standing),
            output::cell(plugin.code.as_ref().map_or("none", |code| &code.isolation)),
            count(|code| code.calls),
            count(|code| code.errors),
            count(|code| code.panics),
            count(|code| code.restarts),
            output::cell(plugin.code.as_ref().map_or("-".to_owned(), |code| format!("{:.3}", code.seconds))),
            output::cell(match plugin.loaded {
                Loaded { generations: 0, .. } => "-".to_owned(),
                Loaded { generations, bytes } => format!("{generations} x, {} KiB", bytes / 1024),
            }),
            output::cell(&plugin.file),
        ]);
        if let Some(OnDisk { version, refused }) = &plugin.on_disk {
            let (id, serving) = (&plugin.provider, &plugin.version);
            let version = version.as_deref().unwrap_or("a file of no known version");
            output::say(output::plain(match refused {
                Some(why) => format!("{id}: on disk {version} refused: {why}; serving {serving}"),
                None => format!("{id}: rolled back from {version}, which is on disk; serving {serving}"),
            }));
        }
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
