//! `hookport vectors`: signature vectors against the engine, one line each.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::{Failure, output};
use crate::clock::Clock;
use crate::provider::vectors::{Ran, Vector, run};

/// Run a file of signature vectors: each must verify, and each of its tampered copies must be refused
#[derive(Args)]
#[command(
    after_help = "Examples:\n  hookport vectors published.json\n  hookport vectors published.json --json | jq '.[] | select(.ok | not)'"
)]
pub(super) struct Vectors {
    /// A JSON list of vectors
    file: PathBuf,

    /// Machine-readable results
    #[arg(long)]
    json: bool,
}

impl Vectors {
    pub(super) fn run(self) -> Result<(), Failure> {
        let place = self.file.display();
        let text = std::fs::read(&self.file).map_err(|error| Failure::unusable(format!("{place}: {error}")))?;
        let vectors: Vec<Value> = serde_json::from_slice(&text)
            .map_err(|error| Failure::unusable(format!("{place}: not a list of vectors: {error}")))?;
        let now = Clock::default().now();
        let results: Vec<_> = vectors.into_iter().map(|vector| judge(vector, now)).collect();
        let failed = results.iter().filter(|result| result.failure.is_some()).count();
        if self.json {
            let rows = results.iter().map(|ran| {
                serde_json::json!({ "provider": ran.provider, "ok": ran.failure.is_none(), "refused": ran.refused, "failure": ran.failure })
            });
            output::line(Value::from_iter(rows))?;
        } else {
            for ran in &results {
                output::line(match &ran.failure {
                    None => format!("ok    {}: verified, {} tampered copies refused", ran.provider, ran.refused),
                    Some(why) => format!("FAIL  {}: {why}", ran.provider),
                })?;
            }
            output::line(format!("{} passed, {failed} failed", results.len() - failed))?;
        }
        if failed == 0 { Ok(()) } else { Err(Failure::Said) }
    }
}

/// Runs one; what cannot be read has failed, and the others go on.
fn judge(vector: Value, now: Timestamp) -> Ran {
    let provider = vector["provider"].as_str().unwrap_or("?").to_owned();
    match serde_json::from_value::<Vector>(vector) {
        Ok(vector) => run(&vector, now),
        Err(error) => Ran { provider, refused: 0, failure: Some(format!("not a vector: {error}")) },
    }
}
