//! `/v1/rejections/release`: refused requests are judged once more, at the time of their receipt, and those that pass now
//! become events. A request does some; whoever asks goes on with the next.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Failure, Shared};
use crate::journal::{Counted, Recorded, Rejected, RejectionFilter};
use crate::reason::Reason;

/// Rejections of one request.
const BATCH: usize = 50;

/// Which are judged again, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Which rejections; `after` says where to go on.
    pub rejections: RejectionFilter,
    /// Takes what is authentic although its time or its nonce was not.
    #[serde(default)]
    pub stale: bool,
    /// Everything is judged and nothing done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a request did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    /// For the next request; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How many rejections there are; with the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What became of each.
    pub rejections: Vec<Judged>,
}

/// What became of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Judged {
    /// The rejection's number.
    pub id: u64,
    /// In a word.
    pub outcome: Outcome,
    /// Its new events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Uuid>,
    /// Why it was left where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of a rejection: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is an event now, and no rejection any more; or would be.
    Released,
    /// All of it was known already; it is no rejection any more.
    Duplicate,
    /// It stays a rejection.
    Left,
}

pub(super) async fn release(
    State(shared): State<Shared>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Batch>, Failure> {
    let Json(Wanted { rejections: filter, stale, dry_run }) = wanted?;
    let journal = &shared.state.journal;
    let total = match filter.after {
        None => Some(journal.count(Counted::Rejections(filter.clone())).await?),
        Some(_) => None,
    };
    let limit = if filter.limit == 0 { BATCH } else { filter.limit.min(BATCH) };
    let after = filter.after.unwrap_or_default();
    let found = journal.rejections(RejectionFilter { after: Some(after), limit, ..filter }).await?;
    let after = found.last().map(|rejected| rejected.id);
    let mut rejections = Vec::with_capacity(found.len());
    for rejected in found {
        rejections.push(one(&shared, rejected, stale, dry_run).await?);
    }
    Ok(Json(Batch { after, total, rejections }))
}

async fn one(shared: &Shared, rejected: Rejected, stale: bool, dry_run: bool) -> Result<Judged, Failure> {
    let (id, journal) = (rejected.id, &shared.state.journal);
    let left = |why: String| Judged { id, outcome: Outcome::Left, events: Vec::new(), why: Some(why) };
    let Some((_, Some(request))) = journal.rejection(id).await? else {
        return Ok(left("it is not kept any more".into()));
    };
    if rejected.authentic && !stale {
        return Ok(left(format!("{}: authentic, but out of time or a repeat: --stale takes it", rejected.reason)));
    }
    let judged = shared.state.again.refused(rejected.source.as_deref(), request, rejected.bytes).await;
    let mut new = match judged {
        Ok(new) => new,
        Err(why) => return Ok(left(why)),
    };
    if let Some(late) = new.stale.take().filter(|_| !stale) {
        return Ok(left(format!("{}: {}; --stale takes it", late.reason, late.detail)));
    }
    if rejected.reason == Reason::ReplayedNonce {
        new.nonce = None;
    }
    if dry_run {
        return Ok(Judged { id, outcome: Outcome::Released, events: Vec::new(), why: None });
    }
    let source = new.source.clone();
    let (outcome, events) = match journal.record(new).await? {
        Recorded::Accepted(events) => (Outcome::Released, events),
        Recorded::Duplicate => (Outcome::Duplicate, Vec::new()),
        // It was kept once more, as what it is now.
        Recorded::Refused(rejection) => {
            journal.released(vec![id]).await?;
            return Ok(left(format!("{}: {}", rejection.reason, rejection.detail)));
        }
    };
    journal.released(vec![id]).await?;
    tracing::info!(
        rejection = id,
        source = &*source,
        events = events.len(),
        "a refused request was released by the admin API"
    );
    Ok(Judged { id, outcome, events, why: None })
}
