//! `hookport transform-worker`: the process in which a destination's `transform` runs; the gateway starts and ends it.

use clap::Args;

use super::Failure;
use crate::outbound::transform;

/// Run a jq filter over documents that the gateway sends; not for people
#[derive(Args)]
#[command(name = transform::WORKER, after_help = "Examples:\n  hookport transform-worker   # the gateway starts it")]
pub(super) struct TransformWorker {}

impl TransformWorker {
    pub(super) fn run(self) -> Result<(), Failure> {
        transform::work().map_err(Failure::refused)
    }
}
