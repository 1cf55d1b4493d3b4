//! `hookport reload`: a running gateway reads its configuration again.

use clap::Args;
use serde_json::json;

use super::client::{Connection, Unanswered, read};
use super::{Failure, output};
use crate::admin::Reloaded;

/// Let a running gateway read its configuration again; exit 1 with file, key and reason where it stays as it was
#[derive(Args)]
#[command(
    after_help = "The gateway is found by the configuration as it is written now: where that says another admin.listen or token \
                  than the running gateway has, name it with --admin and --token, or send the process SIGHUP.\n\n\
                  Examples:\n  hookport reload --dry-run\n  hookport reload\n  hookport reload --json | jq '.changes[].name'"
)]
pub(super) struct Reload {
    #[command(flatten)]
    connection: Connection,
    /// Only check, and say what would change
    #[arg(long)]
    dry_run: bool,
    /// Print the API's document
    #[arg(long)]
    json: bool,
}

impl Reload {
    pub(super) fn run(self) -> Result<(), Failure> {
        let client = self.connection.open()?;
        let answer = match client.post("/v1/reload", &json!({ "dry_run": self.dry_run })) {
            Err(Unanswered::Wrong(_, document)) if self.json => {
                output::line(String::from_utf8_lossy(&document))?;
                return Err(Failure::Said);
            }
            other => other?,
        };
        if self.json {
            return output::line(String::from_utf8_lossy(&answer));
        }
        let Reloaded { changes, warnings, .. } = read(&answer)?;
        for warning in warnings {
            output::say(output::plain(format_args!("warning: {warning}")));
        }
        for change in &changes.0 {
            output::line(output::plain(change))?;
        }
        match (changes.0.is_empty(), self.dry_run) {
            (true, _) => output::say("nothing has changed"),
            (false, true) => output::say("the configuration is right; this would change"),
            (false, false) => output::say("the configuration is in force"),
        }
        Ok(())
    }
}
