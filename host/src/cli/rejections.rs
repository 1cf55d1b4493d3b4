//! `hookport rejections`: requests that were refused, and why.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Deserialize;

use super::client::{Client, read};
use super::group::Ask;
use super::request::Request;
use super::{Failure, filter, forget, output, release};
use crate::journal::{Rejected, RejectionFilter};
use crate::reason::Reason;

/// What can be asked about rejections.
#[derive(Subcommand)]
pub(super) enum Command {
    /// List rejections, newest first
    #[command(after_help = "Examples:\n  hookport rejections list --since 1h\n  hookport rejections list --reason \
                            signature_mismatch --source esim")]
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
    Release(release::Release),
    Erase(forget::Erase),
    /// Show one rejection with its request, signatures masked, and what would have made its signature match
    #[command(
        after_help = "Examples:\n  hookport rejections show 17\n  hookport rejections show 17 --json | jq .detail"
    )]
    Show {
        /// The rejection's number
        id: u64,
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
}

/// Which rejections.
#[derive(Args)]
pub(super) struct Wanted {
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// With this reason code, such as signature_mismatch
    #[arg(long, value_parser = filter::word::<Reason>)]
    reason: Option<Reason>,
    /// Received since: RFC 3339, or a while ago (1h)
    #[arg(long, value_name = "TIME", value_parser = filter::time)]
    since: Option<Timestamp>,
    /// Received before: RFC 3339, or a while ago (1h)
    #[arg(long, value_name = "TIME", value_parser = filter::time)]
    until: Option<Timestamp>,
}

impl Wanted {
    pub(super) fn filter(self) -> RejectionFilter {
        let Self { source, reason, since, until } = self;
        RejectionFilter { source, reason, since, until, ..RejectionFilter::default() }
    }

    pub(super) fn restricts(&self) -> bool {
        self.source.is_some() || self.reason.is_some() || self.since.is_some() || self.until.is_some()
    }
}

impl Ask for Command {
    fn ask(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::List { wanted, limit, json } => {
                list(client, &RejectionFilter { limit: limit.unwrap_or(0), ..wanted.filter() }, json)
            }
            Self::Release(release) => release.run(client),
            Self::Erase(erase) => erase.run(client),
            Self::Show { id, json } => show(client, id, json),
        }
    }
}

fn list(client: &Client, filter: &RejectionFilter, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Page {
        rejections: Vec<Rejected>,
    }
    let Some(answer) = client.show("/v1/rejections", filter, json)? else { return Ok(()) };
    let mut table = output::table(&["ID", "RECEIVED", "SOURCE", "REASON", "DETAIL", "REQUEST", "FROM"]);
    for rejection in read::<Page>(&answer)?.rejections {
        table.add_row([
            output::cell(rejection.id),
            output::cell(format_args!("{:.0}", rejection.received)),
            output::cell(rejection.source.as_deref().unwrap_or("-")),
            output::cell(rejection.reason),
            output::cell(&rejection.detail),
            output::cell(&rejection.line),
            output::cell(rejection.peer.map_or("-".to_owned(), |peer| peer.to_string())),
        ]);
    }
    output::print(&table, "no rejections")
}

fn show(client: &Client, id: u64, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Detail {
        #[serde(flatten)]
        rejection: Rejected,
        request: Option<Request>,
        #[serde(default)]
        diagnosis: Vec<String>,
    }
    let Some(answer) = client.show(&format!("/v1/rejections/{id}"), &(), json)? else { return Ok(()) };
    let Detail { rejection, request, diagnosis } = read(&answer)?;
    let peer = rejection.peer.map_or("-".to_owned(), |peer| peer.to_string());
    let source = rejection.source.as_deref().unwrap_or("-");
    output::line(format_args!("{}: {}", rejection.reason, output::plain(&rejection.detail)))?;
    output::line(output::plain(format_args!("source {source}, from {peer}, {:.0}", rejection.received)))?;
    for finding in diagnosis {
        output::line(output::plain(format_args!("diagnosis: {finding}")))?;
    }
    match request {
        Some(request) => request.print(),
        None => {
            output::say("the request itself was not kept");
            Ok(())
        }
    }
}
