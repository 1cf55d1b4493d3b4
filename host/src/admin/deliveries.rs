//! `/v1/deliveries`: a list, another try for those that failed for good or wait for their next one, and an end for those
//! that need not arrive.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::events::MOST;
use super::{Failure, Shared};
use crate::journal::{Counted, Delivery, DeliveryFilter, DeliveryState};

/// Changed at a time where somebody goes on from page to page.
const PAGE: usize = 500;

/// A page of deliveries.
#[derive(Serialize)]
pub(super) struct Page {
    deliveries: Vec<Delivery>,
}

/// How it is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mode {
    /// Only says how many.
    #[serde(default)]
    dry_run: bool,
}

/// How many are tried again.
#[derive(Serialize)]
pub(super) struct Retried {
    retried: u64,
    /// For the next request, where a page was asked for and this was not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

/// How many are given up.
#[derive(Serialize)]
pub(super) struct Cancelled {
    cancelled: u64,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    filter: Result<Query<DeliveryFilter>, QueryRejection>,
) -> Result<Json<Page>, Failure> {
    let Query(filter) = filter?;
    let filter = DeliveryFilter { limit: filter.limit.min(MOST), ..filter };
    Ok(Json(Page { deliveries: shared.state.journal.deliveries(filter).await? }))
}

/// All at once; with `after` a page at a time, so that whoever asks can tell how far it is.
pub(super) async fn retry(
    State(shared): State<Shared>,
    mode: Result<Query<Mode>, QueryRejection>,
    filter: Result<Json<DeliveryFilter>, JsonRejection>,
) -> Result<Json<Retried>, Failure> {
    let (Query(mode), Json(filter)) = (mode?, filter?);
    let states = match filter.state {
        None => vec![DeliveryState::Exhausted, DeliveryState::Cancelled],
        Some(state @ (DeliveryState::Exhausted | DeliveryState::Cancelled | DeliveryState::Retrying)) => vec![state],
        Some(_) => {
            return Err(Failure::unusable("only exhausted, cancelled and retrying deliveries can be tried again"));
        }
    };
    if mode.dry_run {
        return count(&shared, &filter, states).await;
    }
    let retried = match filter.after {
        Some(_) => page(&shared, filter).await?,
        None => Retried { retried: shared.state.journal.retry(filter).await?, after: None },
    };
    tracing::info!(retried = retried.retried, "deliveries are tried again, asked for by the admin API");
    Ok(Json(retried))
}

async fn count(shared: &Shared, filter: &DeliveryFilter, states: Vec<DeliveryState>) -> Result<Json<Retried>, Failure> {
    let mut retried = 0;
    for state in states {
        let filter = DeliveryFilter { state: Some(state), ..filter.clone() };
        retried += shared.state.journal.count(Counted::Deliveries(filter)).await?;
    }
    Ok(Json(Retried { retried, after: None }))
}

/// What a reader finds is changed by its numbers: a filter over very many would hold up the writer.
async fn page(shared: &Shared, filter: DeliveryFilter) -> Result<Retried, Failure> {
    let state = filter
        .state
        .ok_or_else(|| Failure::unusable("with `after` say which state: exhausted, cancelled or retrying"))?;
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE) };
    let found = shared.state.journal.deliveries(DeliveryFilter { limit, ..filter }).await?;
    let ids: Vec<u64> = found.iter().map(|delivery| delivery.id).collect();
    let Some(last) = ids.last().copied() else { return Ok(Retried { retried: 0, after: None }) };
    let these = DeliveryFilter { ids, state: Some(state), ..DeliveryFilter::default() };
    Ok(Retried { retried: shared.state.journal.retry(these).await?, after: Some(last) })
}

pub(super) async fn cancel(
    State(shared): State<Shared>,
    filter: Result<Json<DeliveryFilter>, JsonRejection>,
) -> Result<Json<Cancelled>, Failure> {
    let Json(filter) = filter?;
    let cancelled = shared.state.journal.cancel(filter).await?;
    tracing::info!(cancelled, "deliveries are given up, asked for by the admin API");
    Ok(Json(Cancelled { cancelled }))
}
