//! `hookport rejections release`: refused requests become events once what was wrong is mended.

use std::collections::BTreeMap;

use clap::Args;

use super::client::{Client, read};
use super::progress::Progress;
use super::{Failure, output, rejections};
use crate::admin::release::{Batch, Judged, Outcome, Wanted};
use crate::journal::RejectionFilter;

/// Judge refused requests once more, at the time of their receipt: those that pass now become events
#[derive(Args)]
#[command(
    after_help = "After a secret, an address or a description is mended: what was kept is verified as if it had just come when \
                        it did. What is known already is a duplicate and makes no second event. Requests of a path that no source \
                        had go to the source that has it now.\n\nExamples:\n  hookport rejections release --source esim --since 2d \
                        --dry-run\n  hookport rejections release 17 18\n  hookport rejections release --reason timestamp_expired \
                        --stale"
)]
pub(super) struct Release {
    /// The rejections' numbers
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<u64>,
    #[command(flatten)]
    wanted: rejections::Wanted,
    /// Every rejection
    #[arg(long)]
    all: bool,
    /// Also what is authentic, but came out of time or with a nonce that had come before
    #[arg(long)]
    stale: bool,
    /// Say what would become of each, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a document with what became of each
    #[arg(long)]
    json: bool,
}

impl Release {
    pub(super) fn run(self, client: &Client) -> Result<(), Failure> {
        let Self { ids, wanted, all, stale, dry_run, json } = self;
        if ids.is_empty() && !all && !wanted.restricts() {
            return Err(Failure::unusable("say which rejections: numbers, a filter, or --all"));
        }
        let rejections = RejectionFilter { ids, ..wanted.filter() };
        let mut wanted = Wanted { rejections, stale, dry_run };
        let (mut judged, mut progress) = (Vec::new(), Progress::of(0, "rejections"));
        loop {
            let batch: Batch = read(&client.post("/v1/rejections/release", &wanted)?)?;
            if let Some(total) = batch.total {
                progress = Progress::of(total, "rejections");
            }
            judged.extend(batch.rejections);
            progress.at(judged.len() as u64);
            if batch.after.is_none() {
                break;
            }
            wanted.rejections.after = batch.after;
        }
        drop(progress);
        let released = judged.iter().filter(|judged| judged.outcome == Outcome::Released).count();
        let known = judged.iter().filter(|judged| judged.outcome == Outcome::Duplicate).count();
        match json {
            true => output::line(
                serde_json::json!({ "dry_run": dry_run, "released": released, "duplicates": known, "rejections": judged }),
            )?,
            false if judged.is_empty() => {}
            false => said(&judged, released, known, dry_run)?,
        }
        match released + known {
            0 if judged.is_empty() => Err(Failure::refused("no such rejection is kept")),
            0 => Err(Failure::refused("none of them passes now: nothing is released")),
            _ => Ok(()),
        }
    }
}

fn said(judged: &[Judged], released: usize, known: usize, dry_run: bool) -> Result<(), Failure> {
    let would = if dry_run { "would be " } else { "" };
    output::line(format_args!("{released} of {} {would}released", judged.len()))?;
    if known > 0 {
        output::line(format_args!("{known} known already, and forgotten"))?;
    }
    let mut left: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for judged in judged {
        if let Some(why) = &judged.why {
            left.entry(why).or_default().push(judged.id);
        }
    }
    for (why, ids) in left {
        let some: Vec<String> = ids.iter().take(5).map(u64::to_string).collect();
        let more = if ids.len() > some.len() { ", ..." } else { "" };
        output::line(output::plain(format_args!("{} left ({}{more}): {why}", ids.len(), some.join(", "))))?;
    }
    Ok(())
}
