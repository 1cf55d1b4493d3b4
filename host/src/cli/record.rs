//! `hookport record`: a real delivery becomes a fixture, without anything that is secret.

mod clean;
mod listen;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use serde::Deserialize;

use self::clean::{clean, signed};
use super::client::{Connection, read};
use super::offline::fixture::{Fixture, keys};
use super::plugin::fixture;
use super::request::Request;
use super::verify::judged::judge;
use super::{Failure, output, pair};
use crate::case::{self, Case};
use crate::clock::Clock;
use crate::gateway::Plugin;
use crate::plugin::load;
use crate::provider::ack::Outcome;
use crate::provider::remote::Fetched;
use crate::provider::source::{Source, SourceParts};
use crate::request::Incoming;

/// Record a real delivery as a fixture: redacted by the description and signed anew with test keys
///
/// It listens for one request and answers it as the description says, or takes one that a running gateway has kept. Of the
/// request only what the description reads is written: headers and query parameters that it does not name go, fields under
/// `redact` are masked, and the provider's signature gives way to one of the test keys of fixtures/source.toml and
/// fixtures/keys. With --secret the request is verified first, and a forged one is not recorded.
#[derive(Args)]
#[command(
    group(ArgGroup::new("where").required(true).args(["listen", "request", "rejection", "event"])),
    after_help = "Examples:
  hookport record acme --listen 0.0.0.0:8088 --secret main=env:ACME_SECRET
  hookport record acme --request delivery.http
  hookport record acme --rejection 17 --config /etc/hookport.toml"
)]
pub(super) struct Record {
    /// A folder with a provider.toml, that file, or a plugin (.so)
    provider: PathBuf,
    /// Wait here for a request of the provider
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Take a request from a file
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Take the request of a rejection that the running gateway keeps
    #[arg(long, value_name = "NUMBER")]
    rejection: Option<u64>,
    /// Take the request of an event that the running gateway keeps
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// The provider's real secret, to verify with; VALUE may be @FILE or env:NAME. It is never written
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<String>,
    /// Where it is written [default: fixtures/ beside the provider]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The fixture's name [default: made of the event's type]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Record {
    pub(super) fn run(self) -> Result<(), Failure> {
        let description = self.provider.join("provider.toml");
        let file = if self.provider.is_dir() { description } else { self.provider.clone() };
        let plugin = Plugin::compile(load(&file).map_err(Failure::unusable)?).map_err(Failure::unusable)?;
        let beside = file.parent().unwrap_or(Path::new("")).join("fixtures");
        let folder = self.out.clone().unwrap_or(beside);
        let real = self.real(&plugin)?;
        let request = self.captured(&plugin, real.as_ref())?;
        let text = written(&plugin, &folder, &request, real.as_ref())?;
        let name = self.name.clone().unwrap_or_else(|| name(&text));
        let place = free(&folder, &name)?;
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&place, &text))
            .map_err(|error| Failure::refused(format!("{}: cannot be written: {error}", place.display())))?;
        output::say("read it before you publish it: fields that the description does not redact are as they came");
        output::line(place.display())
    }

    /// The source that the provider knows; none where its secrets are not told.
    fn real(&self, plugin: &Plugin) -> Result<Option<Source>, Failure> {
        if self.secrets.is_empty() {
            return Ok(None);
        }
        let mut parts = SourceParts::default();
        for written in &self.secrets {
            let (name, value) = pair::split("--secret", written)?;
            parts.secrets.entry(name.to_owned()).or_default().push(pair::secret(name, value)?);
        }
        let source = Source::build("recorded", plugin.provider.clone(), parts);
        source.map(Some).map_err(|wrong| Failure::unusable(wrong.join("; ")))
    }

    fn captured(&self, plugin: &Plugin, real: Option<&Source>) -> Result<Incoming, Failure> {
        let request = match (&self.listen, &self.request, self.rejection, &self.event) {
            (Some(address), ..) => return listened(*address, plugin, real),
            (_, Some(file), ..) => parse(file)?,
            (.., Some(number), _) => self.kept(&format!("/v1/rejections/{number}"))?,
            (.., Some(id)) => self.kept(&format!("/v1/events/{id}"))?,
            _ => return Err(Failure::unusable("--listen, --request, --rejection or --event")),
        };
        // What a gateway shows has its signature masked: it cannot prove itself any more.
        if let (Some(real), Some(_)) = (real, &self.request) {
            proven(plugin, real, &request)?;
        }
        Ok(request)
    }

    /// As the running gateway shows it, masked.
    fn kept(&self, path: &str) -> Result<Incoming, Failure> {
        #[derive(Deserialize)]
        struct Detail {
            request: Option<Request>,
        }
        let answer = self.connection.clone().open()?.get(path, &())?;
        let request = read::<Detail>(&answer)?.request;
        request.ok_or_else(|| Failure::refused("the request itself was not kept"))?.whole()
    }
}

fn parse(file: &Path) -> Result<Incoming, Failure> {
    let wrong = |error: String| Failure::unusable(format!("{}: {error}", file.display()));
    let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    Ok(Case::parse(&text).map_err(wrong)?.request)
}

fn proven(plugin: &Plugin, real: &Source, request: &Incoming) -> Result<(), Failure> {
    let now = Clock::default().now();
    match judge(real, plugin, &Arc::new(request.clone()), &Fetched::default(), now).reason {
        None => Ok(()),
        Some(rejection) => Err(Failure::refused(format!("not recorded: {}: {}", rejection.reason, rejection.detail))),
    }
}

/// The first request that is not refused.
fn listened(address: SocketAddr, plugin: &Plugin, real: Option<&Source>) -> Result<Incoming, Failure> {
    let answer = |request: &Incoming| {
        let now = Clock::default().now();
        let Some(real) = real else { return (listen::welcome(), true) };
        let judged = judge(real, plugin, &Arc::new(request.clone()), &Fetched::default(), now);
        match judged.reason {
            None => (real.ack(Outcome::Accepted, request, now), true),
            Some(rejection) => {
                output::say(format_args!("not recorded: {}: {}", rejection.reason, rejection.detail));
                (judged.ack, false)
            }
        }
    };
    listen::first(address, answer)
}

/// The fixture's text.
fn written(plugin: &Plugin, folder: &Path, request: &Incoming, real: Option<&Source>) -> Result<Vec<u8>, Failure> {
    let refused = |error: String| Failure::refused(format!("not recorded: {error}"));
    let beside = folder.join("recorded.http");
    let Fixture { at, parts, .. } = Fixture::beside(&beside, &empty(request)?).map_err(Failure::unusable)?;
    let now = at.unwrap_or_else(|| Clock::default().now());
    let source = Source::build("case", plugin.provider.clone(), parts).map_err(|wrong| {
        let source = folder.join("source.toml");
        Failure::unusable(format!("{}: test secrets are needed: {}", source.display(), wrong.join("; ")))
    })?;
    let cleaned = clean(&source, request);
    let request = signed(&source, request, cleaned, &keys(&beside), now).map_err(refused)?;
    let text = fixture::text(plugin, &source, &empty(&request)?, request, now).map_err(refused)?;
    match real.and_then(|real| clean::leaks(real, &text)) {
        Some(name) => Err(refused(format!("the secret {name} is in what would be written: it came in a field"))),
        None => Ok(text),
    }
}

/// A case that expects nothing yet.
fn empty(request: &Incoming) -> Result<Case, Failure> {
    Case::parse(&case::write(request)).map_err(|error| Failure::refused(format!("not recorded: {error}")))
}

/// What came of it, as a claim.
fn name(text: &[u8]) -> String {
    let case = Case::parse(text).ok();
    let event = case.as_ref().and_then(|case| serde_json::from_slice::<serde_json::Value>(case.section("event")?).ok());
    let kind = event.as_ref().and_then(|event| event["type"].as_str()).unwrap_or("request");
    let word: String =
        kind.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    format!("a_recorded_{word}")
}

/// A file that is not there yet.
fn free(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Err(Failure::unusable(format!("--name {name:?} is not a name: letters, digits, - and _ only")));
    }
    let numbered = (2..1_000).map(|number| format!("{name}_{number}"));
    let mut places = std::iter::once(name.to_owned()).chain(numbered).map(|name| folder.join(format!("{name}.http")));
    places.find(|place| !place.exists()).ok_or_else(|| Failure::refused(format!("{name}: is there a thousand times")))
}
