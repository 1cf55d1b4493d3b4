//! `hookport verify`: one request, offline, judged as the gateway would, with every step shown.

pub(super) mod judged;
mod shown;

use std::sync::Arc;

use clap::Args;

use self::judged::judge;
use self::shown::{Output, show, show_diagnosis};
use super::offline::{Offline, Stage};
use super::{Failure, output};
use crate::provider::diagnose::diagnose;

/// Verify and decode one request offline, and show each step; exit 0 accepted, 1 refused, 2 unusable input
#[derive(Args)]
#[command(after_help = "Examples:
  hookport verify --provider plugins/eiotclub/provider.toml --request notice.http --secret main=a1b1c1d1
  hookport verify --provider libhookport_sgate.so --request head.http --body body.json \\
      --secret api_key=env:KEY --secret system_public_key=@public.pem --url https://hooks.example.com/sgate
  hookport verify --provider provider.toml --request fixtures/a_payment.http
  hookport verify --provider provider.toml --request old.http --secret main=... --at 2025-05-01T00:05:00Z --json")]
pub(super) struct Verify {
    #[command(flatten)]
    offline: Offline,
    /// A machine-readable result
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Stage { plugin, case, source, fetched, now } = self.offline.stage()?;
        let request = Arc::new(case.request);
        let judged = judge(&source, &plugin, &request, &fetched, now);
        let diagnosis = if judged.is_unlike() { diagnose(&source, &request, now) } else { Vec::new() };
        match self.json {
            true => {
                let output = Output::of(&source, &request, &judged, diagnosis);
                output::line(serde_json::to_string(&output).map_err(Failure::refused)?)?;
            }
            false => {
                show(&source, &plugin, &request, &judged)?;
                show_diagnosis(&diagnosis)?;
            }
        }
        if judged.reason.is_none() { Ok(()) } else { Err(Failure::Said) }
    }
}
