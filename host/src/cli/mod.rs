//! The command line: one file a command. Data goes to standard output, messages go to standard error.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 unusable input (also clap's own).

mod call;
mod check;
mod client;
mod configuration;
mod deliveries;
mod demo;
mod descriptors;
mod destinations;
mod erase;
mod events;
mod failure;
mod filter;
mod forget;
mod group;
mod journal;
mod json;
mod offline;
mod output;
mod pair;
mod pause;
mod plugin;
mod plugin_worker;
mod probe;
mod progress;
mod record;
mod rejections;
mod release;
mod reload;
mod replay;
mod request;
mod serve;
mod sign;
mod simulate;
mod sources;
mod tail;
mod transform;
mod vectors;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) use self::failure::Failure;
use self::group::Group;

/// A self-hosted gateway between third-party providers and your own systems.
#[derive(Parser)]
#[command(name = "hookport", version, max_term_width = 120)]
#[command(after_help = "Examples:\n  hookport demo\n  hookport check\n  hookport serve --config /etc/hookport.toml")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// A new command is a variant here, a line in [`Command::run`] and a file.
#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Check(check::Check),
    Reload(reload::Reload),
    Demo(demo::Demo),
    Simulate(simulate::Simulate),
    Verify(verify::Verify),
    Sign(sign::Sign),
    Vectors(vectors::Vectors),
    Plugin(plugin::Plugin),
    Record(record::Record),
    Call(call::Call),
    /// Show the events that a running gateway has received
    #[command(after_help = "Examples:\n  hookport events list --since 1h\n  hookport events tail")]
    Events(Group<events::Command>),
    /// Show where events went, try failed deliveries again, give up others
    #[command(
        after_help = "Examples:\n  hookport deliveries list --state exhausted\n  hookport deliveries retry --all\n  \
                            hookport deliveries cancel --destination old-crm"
    )]
    Deliveries(Group<deliveries::Command>),
    /// Show the requests that a running gateway has refused
    #[command(
        after_help = "Examples:\n  hookport rejections list --since 1h\n  hookport rejections release --source esim --since 2d"
    )]
    Rejections(Group<rejections::Command>),
    /// Show the destinations of a running gateway, pause and resume them
    #[command(after_help = "Examples:\n  hookport destinations list\n  hookport destinations pause crm")]
    Destinations(Group<destinations::Command>),
    /// Show the sources of a running gateway, pause and resume them, and confirm secrets that their senders told
    #[command(after_help = "Examples:\n  hookport sources list\n  hookport sources confirm notes --reveal")]
    Sources(Group<sources::Command>),
    Journal(journal::Journal),
    #[command(hide = true)]
    PluginProbe(probe::Probe),
    #[command(hide = true)]
    TransformWorker(transform::TransformWorker),
    #[command(hide = true)]
    PluginWorker(plugin_worker::PluginWorker),
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Check(check) => check.run(),
            Self::Reload(reload) => reload.run(),
            Self::Demo(demo) => demo.run(),
            Self::Simulate(simulate) => simulate.run(),
            Self::Verify(verify) => verify.run(),
            Self::Sign(sign) => sign.run(),
            Self::Vectors(vectors) => vectors.run(),
            Self::Plugin(plugin) => plugin.run(),
            Self::Record(record) => record.run(),
            Self::Call(call) => call.run(),
            Self::Events(events) => events.run(),
            Self::Deliveries(deliveries) => deliveries.run(),
            Self::Rejections(rejections) => rejections.run(),
            Self::Destinations(destinations) => destinations.run(),
            Self::Sources(sources) => sources.run(),
            Self::Journal(journal) => journal.run(),
            Self::PluginProbe(probe) => probe.run(),
            Self::TransformWorker(worker) => worker.run(),
            Self::PluginWorker(worker) => worker.run(),
        }
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            for inner in command.get_subcommands() {
                check(inner, &path);
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:") && help.contains(path.trim()), "{path} shows no example");
        }
        check(&Arguments::command(), "");
    }
}
