//! `/v1/reload`: the configuration is read again, and taken on or only compared.

use std::pin::Pin;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};

use super::{Failure, Shared};
use crate::config::Difference;
use crate::provider::complaint::Complaint;

/// A configuration that was read again and is right.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// Whether it was only compared.
    pub dry_run: bool,
    /// What is other than before.
    pub changes: Difference,
    /// What is allowed and yet worth a look.
    pub warnings: Vec<String>,
}

/// A reload that is under way; everything that is wrong leaves the configuration as it was.
pub type Reloading = Pin<Box<dyn Future<Output = Result<Reloaded, Vec<Complaint>>> + Send>>;

/// Reads the configuration again; the gateway knows from where.
pub trait Reload: Send + Sync + 'static {
    /// Takes it on, or only says what would change.
    fn reload(&self, dry_run: bool) -> Reloading;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    dry_run: bool,
}

/// A body is not needed.
pub(super) async fn reload(
    State(shared): State<Shared>,
    wanted: Result<Option<Json<Wanted>>, JsonRejection>,
) -> Result<Json<Reloaded>, Failure> {
    let dry_run = wanted?.is_some_and(|Json(wanted)| wanted.dry_run);
    shared.state.reload.reload(dry_run).await.map(Json).map_err(|wrong| Failure::complaints(wrong, dry_run))
}
