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
    /// Where it was asked how many, and there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Nothing>,
    /// For the next request, where a page was asked for and this was not the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

/// Why there is nothing to try again: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nothing {
    /// No delivery is meant.
    Unknown,
    /// None of them is in such a state.
    Otherwise,
    /// Those that are have nothing left to send.
    Erased,
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
        return count(&shared, filter, states).await.map(Json);
    }
    let retried = match filter.after {
        Some(_) => page(&shared, filter, states).await?,
        None => Retried { retried: shared.state.journal.retry(filter).await?, why: None, after: None },
    };
    tracing::info!(deliveries = retried.retried, "deliveries are tried again, asked for by the admin API");
    Ok(Json(retried))
}

async fn count(shared: &Shared, filter: DeliveryFilter, states: Vec<DeliveryState>) -> Result<Retried, Failure> {
    let journal = &shared.state.journal;
    let retried = journal.count(Counted::Retriable(filter.clone())).await?;
    let why = if retried == 0 { Some(nothing(shared, filter, states).await?) } else { None };
    Ok(Retried { retried, why, after: None })
}

async fn nothing(shared: &Shared, filter: DeliveryFilter, states: Vec<DeliveryState>) -> Result<Nothing, Failure> {
    let any = async |state: Option<DeliveryState>| {
        let filter = DeliveryFilter { state, limit: 1, ..filter.clone() };
        Ok::<_, Failure>(!shared.state.journal.deliveries(filter).await?.is_empty())
    };
    for state in states {
        if any(Some(state)).await? {
            return Ok(Nothing::Erased);
        }
    }
    Ok(if any(None).await? { Nothing::Otherwise } else { Nothing::Unknown })
}

/// What a reader finds is changed by its numbers: a filter over very many would hold up the writer. By number whatever
/// the state, so that of a key the earlier one goes first.
async fn page(shared: &Shared, filter: DeliveryFilter, states: Vec<DeliveryState>) -> Result<Retried, Failure> {
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(PAGE) };
    let mut ids = Vec::new();
    for state in states {
        let filter = DeliveryFilter { state: Some(state), limit, ..filter.clone() };
        ids.extend(shared.state.journal.deliveries(filter).await?.iter().map(|delivery| delivery.id));
    }
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(limit);
    let Some(last) = ids.last().copied() else { return Ok(Retried { retried: 0, why: None, after: None }) };
    let these = DeliveryFilter { ids, state: filter.state, ..DeliveryFilter::default() };
    Ok(Retried { retried: shared.state.journal.retry(these).await?, why: None, after: Some(last) })
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
