//! `hookport call`: one operation of a provider, with or without a running gateway; the journal is not touched.

use std::io::{IsTerminal, Read};

use clap::Args;

use super::configuration::Configuration;
use super::{Failure, json, output, serve};
use crate::clock::Clock;
use crate::gateway;
use crate::operations::{CallError, Output};

/// Call a provider and print its answer; exit 0 done, 1 the answer has errors, 2 unusable input
#[derive(Args)]
#[command(after_help = "Examples:
  hookport call sim-fleet query_sim_card_batch '{\"numbers\":[\"352019040635785\"]}'
  hookport call sim-fleet query_sim_card_batch @fleet.json --config /etc/hookport.toml
  jq '{numbers: .}' fleet.json | hookport call sim-fleet query_sim_card_batch - | jq '.result[].ICCID'")]
pub(super) struct Call {
    /// A source of the configuration
    source: String,
    /// One of its provider's operations (hookport plugin list shows them)
    operation: String,
    /// The input as JSON; @FILE reads a file, - reads standard input
    #[arg(value_name = "JSON")]
    input: String,
    /// Print JSON in one line also on a terminal
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

impl Call {
    pub(super) fn run(self) -> Result<(), Failure> {
        let input = read(&self.input)?;
        let for_people = !self.json && std::io::stdout().is_terminal();
        let (config, plugins) = self.configuration.resolve()?;
        serve::log(&config.log)?;
        let sources = gateway::sources(&config, &plugins).map_err(|complaints| Failure::complaints(&complaints))?;
        let operations = gateway::operations(&sources, &plugins, &Clock::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::refused)?;
        let output = runtime.block_on(operations.call(&self.source, &self.operation, &input))?;
        show(&output, for_people)
    }
}

fn read(input: &str) -> Result<String, Failure> {
    let unusable = |place: &str, error: std::io::Error| Failure::unusable(format!("{place}: {error}"));
    if input == "-" {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut text);
        return read.map(|_| text).map_err(|error| unusable("standard input", error));
    }
    match input.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| unusable(file, error)),
        None => Ok(input.to_owned()),
    }
}

/// The answer as the plugin wrote it, for people with a line for each member; what failed is told besides.
fn show(answer: &Output, for_people: bool) -> Result<(), Failure> {
    match for_people {
        true => output::line(json::indented(&output::plain(&answer.json)))?,
        false => output::line(&answer.json)?,
    }
    let errors = answer.errors();
    for error in &errors {
        output::say(output::plain(error));
    }
    if errors.is_empty() { Ok(()) } else { Err(Failure::Said) }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let message = output::plain(&error);
        match error {
            CallError::Unknown(_) | CallError::Input(_) => Self::Unusable(message),
            _ => Self::Refused(message),
        }
    }
}
