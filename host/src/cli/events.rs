//! `hookport events`: what was received.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::client::{Client, read};
use super::group::Ask;
use super::request::Request;
use super::{Failure, deliveries, erase, filter, json, output, replay, tail};
use crate::event::{Build, EventState};
use crate::journal::{Delivery, EventFilter};

/// What can be asked about events.
#[derive(Subcommand)]
pub(super) enum Command {
    /// List events, newest first
    #[command(after_help = "Examples:\n  hookport events list --since 1h\n  hookport events list --type 'eiotclub.*' \
                            --state unrouted\n  hookport events list --provider-id 42 --json")]
    List {
        #[command(flatten)]
        wanted: Wanted,
        /// At most so many [default: 100]
        #[arg(long, value_name = "N", value_parser = filter::count())]
        limit: Option<usize>,
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
    /// Show one event with its request and its deliveries
    #[command(after_help = "Examples:\n  hookport events show 0198c5a0-5a7e-7cc3-98c4-dc0c0c07398f")]
    Show {
        /// The event's id
        id: Uuid,
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
    /// Erase the content of finished events for good: bytes, data and subject. Type, times, ids and deliveries stay known
    #[command(
        after_help = "Examples:\n  hookport events erase --source cards --until 90d            # counts only\n  \
                            hookport events erase --source cards --until 90d --yes\n  hookport events erase \
                            0198c5a0-5a7e-7cc3-98c4-dc0c0c07398f --yes"
    )]
    Erase {
        /// The events' ids
        #[arg(value_name = "ID")]
        ids: Vec<Uuid>,
        #[command(flatten)]
        wanted: Wanted,
        /// Erase, and do not only count
        #[arg(long)]
        yes: bool,
        /// Print the counts as a document
        #[arg(long)]
        json: bool,
    },
    Replay(replay::Replay),
    /// Show events as they come, until Ctrl-C; goes on after a restart of the gateway
    #[command(after_help = "Examples:\n  hookport events tail\n  hookport events tail --source esim --json | jq \
                            .event.data\n  hookport events tail --since 10m")]
    Tail {
        #[command(flatten)]
        wanted: Wanted,
        /// Print one JSON document a line
        #[arg(long)]
        json: bool,
    },
}

/// Which events.
#[derive(Args)]
pub(super) struct Wanted {
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Whose type matches: * any characters, ? one
    #[arg(long = "type", value_name = "GLOB")]
    kind: Option<String>,
    /// About this subject
    #[arg(long)]
    subject: Option<String>,
    /// With this id of the provider's own
    #[arg(long, value_name = "ID")]
    provider_id: Option<String>,
    /// routed, unrouted, undecoded or erased
    #[arg(long, value_parser = filter::word::<EventState>)]
    state: Option<EventState>,
    /// Received since: RFC 3339, or a while ago (1h)
    #[arg(long, value_name = "TIME", value_parser = filter::time)]
    since: Option<Timestamp>,
    /// Received before: RFC 3339, or a while ago (1h)
    #[arg(long, value_name = "TIME", value_parser = filter::time)]
    until: Option<Timestamp>,
}

impl Wanted {
    pub(super) fn filter(self, limit: usize) -> EventFilter {
        let Self { source, kind, subject, provider_id, state, since, until } = self;
        EventFilter { source, kind, subject, provider_id, state, since, until, limit, ..EventFilter::default() }
    }
}

/// What a list shows of an event.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    state: EventState,
}

#[derive(Deserialize)]
struct Envelope {
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: Option<String>,
    receivedtime: Timestamp,
    providereventid: Option<String>,
}

impl Ask for Command {
    fn ask(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::List { wanted, limit, json } => list(client, &wanted.filter(limit.unwrap_or(0)), json),
            Self::Show { id, json } => show(client, id, json),
            Self::Erase { ids, wanted, yes, json } => {
                let filter = wanted.filter(0);
                if ids.is_empty() && !filter.restricts() {
                    return Err(Failure::unusable("say which events: ids, or a filter such as --until 90d"));
                }
                erase::run(client, &ids, &filter, yes, json)
            }
            Self::Replay(replay) => replay.run(client),
            Self::Tail { wanted, json } => tail::follow(client, wanted.filter(0), json),
        }
    }
}

fn list(client: &Client, filter: &EventFilter, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        events: Vec<Line<'a>>,
    }
    let Some(answer) = client.show("/v1/events", filter, json)? else { return Ok(()) };
    let page: Page<'_> = read(&answer)?;
    let mut table = output::table(&["RECEIVED", "TYPE", "SOURCE", "SUBJECT", "PROVIDER ID", "STATE", "ID"]);
    for line in &page.events {
        let envelope: Envelope = read(line.event.get().as_bytes())?;
        table.add_row([
            output::cell(format_args!("{:.0}", envelope.receivedtime)),
            output::cell(&envelope.kind),
            output::cell(envelope.source()),
            output::cell(envelope.subject.as_deref().unwrap_or("-")),
            output::cell(envelope.providereventid.as_deref().unwrap_or("-")),
            output::state(word_of(line.state)),
            output::cell(envelope.id),
        ]);
    }
    output::print(&table, "no events")
}

fn show(client: &Client, id: Uuid, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        event: &'a RawValue,
        state: EventState,
        #[serde(default)]
        warnings: Vec<String>,
        request: Option<Request>,
        deliveries: Vec<Delivery>,
        plugin: Option<Build>,
    }
    let Some(answer) = client.show(&format!("/v1/events/{id}"), &(), json)? else { return Ok(()) };
    let detail: Detail<'_> = read(&answer)?;
    output::line(json::indented(detail.event.get()))?;
    output::line(format_args!("\nstate: {}", word_of(detail.state)))?;
    for warning in &detail.warnings {
        output::line(format_args!("warning: {}", output::plain(warning)))?;
    }
    if let Some(Build { version, sha256, generation }) = &detail.plugin {
        output::line(output::plain(format_args!("plugin: {version}, generation {generation} ({sha256})")))?;
    }
    if let Some(request) = &detail.request {
        request.print()?;
    }
    output::line("")?;
    deliveries::print(&detail.deliveries)
}

/// One event as `tail` shows it.
pub(super) fn print_line(text: &RawValue, json: bool) -> Result<(), Failure> {
    if json {
        return output::line(text.get());
    }
    let line: Line<'_> = read(text.get().as_bytes())?;
    let envelope: Envelope = read(line.event.get().as_bytes())?;
    let subject = envelope.subject.as_deref().unwrap_or("-");
    output::line(output::plain(format_args!(
        "{:.0}  {}  {}  {subject}  {}  {}",
        envelope.receivedtime,
        envelope.kind,
        envelope.source(),
        word_of(line.state),
        envelope.id
    )))
}

impl Envelope {
    /// The source's name.
    fn source(&self) -> &str {
        self.source.strip_prefix("/sources/").unwrap_or(&self.source)
    }
}

fn word_of(state: EventState) -> &'static str {
    match state {
        EventState::Routed => "routed",
        EventState::Unrouted => "unrouted",
        EventState::Undecoded => "undecoded",
        EventState::Erased => "erased",
    }
}
