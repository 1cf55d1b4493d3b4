//! `/v1/deliveries`: a list, another try for those that failed for good, and an end for those that need not arrive.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use serde::Serialize;

use super::events::MOST;
use super::{Failure, Shared};
use crate::journal::{Delivery, DeliveryFilter};

/// A page of deliveries.
#[derive(Serialize)]
pub(super) struct Page {
    deliveries: Vec<Delivery>,
}

/// How many are tried again.
#[derive(Serialize)]
pub(super) struct Retried {
    retried: u64,
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

pub(super) async fn retry(
    State(shared): State<Shared>,
    filter: Result<Json<DeliveryFilter>, JsonRejection>,
) -> Result<Json<Retried>, Failure> {
    let Json(filter) = filter?;
    let retried = shared.state.journal.retry(filter).await?;
    tracing::info!(retried, "deliveries are tried again, asked for by the admin API");
    Ok(Json(Retried { retried }))
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
