//! `hookport destinations`: how each is, what waits for it, and a hand to stop it.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Deserialize;

use super::client::{Client, Connection};
use super::events::read;
use super::pause::Target;
use super::{Failure, output};

/// Show the destinations of a running gateway, pause and resume them
#[derive(Args)]
#[command(after_help = "Examples:\n  hookport destinations list\n  hookport destinations pause crm")]
pub(super) struct Destinations {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List destinations: whether they are sent to, what is under way, what waits and what failed for good
    #[command(
        after_help = "STATE is ok, paused, open (left alone after too many failures in a row, until NEXT) or half_open (one delivery \
                      tries whether it is well again).\n\nExamples:\n  hookport destinations list\n  hookport destinations list --json \
                      | jq '.destinations[] | select(.breaker != \"closed\")'"
    )]
    List {
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
    /// Begin nothing for a destination until it is resumed: deliveries wait and keep their attempts
    #[command(
        after_help = "What is under way ends. A pause survives restarts.\n\nExamples:\n  hookport destinations pause crm\n  \
                      hookport destinations pause crm --json"
    )]
    Pause(Target),
    /// Let a destination's deliveries go on
    #[command(after_help = "Examples:\n  hookport destinations resume crm")]
    Resume(Target),
}

impl Destinations {
    pub(super) fn run(self) -> Result<(), Failure> {
        let client = self.connection.open()?;
        match self.command {
            Command::List { json } => list(&client, json),
            Command::Pause(target) => target.pause(&client, "destinations"),
            Command::Resume(target) => target.resume(&client, "destinations"),
        }
    }
}

#[derive(Deserialize)]
struct Destination {
    name: String,
    kind: String,
    rate: Option<String>,
    breaker: String,
    next_probe: Option<Timestamp>,
    paused: Option<Timestamp>,
    in_flight: u64,
    open: u64,
    exhausted: u64,
    oldest_open: Option<Timestamp>,
}

impl Destination {
    fn state(&self) -> &str {
        match (self.paused, self.breaker.as_str()) {
            (Some(_), _) => "paused",
            (None, "closed") => "ok",
            (None, breaker) => breaker,
        }
    }
}

fn list(client: &Client, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Page {
        destinations: Vec<Destination>,
    }
    let answer = client.get("/v1/destinations", &())?;
    if json {
        return output::line(String::from_utf8_lossy(&answer));
    }
    let head = ["NAME", "KIND", "STATE", "NEXT", "UNDER WAY", "OPEN", "OLDEST", "EXHAUSTED", "RATE"];
    let mut table = output::table(&head);
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), |at| format!("{at:.0}"));
    for destination in read::<Page>(&answer)?.destinations {
        table.add_row([
            output::cell(&destination.name),
            output::cell(&destination.kind),
            output::state(destination.state()),
            output::cell(time(destination.next_probe)),
            output::cell(destination.in_flight),
            output::cell(destination.open),
            output::cell(time(destination.oldest_open)),
            output::cell(destination.exhausted),
            output::cell(destination.rate.as_deref().unwrap_or("-")),
        ]);
    }
    output::print(&table, "no destinations")
}
