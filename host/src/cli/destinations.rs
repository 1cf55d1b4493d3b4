//! `hookport destinations`: how each is, what waits for it, and a hand to stop it.

use clap::Subcommand;
use jiff::Timestamp;
use serde::Deserialize;

use super::client::{Client, read};
use super::group::Ask;
use super::pause::Target;
use super::{Failure, output};

/// What can be asked about destinations.
#[derive(Subcommand)]
pub(super) enum Command {
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

impl Ask for Command {
    fn ask(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::List { json } => list(client, json),
            Self::Pause(target) => target.pause(client, "destinations"),
            Self::Resume(target) => target.resume(client, "destinations"),
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
    let Some(answer) = client.show("/v1/destinations", &(), json)? else { return Ok(()) };
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
