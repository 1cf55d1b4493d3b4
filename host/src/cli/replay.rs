//! `hookport events replay`: stored events go to destinations again, a batch at a time.

use clap::Args;
use uuid::Uuid;

use super::client::{Client, read};
use super::events::Wanted;
use super::progress::Progress;
use super::{Failure, filter, output};
use crate::admin::replay::{self as api, Change, Decode, Difference, Verdict};
use crate::journal::{EventFilter, Redelivered};

/// Send stored events to destinations again, oldest first
#[derive(Args)]
#[command(
    after_help = "An event keeps its id: it is the webhook-id that receivers deduplicate by, so a receiver that has it already may \
                        ignore it. Where an earlier delivery of the event to the same destination is still open, no other is made. \
                        A destination with format = \"raw\" gets each request once.\n\n--decode current verifies each stored request once more, at the \
                        time of its receipt, with the secrets of now, and decodes it with the description and the plugin of now: what \
                        differs takes the stored event's place under the same id. With --dry-run that is the test of a plugin before \
                        it goes live: it prints what would differ (masked fields stay masked) and exits with 1 if anything would, or \
                        if anything fails. What fails is left as it is. With --json each change is a line, and the last line is the \
                        result.\n\nExamples:\n  hookport events replay \
                        --state unrouted --since 2d\n  hookport events replay --source esim --since 2026-11-20T08:00:00Z --to crm \
                        --dry-run\n  hookport events replay --source esim --decode current --dry-run\n  hookport events replay --state undecoded \
                        --decode current\n  hookport events replay 0198c5a0-5a7e-7cc3-98c4-dc0c0c07398f --to crm --to log"
)]
pub(super) struct Replay {
    /// The events' ids
    #[arg(value_name = "ID", conflicts_with = "all")]
    ids: Vec<Uuid>,
    #[command(flatten)]
    wanted: Wanted,
    /// Every stored event
    #[arg(long)]
    all: bool,
    /// At most so many, the oldest
    #[arg(long, value_name = "N", value_parser = filter::count())]
    limit: Option<usize>,
    /// To this destination; several may be named [default: those that the routes choose now]
    #[arg(long, value_name = "DESTINATION")]
    to: Vec<String>,
    /// As they were decoded then, or as they are decoded now: stored or current
    #[arg(long, value_parser = filter::word::<Decode>, default_value = "stored")]
    decode: Decode,
    /// Say how many, and with --decode current what would differ, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a document
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self, client: &Client) -> Result<(), Failure> {
        let Self { ids, wanted, all, limit, to, decode, dry_run, json } = self;
        let events = EventFilter { ids, ..wanted.filter(0) };
        if !all && !events.restricts() && limit.is_none() {
            return Err(Failure::unusable("say which events: ids, a filter, or --all"));
        }
        let mut wanted = api::Wanted { events, to, decode, dry_run, run: None };
        let (mut done, mut looked_at, mut told) = (Redelivered::default(), 0, Told::default());
        let mut left = limit;
        let mut progress = Progress::of(0, "events");
        loop {
            wanted.events.limit = left.unwrap_or_default();
            let batch: api::Batch = read(&client.post("/v1/events/replay", &wanted)?)?;
            if let Some(total) = batch.total {
                let most = limit.and_then(|limit| u64::try_from(limit).ok()).unwrap_or(u64::MAX);
                progress = Progress::of(total.min(most), "events");
            }
            looked_at += batch.looked_at;
            done += batch.done;
            told.same += batch.same;
            progress.clear();
            batch.changes.iter().try_for_each(|change| told.tell(change, dry_run, json))?;
            progress.at(looked_at);
            left = left.map(|left| left.saturating_sub(usize::try_from(batch.looked_at).unwrap_or(usize::MAX)));
            if batch.after.is_none() || left == Some(0) {
                break;
            }
            (wanted.events.after, wanted.run) = (batch.after, Some(batch.run));
        }
        drop(progress);
        let Told { same, changed, failed } = told;
        let decoded = (decode == Decode::Current)
            .then_some(serde_json::json!({ "same": same, "changed": changed, "failed": failed }));
        match json {
            true => output::line(
                serde_json::json!({ "dry_run": dry_run, "looked_at": looked_at, "done": done, "decoded": decoded }),
            )?,
            false if looked_at > 0 => {
                if decoded.is_some() {
                    output::line(format_args!("{same} the same, {changed} changed, {failed} failed"))?;
                }
                said(looked_at, &done, dry_run)?;
            }
            false => {}
        }
        match looked_at {
            0 => Err(Failure::refused("no stored event is meant: nothing is replayed")),
            _ if failed > 0 || (dry_run && changed > 0) => Err(Failure::Said),
            _ => Ok(()),
        }
    }
}

/// What was decoded again, in numbers.
#[derive(Default)]
struct Told {
    same: u64,
    changed: u64,
    failed: u64,
}

impl Told {
    /// Counts one that is not the same, and shows it: how it would change, or why it cannot be told.
    fn tell(&mut self, change: &Change, dry_run: bool, json: bool) -> Result<(), Failure> {
        let Change { id, verdict, why, differences } = change;
        match verdict {
            Verdict::Changed => self.changed += 1,
            Verdict::Failed | Verdict::Vanished => self.failed += 1,
        }
        if json {
            return output::line(serde_json::to_string(change).map_err(Failure::refused)?);
        }
        match verdict {
            Verdict::Changed if !dry_run => return Ok(()),
            Verdict::Changed => output::line(format_args!("{id} would change"))?,
            Verdict::Vanished => {
                output::line(format_args!("{id} is left as it is: its request holds no such event now"))?
            }
            Verdict::Failed => {
                let why = why.as_deref().unwrap_or_default();
                output::line(output::plain(format_args!("{id} is left as it is: {why}")))?;
            }
        }
        for Difference { at, old, new } in differences {
            for (sign, text) in [("-", old), ("+", new)] {
                if let Some(text) = text {
                    output::line(output::plain(format_args!("  {sign} {at}: {text}")))?;
                }
            }
        }
        Ok(())
    }
}

fn said(looked_at: u64, done: &Redelivered, dry_run: bool) -> Result<(), Failure> {
    let would = if dry_run { "would be " } else { "" };
    output::line(format_args!("{} of {looked_at} events: {} deliveries {would}made", done.events, done.deliveries))?;
    let also = [
        (done.open, "deliveries not made: an earlier one of the event to the same destination is still open"),
        (done.unrouted, "events that no route wants: --to names a destination"),
        (done.undecoded, "events that are not decoded, and go nowhere"),
        (done.erased, "events whose content was erased, or the request that a raw destination would get"),
    ];
    for (count, what) in also.into_iter().filter(|(count, _)| *count > 0) {
        output::line(format_args!("{count} {what}"))?;
    }
    Ok(())
}
