//! `/v1/rejections`: requests that were refused, one with its masked request, and an end to those that nobody may read
//! any more.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};

use super::events::MOST;
use super::shown::{RequestShown, masked_target};
use super::{Failure, Shared};
use crate::journal::{Counted, Rejected, RejectionFilter};
use crate::reason::Reason;

/// Erased at a time; whoever asks goes on from page to page.
const PAGE: usize = 500;

/// A page of rejections.
#[derive(Serialize)]
pub(super) struct Page {
    rejections: Vec<Rejected>,
}

/// One rejection with its request, if that was kept.
#[derive(Serialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    rejection: Rejected,
    request: Option<RequestShown>,
    /// What would have made its signature match, by the source as it is now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnosis: Vec<String>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    filter: Result<Query<RejectionFilter>, QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let Query(filter) = filter?;
    let filter = RejectionFilter { limit: filter.limit.min(MOST), ..filter };
    let rejections = shared.state.journal.rejections(filter).await?;
    Ok(Json(Page { rejections: rejections.into_iter().map(masked).collect() }))
}

pub(super) async fn show(State(shared): State<Shared>, Path(id): Path<String>) -> Result<Json<Detail>, Failure> {
    let id = id.parse().map_err(|_| Failure::unusable(format!("\"{id}\" is not a rejection's number")))?;
    let found = shared.state.journal.rejection(id).await?;
    let (rejection, request) = found.ok_or_else(|| Failure::not_found("rejection of this number"))?;
    let diagnosis = match &request {
        Some(request) if matches!(rejection.reason, Reason::SignatureMismatch | Reason::Malformed) => {
            let source = rejection.source.as_deref();
            shared.state.again.diagnose(source, request.clone(), rejection.bytes).await
        }
        _ => Vec::new(),
    };
    let request = request.map(|request| {
        let source = rejection.source.as_deref().unwrap_or_default();
        shared.state.request(source, &request)
    });
    Ok(Json(Detail { rejection: masked(rejection), request, diagnosis }))
}

/// What is to be erased, and whether it is only counted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erase {
    rejections: RejectionFilter,
    #[serde(default)]
    dry_run: bool,
}

/// How many are erased, or would be.
#[derive(Serialize)]
pub(super) struct Erased {
    erased: u64,
    /// For the next request; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

pub(super) async fn erase(
    State(shared): State<Shared>,
    asked: Result<Json<Erase>, JsonRejection>,
) -> Result<Json<Erased>, Failure> {
    let Json(Erase { rejections: filter, dry_run }) = asked?;
    if !filter.restricts() {
        return Err(Failure::unusable("the filter names nothing: all rejections would be erased"));
    }
    let journal = &shared.state.journal;
    if dry_run {
        return Ok(Json(Erased { erased: journal.count(Counted::Rejections(filter)).await?, after: None }));
    }
    let (after, limit) =
        (filter.after.unwrap_or_default(), if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE) });
    let found = journal.rejections(RejectionFilter { after: Some(after), limit, ..filter }).await?;
    let ids: Vec<u64> = found.iter().map(|rejected| rejected.id).collect();
    let Some(last) = ids.last().copied() else { return Ok(Json(Erased { erased: 0, after: None })) };
    let erased = journal.erase_rejections(ids).await?;
    tracing::info!(rejections = erased, "refused requests were erased, asked for by the admin API");
    Ok(Json(Erased { erased, after: Some(last) }))
}

fn masked(rejection: Rejected) -> Rejected {
    Rejected { line: masked_target(&rejection.line), ..rejection }
}
