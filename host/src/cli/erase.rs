//! `hookport events erase`: counts first, and erases only when told so.

use uuid::Uuid;

use super::client::{Client, read};
use super::{Failure, output};
use crate::journal::{Erased, EventFilter};

/// Events of one request to the gateway: it answers when they are gone from the disk, which a busy one takes its time for.
const PAGE: usize = 1_000;

/// Erases the content of these events, or of all that the filter finds.
pub(super) fn run(client: &Client, ids: &[Uuid], filter: &EventFilter, yes: bool, json: bool) -> Result<(), Failure> {
    let filters = match ids {
        [] => vec![filter.clone()],
        ids => ids.iter().map(|id| EventFilter { id: Some(*id), ..filter.clone() }).collect(),
    };
    let mut total = Erased::default();
    for filter in filters {
        let mut after = None;
        loop {
            let page = EventFilter { after, limit: PAGE, ..filter.clone() };
            let asked = serde_json::json!({ "filter": page, "dry_run": !yes });
            let answer: Erased = read(&client.post("/v1/events/erase", &asked)?)?;
            total.erased += answer.erased;
            total.open += answer.open;
            after = answer.after;
            if after.is_none() {
                break;
            }
            output::say(format_args!("{} so far", total.erased));
        }
    }
    report(total, yes, json)
}

fn report(total: Erased, yes: bool, json: bool) -> Result<(), Failure> {
    let Erased { erased, open, after: _ } = total;
    if json {
        output::line(serde_json::json!({ "erased": erased, "open": open, "dry_run": !yes }))?;
    } else if yes && erased > 0 {
        output::line(format_args!("{erased} erased; copies in backups, and what was refused of them, are not"))?;
    } else if erased > 0 {
        output::line(format_args!("{erased} would be erased for good: add --yes"))?;
    }
    let keep = if open == 1 { "keeps its" } else { "keep their" };
    let kept = format!(
        "{open} {keep} content, because a delivery is open: wait until it has ended, or `hookport deliveries cancel`, and \
         erase again"
    );
    match (erased + open, open) {
        (0, _) => Err(Failure::refused("no such event, or all are erased already")),
        (_, 0) => Ok(()),
        _ if yes => Err(Failure::refused(kept)),
        _ => {
            output::say(kept);
            Ok(())
        }
    }
}
