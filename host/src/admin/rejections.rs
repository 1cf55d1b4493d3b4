//! `/v1/rejections`: requests that were refused, and one with its masked request.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Serialize;

use super::events::MOST;
use super::shown::{RequestShown, masked_target};
use super::{Failure, Shared};
use crate::journal::{Rejected, RejectionFilter};
use crate::reason::Reason;

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

fn masked(rejection: Rejected) -> Rejected {
    Rejected { line: masked_target(&rejection.line), ..rejection }
}
