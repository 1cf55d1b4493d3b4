//! `hookport plugin reload` and `rollback`: which build of a plugin a running gateway serves with.

use clap::Args;
use serde_json::json;

use crate::admin::Renewed;
use crate::cli::client::{Connection, read};
use crate::cli::{Failure, output};

/// Let a running gateway take on the plugins of its folders anew; exit 1 where a file may not serve, and say why
///
/// A new file is judged without running it, checked against the configuration, tried in a process of its own and then
/// swapped in whole: requests that are under way end with the build that they began with. Whatever fails leaves the old
/// one serving. A build that was rolled back from, or refused before, is tried again.
#[derive(Args)]
#[command(after_help = "Examples:\n  hookport plugin reload\n  hookport plugin reload acme\n  \
                        hookport plugin reload acme --json | jq '.changed[].generation'")]
pub(super) struct Reload {
    #[command(flatten)]
    connection: Connection,
    /// Only this provider's
    #[arg(value_name = "ID")]
    provider: Option<String>,
    /// Print the API's document
    #[arg(long)]
    json: bool,
}

/// Let a running gateway go back to an earlier build of a plugin, and stay with it
///
/// The gateway keeps the last builds that served. The file on disk is passed over, also after a restart, until it is
/// another one or until `hookport plugin reload`.
#[derive(Args)]
#[command(after_help = "Examples:\n  hookport plugin rollback acme\n  hookport plugin rollback acme --to 3f9a12")]
pub(super) struct Rollback {
    #[command(flatten)]
    connection: Connection,
    /// The provider's id
    #[arg(value_name = "ID")]
    provider: String,
    /// The build whose sha256 begins so [default: the one that served before]
    #[arg(long, value_name = "SHA256")]
    to: Option<String>,
    /// Print the API's document
    #[arg(long)]
    json: bool,
}

impl Reload {
    pub(super) fn run(self) -> Result<(), Failure> {
        let client = self.connection.open()?;
        let answer = client.post("/v1/plugins/reload", &json!({ "provider": self.provider }))?;
        show(&answer, self.json)
    }
}

impl Rollback {
    pub(super) fn run(self) -> Result<(), Failure> {
        let client = self.connection.open()?;
        let path = format!("/v1/plugins/{}/rollback", self.provider);
        let answer = client.post(&path, &json!({ "to": self.to }))?;
        show(&answer, self.json)
    }
}

fn show(answer: &[u8], json: bool) -> Result<(), Failure> {
    let renewed: Renewed = read(answer)?;
    let Renewed { changed, removed, refused } = &renewed;
    if json {
        output::line(String::from_utf8_lossy(answer))?;
    } else {
        changed.iter().try_for_each(|upgraded| output::line(output::plain(upgraded)))?;
        removed.iter().try_for_each(|id| output::line(output::plain(format_args!("{id} is gone"))))?;
        refused.iter().for_each(|refusal| output::say(output::plain(refusal)));
        if changed.is_empty() && removed.is_empty() && refused.is_empty() {
            output::say("nothing has changed");
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(Failure::Said) }
}
