//! `hookport sources`: what is configured, and an operator's word on secrets that senders told.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::client::{Client, read};
use super::group::Ask;
use super::pause::Target;
use super::{Failure, output};

/// What can be asked about sources.
#[derive(Subcommand)]
pub(super) enum Command {
    /// List sources, whether their secrets are there, and what senders told
    #[command(
        after_help = "Examples:\n  hookport sources list\n  hookport sources list --json | jq '.sources[] | select(.missing != [])'"
    )]
    List {
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
    /// Answer a source's senders 503 until it is resumed, so that they come again later
    #[command(
        after_help = "Nothing of what they send is kept but a rejection with the reason `unavailable`: a sender that does not try again, \
                      or gives up before you resume, is not heard. A pause survives restarts.\n\nExamples:\n  hookport sources pause esim"
    )]
    Pause(Target),
    /// Let a source take requests again
    #[command(after_help = "Examples:\n  hookport sources resume esim")]
    Resume(Target),
    /// Confirm a secret that a sender told in its handshake: the one that is pending, or of several the one with this fingerprint
    #[command(
        after_help = "The secret verifies at once, beside those that are configured, also after a restart. Others that were pending \
                      for it are forgotten.\n\nExamples:\n  hookport sources confirm tasks\n  hookport sources confirm notes --reveal\n  \
                      hookport sources confirm notes --secret main --fingerprint 9f86d081884c7d65"
    )]
    Confirm {
        /// The source
        name: String,
        #[command(flatten)]
        which: Which,
        /// Print its value, this once: some senders want it typed into a page of theirs
        #[arg(long)]
        reveal: bool,
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
    /// Forget what a sender told: all that is pending, or the one with this fingerprint, also when it is confirmed
    #[command(
        after_help = "Examples:\n  hookport sources discard notes\n  hookport sources discard notes --fingerprint 9f86d081884c7d65"
    )]
    Discard {
        /// The source
        name: String,
        #[command(flatten)]
        which: Which,
        /// Print the API's document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(super) struct Which {
    /// Only this secret of the source
    #[arg(long, value_name = "NAME")]
    secret: Option<String>,
    /// Only the one with this fingerprint, as `list` shows it
    #[arg(long, value_name = "F")]
    fingerprint: Option<String>,
}

/// A secret that a sender told.
#[derive(Deserialize)]
struct Capture {
    secret: String,
    fingerprint: String,
    received: Timestamp,
    peer: Option<std::net::IpAddr>,
    confirmed: Option<Timestamp>,
}

impl Capture {
    fn peer(&self) -> String {
        self.peer.map_or("-".to_owned(), |peer| peer.to_string())
    }
}

impl Ask for Command {
    fn ask(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::List { json } => list(client, json),
            Self::Pause(target) => target.pause(client, "sources"),
            Self::Resume(target) => target.resume(client, "sources"),
            Self::Confirm { name, which, reveal, json } => confirm(client, &name, &which, reveal, json),
            Self::Discard { name, which, json } => discard(client, &name, &which, json),
        }
    }
}

fn list(client: &Client, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Source {
        name: String,
        provider: String,
        path: Option<String>,
        missing: Vec<String>,
        paused: Option<Timestamp>,
        captures: Vec<Capture>,
    }
    #[derive(Deserialize)]
    struct Page {
        sources: Vec<Source>,
    }
    let Some(answer) = client.show("/v1/sources", &(), json)? else { return Ok(()) };
    let sources = read::<Page>(&answer)?.sources;
    let mut table = output::table(&["NAME", "PROVIDER", "PATH", "STATE", "PENDING"]);
    let mut told = output::table(&["SOURCE", "SECRET", "FINGERPRINT", "STATE", "RECEIVED", "FROM"]);
    for source in &sources {
        let pending = source.captures.iter().filter(|capture| capture.confirmed.is_none()).count();
        table.add_row([
            output::cell(&source.name),
            output::cell(&source.provider),
            output::cell(source.path.as_deref().unwrap_or("-")),
            match source.missing.as_slice() {
                _ if source.paused.is_some() => output::state("paused"),
                [] => output::state("ok"),
                missing => output::state(&output::plain(format_args!("missing: {}", missing.join(", ")))),
            },
            output::cell(if pending == 0 { "-".to_owned() } else { pending.to_string() }),
        ]);
        for capture in &source.captures {
            told.add_row([
                output::cell(&source.name),
                output::cell(&capture.secret),
                output::cell(&capture.fingerprint),
                output::cell(if capture.confirmed.is_some() { "confirmed" } else { "pending" }),
                output::cell(format_args!("{:.0}", capture.received)),
                output::cell(capture.peer()),
            ]);
        }
    }
    output::print(&table, "no sources")?;
    if told.is_empty() {
        return Ok(());
    }
    output::line("")?;
    output::print(&told, "")
}

fn confirm(client: &Client, name: &str, which: &Which, reveal: bool, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Confirmed {
        #[serde(flatten)]
        capture: Capture,
        others: usize,
        value: Option<String>,
    }
    let wanted = json!({ "secret": which.secret, "fingerprint": which.fingerprint, "reveal": reveal });
    let answer = client.post(&format!("/v1/sources/{name}/confirm"), &wanted)?;
    if json {
        return output::line(String::from_utf8_lossy(&answer));
    }
    let Confirmed { capture, others, value } = read(&answer)?;
    if others > 0 {
        output::say(format_args!("forgotten, because they were pending for the same secret: {others}"));
    }
    let Capture { secret, fingerprint, received, .. } = &capture;
    let done = format!("{secret} of {name} is confirmed: {fingerprint}, told by {} at {received:.0}", capture.peer());
    match value {
        Some(value) => {
            output::say(output::plain(done));
            output::line(output::plain(value))
        }
        None => output::line(output::plain(done)),
    }
}

fn discard(client: &Client, name: &str, which: &Which, json: bool) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Discarded {
        discarded: u64,
    }
    let wanted = json!({ "secret": which.secret, "fingerprint": which.fingerprint });
    let answer = client.post(&format!("/v1/sources/{name}/discard"), &wanted)?;
    let discarded = read::<Discarded>(&answer)?.discarded;
    match (json, discarded) {
        (true, _) => output::line(String::from_utf8_lossy(&answer))?,
        (false, 0) => {}
        (false, 1) => output::line("1 secret is forgotten")?,
        (false, _) => output::line(format_args!("{discarded} secrets are forgotten"))?,
    }
    match discarded {
        0 => Err(Failure::refused("the sender told none of these: nothing is forgotten")),
        _ => Ok(()),
    }
}
