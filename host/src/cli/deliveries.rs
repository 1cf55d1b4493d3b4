//! `hookport deliveries`: where events went, another try for those that failed, an end for those that need not arrive.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::client::{Client, read};
use super::group::Ask;
use super::progress::Progress;
use super::{Failure, filter, output};
use crate::admin::Nothing;
use crate::journal::{Delivery, DeliveryFilter, DeliveryState};

/// What can be asked about deliveries.
#[derive(Subcommand)]
pub(super) enum Command {
    /// List deliveries, newest first
    #[command(after_help = "Examples:\n  hookport deliveries list --state exhausted\n  hookport deliveries list \
                            --destination crm --since 1h --json")]
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
    /// Make exhausted or cancelled deliveries due again at once; with --state retrying, those that wait for their next try
    #[command(
        after_help = "An event that was delivered once is not held back: a retry by hand goes out whatever is known of \
                            it.\n\nExamples:\n  hookport deliveries retry 17 18\n  hookport deliveries retry --destination \
                            crm --since 6h\n  hookport deliveries retry --reason 503 --dry-run\n  hookport deliveries retry \
                            --destination crm --state retrying\n  hookport deliveries retry --all"
    )]
    Retry {
        /// The deliveries' numbers
        #[arg(value_name = "ID", conflicts_with = "all")]
        ids: Vec<u64>,
        #[command(flatten)]
        wanted: Wanted,
        /// Every failed delivery
        #[arg(long)]
        all: bool,
        /// Say how many, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
    /// Give up deliveries that have not ended, and release the keys that they hold
    ///
    /// One that is being tried ends with that try: delivered, or else cancelled. What has ended stays as it is, but for
    /// an exhausted delivery that holds its key (on_exhausted = "hold"). A cancelled delivery can be retried.
    #[command(
        after_help = "Examples:\n  hookport deliveries cancel 17 18\n  hookport deliveries cancel --destination \
                            old-crm\n  hookport deliveries cancel --destination bank --state exhausted"
    )]
    Cancel {
        /// The deliveries' numbers
        #[arg(value_name = "ID", conflicts_with = "all")]
        ids: Vec<u64>,
        #[command(flatten)]
        wanted: Wanted,
        /// Every delivery that has not ended
        #[arg(long)]
        all: bool,
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
}

/// Which deliveries.
#[derive(Args)]
pub(super) struct Wanted {
    /// Of this event
    #[arg(long, value_name = "ID")]
    event: Option<Uuid>,
    /// To this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// pending, waiting, in_flight, delivered, retrying, exhausted or cancelled
    #[arg(long, value_parser = filter::word::<DeliveryState>)]
    state: Option<DeliveryState>,
    /// Of events of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of events whose type matches: * any characters, ? one
    #[arg(long = "type", value_name = "GLOB")]
    kind: Option<String>,
    /// Of events with this subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Of events with this id of the provider's own
    #[arg(long, value_name = "ID")]
    provider_id: Option<String>,
    /// Of events received since: RFC 3339, or a while ago (1h)
    #[arg(long, value_name = "TIME", value_parser = filter::time)]
    since: Option<Timestamp>,
    /// Of events received before: RFC 3339, or a while ago (1h)
    #[arg(long, value_name = "TIME", value_parser = filter::time)]
    until: Option<Timestamp>,
    /// Whose failure says this, in any case: "gone", "connection refused"; or whose last answer had this status: 503
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Wanted {
    fn filter(&self, limit: usize) -> DeliveryFilter {
        DeliveryFilter {
            event: self.event,
            destination: self.destination.clone(),
            state: self.state,
            source: self.source.clone(),
            kind: self.kind.clone(),
            subject: self.subject.clone(),
            provider_id: self.provider_id.clone(),
            since: self.since,
            until: self.until,
            reason: self.reason.clone(),
            limit,
            ..DeliveryFilter::default()
        }
    }

    /// One for each number, or one for all that is wanted.
    fn filters(&self, ids: &[u64]) -> Vec<DeliveryFilter> {
        match ids {
            [] => vec![self.filter(0)],
            ids => ids.iter().map(|id| DeliveryFilter { id: Some(*id), ..self.filter(0) }).collect(),
        }
    }

    /// Nothing is done to everything by oversight.
    fn or_said(&self, ids: &[u64], all: bool) -> Result<(), Failure> {
        if ids.is_empty() && !all && !self.restricts() {
            return Err(Failure::unusable("say which deliveries: numbers, a filter, or --all"));
        }
        Ok(())
    }

    fn restricts(&self) -> bool {
        let Self { event, destination, state, source, kind, subject, provider_id, since, until, reason } = self;
        let texts = [destination, source, kind, subject, provider_id, reason];
        texts.iter().any(|text| text.is_some())
            || event.is_some()
            || state.is_some()
            || since.is_some()
            || until.is_some()
    }
}

impl Ask for Command {
    fn ask(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::List { wanted, limit, json } => list(client, &wanted.filter(limit.unwrap_or(0)), json),
            Self::Retry { ids, wanted, all, dry_run, json } => {
                wanted.or_said(&ids, all)?;
                let filter = DeliveryFilter { ids, ..wanted.filter(0) };
                retry(client, &filter, dry_run, json)
            }
            Self::Cancel { ids, wanted, all, json } => {
                wanted.or_said(&ids, all)?;
                cancel(client, &ids, &wanted, json)
            }
        }
    }
}

fn list(client: &Client, filter: &DeliveryFilter, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Page {
        deliveries: Vec<Delivery>,
    }
    let Some(answer) = client.show("/v1/deliveries", filter, json)? else { return Ok(()) };
    print(&read::<Page>(&answer)?.deliveries)
}

#[derive(Deserialize)]
struct Retried {
    retried: u64,
    why: Option<Nothing>,
    after: Option<u64>,
}

fn retry(client: &Client, filter: &DeliveryFilter, dry_run: bool, json: bool) -> Result<(), Failure> {
    let counted = client.post_to("/v1/deliveries/retry", &[("dry_run", "true")], filter)?;
    let Retried { retried: total, why, after: _ } = read(&counted)?;
    let retried = if dry_run { total } else { retry_all(client, filter, total)? };
    let would = if dry_run {
        "would be"
    } else if retried == 1 {
        "is"
    } else {
        "are"
    };
    match (json, retried) {
        (true, _) if dry_run => output::line(serde_json::json!({ "retried": 0, "would_be_retried": retried }))?,
        (true, _) => output::line(serde_json::json!({ "retried": retried }))?,
        (false, 0) => {}
        (false, 1) => output::line(format_args!("1 delivery {would} due again"))?,
        (false, _) => output::line(format_args!("{retried} deliveries {would} due again"))?,
    }
    match (retried, why) {
        (1.., _) => Ok(()),
        (0, Some(Nothing::Unknown)) => Err(Failure::refused("there is no such delivery: nothing is tried again")),
        (0, Some(Nothing::Otherwise)) => Err(Failure::refused(match filter.state {
            Some(state) => format!("none of these is {}: nothing is tried again", word_of(state)),
            None => "none of these has failed for good: nothing is tried again".to_owned(),
        })),
        (0, Some(Nothing::Erased) | None) => Err(Failure::refused(
            "nothing is tried again: of these nothing is left to send, because their content was erased",
        )),
    }
}

/// Page by page, so that it can be told how far it is.
fn retry_all(client: &Client, filter: &DeliveryFilter, total: u64) -> Result<u64, Failure> {
    let (mut retried, mut progress, mut after) = (0, Progress::of(total, "deliveries"), Some(0));
    while after.is_some() {
        let page = DeliveryFilter { after, ..filter.clone() };
        let page = read::<Retried>(&client.post("/v1/deliveries/retry", &page)?)?;
        retried += page.retried;
        progress.at(retried);
        after = page.after;
    }
    Ok(retried)
}

fn cancel(client: &Client, ids: &[u64], wanted: &Wanted, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Cancelled {
        cancelled: u64,
    }
    let mut total = 0;
    for filter in wanted.filters(ids) {
        total += read::<Cancelled>(&client.post("/v1/deliveries/cancel", &filter)?)?.cancelled;
    }
    match (json, total) {
        (true, _) => output::line(serde_json::json!({ "cancelled": total }))?,
        (false, 0) => {}
        (false, 1) => output::line("1 delivery is cancelled")?,
        (false, _) => output::line(format_args!("{total} deliveries are cancelled"))?,
    }
    match total {
        0 => Err(Failure::refused("none of these is open or holds its key: nothing is cancelled")),
        _ => Ok(()),
    }
}

/// A table of deliveries, with their attempts where they are there.
pub(super) fn print(deliveries: &[Delivery]) -> Result<(), Failure> {
    let mut table = output::table(&["ID", "EVENT", "TYPE", "DESTINATION", "STATE", "ATTEMPTS", "NEXT", "REASON"]);
    for delivery in deliveries {
        table.add_row([
            output::cell(delivery.id),
            output::cell(delivery.event),
            output::cell(&delivery.kind),
            output::cell(&delivery.destination),
            output::state(word_of(delivery.state)),
            output::cell(delivery.attempts),
            output::cell(delivery.next.map_or("-".to_owned(), |next| format!("{next:.0}"))),
            output::cell(delivery.reason.as_deref().unwrap_or("-")),
        ]);
    }
    output::print(&table, "no deliveries")?;
    for delivery in deliveries {
        for attempt in &delivery.tries {
            let status = attempt.status.map_or("-".to_owned(), |status| status.to_string());
            let words = attempt.error.as_deref().or(attempt.answer.as_deref()).unwrap_or_default();
            let (id, at, took) = (delivery.id, attempt.at, attempt.took_ms);
            output::line(output::plain(format_args!("  {id}  {at:.0}  {status}  {took} ms  {words}")))?;
        }
    }
    Ok(())
}

fn word_of(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "pending",
        DeliveryState::Waiting => "waiting",
        DeliveryState::InFlight => "in_flight",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Retrying => "retrying",
        DeliveryState::Exhausted => "exhausted",
        DeliveryState::Cancelled => "cancelled",
    }
}
