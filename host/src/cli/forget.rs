//! `hookport rejections erase`: counts first, and erases only when told so.

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, read};
use super::{Failure, output, rejections};
use crate::journal::RejectionFilter;

/// Erase refused requests for good; without --yes they are only counted
#[derive(Args)]
#[command(
    after_help = "A copy of a request that was refused stays here when the event that it became later is erased: this is what \
                        erases it.\n\nExamples:\n  hookport rejections erase --source acme --since 2h         # counts only\n  \
                        hookport rejections erase --source acme --since 2h --yes\n  hookport rejections erase 17 18 --yes"
)]
pub(super) struct Erase {
    /// The rejections' numbers
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    #[command(flatten)]
    wanted: rejections::Wanted,
    /// Erase, and do not only count
    #[arg(long)]
    yes: bool,
    /// Print the count as a document
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Erased {
    erased: u64,
    after: Option<u64>,
}

impl Erase {
    pub(super) fn run(self, client: &Client) -> Result<(), Failure> {
        let Self { ids, wanted, yes, json } = self;
        let filter = RejectionFilter { ids, ..wanted.filter() };
        if !filter.restricts() {
            return Err(Failure::unusable("say which rejections: numbers, or a filter such as --source acme"));
        }
        let (mut total, mut after) = (0, None);
        loop {
            let asked = json!({ "rejections": RejectionFilter { after, ..filter.clone() }, "dry_run": !yes });
            let answer: Erased = read(&client.post("/v1/rejections/erase", &asked)?)?;
            total += answer.erased;
            after = answer.after;
            if after.is_none() {
                break;
            }
        }
        match (json, yes) {
            (true, _) => output::line(json!({ "erased": total, "dry_run": !yes }))?,
            (false, _) if total == 0 => {}
            (false, true) => output::line(format_args!("{total} erased; copies in backups are not"))?,
            (false, false) => output::line(format_args!("{total} would be erased for good: add --yes"))?,
        }
        if total == 0 { Err(Failure::refused("no such rejection is kept")) } else { Ok(()) }
    }
}
