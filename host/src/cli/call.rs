//! `hookport call`: one operation of a provider, with or without a running gateway; the journal is not touched.

use std::io::{IsTerminal, Read};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::configuration::Configuration;
use super::json::indented;
use super::{Failure, output, serve};
use crate::clock::Clock;
use crate::gateway;
use crate::operations::{CallError, Draft, Moment, Output};

/// Call a provider and print its answer; exit 0 done, 1 the answer has errors, 2 unusable input
#[derive(Args)]
#[command(after_help = "Examples:
  hookport call sim-fleet query_sim_card_batch '{\"numbers\":[\"352019040635785\"]}'
  hookport call sim-fleet query_sim_card_batch @fleet.json --config /etc/hookport.toml
  hookport call sim-fleet query_sim_card_batch @fleet.json --dry-run
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
    /// Send nothing: print the signed request, with *** in place of secrets
    #[arg(long)]
    dry_run: bool,
    /// The time that the request is made and signed at, instead of now
    #[arg(long, value_name = "RFC3339", requires = "dry_run")]
    at: Option<Timestamp>,
    /// The nonce of the request, instead of a fresh one
    #[arg(long, value_name = "TEXT", requires = "dry_run")]
    nonce: Option<String>,
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
        let clock = Clock::default();
        let operations = gateway::operations(&sources, &plugins, &clock);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::refused)?;
        if self.dry_run {
            let moment = Moment { now: self.at.unwrap_or_else(|| clock.now()), nonce: self.nonce };
            let drafts = runtime.block_on(operations.show(&self.source, &self.operation, &input, &moment))?;
            return if for_people { print(&drafts) } else { output::line(document(&drafts)) };
        }
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

/// The requests as they would go over the wire.
fn print(drafts: &[Draft]) -> Result<(), Failure> {
    for (index, draft) in drafts.iter().enumerate() {
        if index > 0 {
            output::line("")?;
        }
        output::line(output::plain(format_args!("{} {}", draft.method(), draft.url())))?;
        for (name, value) in &draft.headers() {
            output::line(output::plain(format_args!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))))?;
        }
        let body = String::from_utf8_lossy(draft.body());
        output::line("")?;
        output::line(body.lines().map(output::plain).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(())
}

fn document(drafts: &[Draft]) -> Value {
    let headers = |draft: &Draft| -> Map<String, Value> {
        let text = |value: &[u8]| Value::from(String::from_utf8_lossy(value));
        draft.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes()))).collect()
    };
    let one = |draft: &Draft| {
        let body = String::from_utf8_lossy(draft.body());
        json!({ "method": draft.method(), "url": draft.url(), "headers": headers(draft), "body": body })
    };
    json!({ "requests": drafts.iter().map(one).collect::<Vec<_>>() })
}

/// The answer as the plugin wrote it, for people with a line for each member; what failed is told besides.
fn show(answer: &Output, for_people: bool) -> Result<(), Failure> {
    match for_people {
        true => output::line(indented(&output::plain(&answer.json)))?,
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
            CallError::Unknown(_) | CallError::Input(_) | CallError::Unmade(_) => Self::Unusable(message),
            _ => Self::Refused(message),
        }
    }
}
