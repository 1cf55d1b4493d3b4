//! `pause` and `resume` of sources and destinations.

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, read};
use super::{Failure, output};

/// What is paused or resumed, and how it is told.
#[derive(Args)]
pub(super) struct Target {
    /// Its name
    name: String,
    /// Print the API's document
    #[arg(long)]
    json: bool,
}

impl Target {
    /// `what` is `sources` or `destinations`.
    pub(super) fn pause(&self, client: &Client, what: &str) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Paused {
            paused: Timestamp,
        }
        let answer = client.post(&format!("/v1/{what}/{}/pause", self.name), &json!({}))?;
        if self.json {
            return output::line(String::from_utf8_lossy(&answer));
        }
        let Paused { paused } = read(&answer)?;
        output::line(output::plain(format_args!("{} is paused since {paused:.0}", self.name)))
    }

    pub(super) fn resume(&self, client: &Client, what: &str) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Resumed {
            resumed: bool,
        }
        let answer = client.post(&format!("/v1/{what}/{}/resume", self.name), &json!({}))?;
        if self.json {
            return output::line(String::from_utf8_lossy(&answer));
        }
        let said = if read::<Resumed>(&answer)?.resumed { "goes on" } else { "was not paused" };
        output::line(output::plain(format_args!("{} {said}", self.name)))
    }
}
