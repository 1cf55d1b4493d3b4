//! A plugin of several builds: tests write other texts over `BUILD` and `MOOD`, and over the version in its description.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml", decode = decode, samples = ["../fixtures/said.http"]);

/// The code's own version, beside that of the description.
const BUILD: &str = "built as 1.0.0";
/// What it does when it is called.
const MOOD: &str = "its mood is calm ";

#[derive(Serialize)]
struct Said {
    build: &'static str,
}

fn decode(_: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
    match std::hint::black_box(MOOD).trim_end() {
        "its mood is angry" => std::process::abort(),
        "its mood is tense" => panic!("too tense"),
        "its mood is hangs" => loop {
            std::thread::park();
        },
        _ => events.push(Event::new().data(&Said { build: std::hint::black_box(BUILD) })?),
    }
}
