//! `hookport verify`: one request, offline, judged as the gateway would, with every step shown.

mod shown;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use hookport_plugin_api::description::{SettingKind, SettingValue};
use hyper::header::{ALLOW, HeaderValue};
use jiff::Timestamp;
use secrecy::SecretString;
use uuid::{ContextV7, Uuid};

use self::shown::{Output, show};
use super::{Failure, output};
use crate::case::Case;
use crate::clock::Clock;
use crate::event::Event;
use crate::gateway::Plugin;
use crate::inbound::{self, Decoder};
use crate::plugin::load;
use crate::provider::ack::{Ack, Outcome};
use crate::provider::prove::Try;
use crate::provider::source::{Source, SourceParts};
use crate::provider::verify::{Verified, trace};
use crate::provider::view::PublicUrl;
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// Verify and decode one request offline, and show each step; exit 0 accepted, 1 refused, 2 unusable input
#[derive(Args)]
#[command(after_help = "Examples:
  hookport verify --provider plugins/eiotclub/provider.toml --request notice.http --secret main=a1b1c1d1
  hookport verify --provider libhookport_sgate.so --request head.http --body body.json \\
      --secret api_key=env:KEY --secret system_public_key=@public.pem --url https://hooks.example.com/sgate
  hookport verify --provider provider.toml --request old.http --secret main=... --at 2025-05-01T00:05:00Z --json")]
pub(super) struct Verify {
    /// A plugin (.so) or a provider.toml
    #[arg(long, value_name = "FILE")]
    provider: PathBuf,
    /// The request: request line, headers, blank line, body
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// The body, where it is not in the request file
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A secret of the description; VALUE may be @FILE or env:NAME; twice the same NAME means any of both
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<String>,
    /// A setting of the description
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    settings: Vec<String>,
    /// The URL that the provider was given, for senders that sign it; several are tried
    #[arg(long = "url", value_name = "URL")]
    urls: Vec<String>,
    /// When the request arrived [default: now]
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
    /// A machine-readable result
    #[arg(long)]
    json: bool,
}

/// What came of it.
struct Judged {
    tries: Vec<Try>,
    verified_by: Option<usize>,
    reason: Option<Rejection>,
    events: Vec<Event>,
    ack: Ack,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let plugin = load(&self.provider).map_err(Failure::unusable)?;
        let plugin = Plugin::compile(plugin).map_err(Failure::unusable)?;
        let request = Arc::new(self.read_request()?);
        let source = self.source(&plugin, &request)?;
        let now = self.at.unwrap_or_else(|| Clock::default().now());
        let judged = judge(&source, &plugin, &request, now);
        match self.json {
            true => {
                output::line(serde_json::to_string(&Output::of(&source, &request, &judged)).map_err(Failure::refused)?)?
            }
            false => show(&source, &plugin, &request, &judged)?,
        }
        if judged.reason.is_none() { Ok(()) } else { Err(Failure::Said) }
    }

    fn read_request(&self) -> Result<Incoming, Failure> {
        let text = read(&self.request)?;
        let unusable = |error| Failure::unusable(format!("{}: {error}", self.request.display()));
        let mut request = Case::parse(&text).map_err(unusable)?.request;
        if let Some(file) = &self.body {
            request.body = read(file)?.into();
        }
        Ok(request)
    }

    fn source(&self, plugin: &Plugin, request: &Incoming) -> Result<Source, Failure> {
        let mut parts = SourceParts::default();
        for pair in &self.secrets {
            let (name, value) = split("--secret", pair)?;
            parts.secrets.entry(name.to_owned()).or_default().push(secret(value)?);
        }
        for pair in &self.settings {
            let (name, value) = split("--setting", pair)?;
            let kind = plugin.provider.description.settings.get(name).map(|setting| setting.kind);
            let wrong = || Failure::unusable(format!("--setting {name}: {value:?} is not what the setting holds"));
            let value = match kind.unwrap_or_default() {
                SettingKind::String => SettingValue::String(value.to_owned()),
                SettingKind::Bool => SettingValue::Bool(value.parse().map_err(|_| wrong())?),
                SettingKind::Int => SettingValue::Int(value.parse().map_err(|_| wrong())?),
            };
            parts.settings.insert(name.to_owned(), value);
        }
        for url in &self.urls {
            // The whole URL of the request, with or without its query, or what stands in front of its path.
            let whole = url.strip_suffix(request.target.as_str()).or_else(|| url.strip_suffix(request.path()));
            let base = whole.filter(|base| base.contains("://") && !base.ends_with('/')).unwrap_or(url);
            parts
                .public_urls
                .push(PublicUrl::parse(base).map_err(|error| Failure::unusable(format!("--url: {error}")))?);
        }
        Source::build("verify", plugin.provider.clone(), parts).map_err(|wrong| {
            let hint = |line: &String| {
                format!("--{}", line.replacen("secrets.", "secret ", 1).replacen("settings.", "setting ", 1))
            };
            Failure::unusable(wrong.iter().map(hint).collect::<Vec<_>>().join("\n"))
        })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::unusable(format!("{}: {error}", file.display())))
}

fn split<'p>(option: &str, pair: &'p str) -> Result<(&'p str, &'p str), Failure> {
    pair.split_once('=').ok_or_else(|| Failure::unusable(format!("{option} is written {option} NAME=VALUE")))
}

/// `@FILE`, `env:NAME` or the value itself; of a file one newline at its end is not part of it.
fn secret(value: &str) -> Result<SecretString, Failure> {
    let text = match (value.strip_prefix('@'), value.strip_prefix("env:")) {
        (Some(file), _) => {
            let bytes = read(Path::new(file))?;
            let text = String::from_utf8(bytes).map_err(|_| Failure::unusable(format!("{file}: not text")))?;
            text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text).to_owned()).unwrap_or(text)
        }
        (None, Some(name)) => {
            std::env::var(name).map_err(|_| Failure::unusable(format!("the environment variable {name} is not set")))?
        }
        (None, None) => value.to_owned(),
    };
    Ok(text.into())
}

fn judge(source: &Source, plugin: &Plugin, request: &Arc<Incoming>, now: Timestamp) -> Judged {
    let methods = source.methods();
    let (tries, result) = match methods.contains(&request.method) {
        true => trace(source, request, now),
        false => {
            (Vec::new(), Err(Rejection::new(Reason::Method, format!("the provider calls with {}", methods.join(", ")))))
        }
    };
    let verified_by = result.as_ref().ok().and_then(|verified| verified.by);
    let (reason, outcome, events) = match result {
        Err(rejection) => {
            let outcome = inbound::outcome(rejection.reason);
            (Some(rejection), outcome, Vec::new())
        }
        Ok(Verified { stale: Some(rejection), .. }) => (Some(rejection), Outcome::Rejected, Vec::new()),
        Ok(verified) => {
            let malformed = verified.malformed.clone().map(|what| Rejection::new(Reason::Malformed, what));
            let outcome = if malformed.is_some() { Outcome::Malformed } else { Outcome::Accepted };
            (malformed, outcome, events(source, plugin, verified, now))
        }
    };
    let ack = match &reason {
        Some(Rejection { reason: Reason::Method, .. }) => not_allowed(methods),
        _ => source.ack(outcome, request, now),
    };
    Judged { tries, verified_by, reason, events, ack }
}

/// The host's own answer to a method that the source does not take.
fn not_allowed(methods: &[String]) -> Ack {
    let allow = HeaderValue::from_str(&methods.join(", ")).map(|value| (ALLOW, value));
    Ack { status: 405, headers: allow.into_iter().collect(), body: Bytes::new() }
}

fn events(source: &Source, plugin: &Plugin, verified: Verified, now: Timestamp) -> Vec<Event> {
    let file = plugin.file.display().to_string();
    let decoder = plugin.native.clone().map(|native| Decoder { native, file: file.into() });
    let ids = ContextV7::new();
    let stamp = || uuid::Timestamp::from_unix(&ids, now.as_second().try_into().unwrap_or_default(), 0);
    let (events, ..) = inbound::events(source, decoder.as_ref(), verified);
    let event = |new: crate::event::NewEvent| {
        let mut event =
            new.into_event(source.name.clone(), source.provider.id.clone(), source.provider.version.clone(), now);
        event.id = Uuid::new_v7(stamp());
        event
    };
    events.into_iter().map(event).collect()
}
