//! `/v1/plugins`: what is loaded and what lies on disk; taken anew, or back to an earlier build.

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Failure, Shared};
use crate::plugin::Ask;
use crate::provider::complaint::Complaint;

/// What a reload of the plugins did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Renewed {
    /// What serves otherwise from now on.
    pub changed: Vec<Upgraded>,
    /// Providers that are gone.
    pub removed: Vec<String>,
    /// Files that may not serve; what served before goes on.
    pub refused: Vec<Refusal>,
}

/// A provider whose next generation serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upgraded {
    /// Its id.
    pub provider: String,
    /// The version before; it may be the same. A new provider has none.
    pub from: Option<String>,
    /// The version that serves.
    pub version: String,
    /// Its number.
    pub generation: u32,
    /// Of its file.
    pub sha256: String,
}

/// A file that may not serve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refusal {
    /// Of which provider, where that can be told.
    pub provider: Option<String>,
    /// The file.
    pub file: PathBuf,
    /// Its version, where that can be told.
    pub version: Option<String>,
    /// Why.
    pub reason: String,
    /// The version that serves on.
    pub serving: Option<String>,
}

/// A change of the plugins that is under way.
pub type Renewing = Pin<Box<dyn Future<Output = Result<Renewed, Vec<Complaint>>> + Send>>;

/// Exchanges plugins; the gateway knows them.
pub trait Renew: Send + Sync + 'static {
    /// Takes on what is asked for; what cannot be taken on stays as it is.
    fn renew(&self, ask: Ask) -> Renewing;
}

/// Which plugins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    provider: Option<String>,
}

/// Which build.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    to: Option<String>,
}

pub(super) async fn list(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({ "plugins": &*shared.state.plugins }))
}

/// A body is not needed.
pub(super) async fn reload(
    State(shared): State<Shared>,
    wanted: Result<Option<Json<Wanted>>, JsonRejection>,
) -> Result<Json<Renewed>, Failure> {
    let provider = wanted?.and_then(|Json(wanted)| wanted.provider);
    let ask = provider.map_or(Ask::All, Ask::One);
    shared.state.renew.renew(ask).await.map(Json).map_err(Failure::plugins)
}

pub(super) async fn rollback(
    State(shared): State<Shared>,
    Path(provider): Path<String>,
    wanted: Result<Option<Json<Back>>, JsonRejection>,
) -> Result<Json<Renewed>, Failure> {
    let to = wanted?.and_then(|Json(back)| back.to);
    shared.state.renew.renew(Ask::Back(provider, to)).await.map(Json).map_err(Failure::plugins)
}

impl fmt::Display for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, from, version, generation, sha256 } = self;
        let sha256 = sha256.get(..12).unwrap_or(sha256);
        match from {
            Some(from) => write!(f, "{provider} {from} -> {version}, generation {generation} ({sha256})"),
            None => write!(f, "{provider} {version} is new, generation {generation} ({sha256})"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, file, version, reason, serving } = self;
        match provider {
            Some(provider) => write!(
                f,
                "{provider}: on disk {} refused: ",
                version.as_deref().unwrap_or("a file of no known version")
            )?,
            None => write!(f, "{} refused: ", file.display())?,
        }
        f.write_str(reason)?;
        serving.as_ref().map_or(Ok(()), |serving| write!(f, "; serving {serving}"))
    }
}
