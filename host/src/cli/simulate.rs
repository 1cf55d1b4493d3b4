//! `hookport simulate`: plays a provider. A sample is signed by the declared scheme run backwards and sent to the gateway.

pub(super) mod play;
mod way;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use url::Url;

use self::play::{Play, Verdict};
use self::way::Way;
use super::configuration::Configuration;
use super::{Failure, output, pair};
use crate::clock::Clock;
use crate::gateway::{self, Plugin};
use crate::net::Answer;
use crate::provider::complaint::did_you_mean;
use crate::provider::sign::{PrivateKeys, Tamper};
use crate::provider::source::Source;
use crate::provider::sources::Sources;
use crate::request::Incoming;

/// Play a provider: sign one of its samples with the source's own secrets and send it to the running gateway
///
/// The time is now and the event's id is new, so that each play is a new event; --repeat keeps the sample's own id, which
/// the gateway acknowledges again and delivers once. Exit 0 if the provider would see its request accepted; with --tamper,
/// if it would see it refused.
#[derive(Args)]
#[command(after_help = "Examples:
  hookport simulate esim
  hookport simulate esim a_refund_is_accepted --repeat
  hookport simulate bank --key system_public_key=system_private.pem
  hookport simulate esim my_case.http --to https://hooks.example.com --json
  hookport simulate esim --to https://gateway.internal:8443 --ca ca.pem
  hookport simulate esim --tamper signature")]
pub(super) struct Simulate {
    /// The source, as the configuration names it
    source: String,
    /// A case that came with the provider, or a .http file [default: the first that is accepted]
    case: Option<String>,
    /// The gateway [default: server.listen of the configuration, over TLS and with a PROXY header as it asks for]
    #[arg(long, value_name = "URL")]
    to: Option<Url>,
    /// Trust these authorities, PEM [default: the certificate of server.tls at the gateway's own listener, else browsers']
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// For an asymmetric scheme: the private key that belongs to the source's public key NAME
    #[arg(long = "key", value_name = "NAME=FILE")]
    keys: Vec<String>,
    /// Change one thing behind the signature's back; the gateway must refuse it
    #[arg(long)]
    tamper: Option<What>,
    /// Keep the sample's own id instead of making a new event
    #[arg(long)]
    repeat: bool,
    /// A machine-readable result
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

/// What is changed.
#[derive(Clone, Copy, ValueEnum)]
enum What {
    Body,
    Signature,
    Timestamp,
}

impl From<What> for Tamper {
    fn from(what: What) -> Self {
        match what {
            What::Body => Self::Body,
            What::Signature => Self::Signature,
            What::Timestamp => Self::Timestamp,
        }
    }
}

impl Simulate {
    pub(super) fn run(self) -> Result<(), Failure> {
        let keys = self.keys.iter().map(|written| pair::key(written)).collect::<Result<PrivateKeys, _>>()?;
        let (config, plugins) = self.configuration.resolve()?;
        let sources = gateway::sources(&config, &plugins).map_err(|wrong| Failure::complaints(&wrong))?;
        let source = self.source(&sources)?;
        let plugin = &plugins.by_id[&*source.provider.id];
        let way = Way::find(self.to.as_ref(), self.ca.as_deref(), &config.server)?;
        let to = play::base(&way.to, source);
        let (name, case) = self.case(plugin)?;
        let now = Clock::default().now();
        // Two plays at one moment are of two processes.
        let seed = format!("{}-{}", now.as_nanosecond(), std::process::id());
        let play = Play { source, case: &case, keys: &keys, seed: (!self.repeat).then_some(seed.as_str()) };
        let request = play.request(self.tamper.map(Tamper::from), now).map_err(Failure::unusable)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::refused)?;
        let answer = runtime.block_on(play::send(&way.client, &to, &request)).map_err(|error| way.blocked(&error))?;
        let verdict = play::judge(source, &request, &answer, now);
        match self.json {
            true => output::line(self.json(&name, &to, source, &request, &answer, verdict))?,
            false => self.show(&name, &to, source, &request, &answer, verdict)?,
        }
        match (verdict, self.tamper) {
            (Verdict::Accepted, None) | (Verdict::Refused, Some(_)) => Ok(()),
            _ => Err(Failure::Said),
        }
    }

    fn source<'s>(&self, sources: &'s Sources) -> Result<&'s Source, Failure> {
        let names: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
        let Some(source) = sources.named(&self.source) else {
            let near = did_you_mean(&self.source, names.iter().copied());
            let names = if names.is_empty() { "none".into() } else { names.join(", ") };
            return Err(Failure::unusable(format!("no source is called {:?}; there is {names}{near}", self.source)));
        };
        match source.path {
            Some(_) => Ok(source),
            None => Err(Failure::unusable(format!("{:?} is only called and never calls: try `call`", self.source))),
        }
    }

    fn case(&self, plugin: &Plugin) -> Result<(String, crate::case::Case), Failure> {
        match &self.case {
            Some(name) if name.ends_with(".http") || name.contains('/') => play::file(&PathBuf::from(name)),
            Some(name) => play::named(plugin, name),
            None => play::first(plugin),
        }
        .map_err(Failure::unusable)
    }

    fn show(
        &self,
        name: &str,
        to: &str,
        source: &Source,
        request: &Incoming,
        answer: &Answer,
        verdict: Verdict,
    ) -> Result<(), Failure> {
        let field = |name: &str, text: &str| output::line(format!("{name:<9} {}", output::plain(text)));
        field("case", name)?;
        field("request", &format!("{} {to}{}", request.method, hidden(source, &request.target)))?;
        for (name, value) in &request.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            field("", &format!("{name}: {}", hidden(source, &value)))?;
        }
        field("body", &body(source, &request.body))?;
        field("status", answer.status.as_str())?;
        field("ack", &String::from_utf8_lossy(&answer.body))?;
        let verdict = match (verdict, self.tamper.is_some()) {
            (Verdict::Accepted, false) => "accepted, in the provider's own words",
            (Verdict::Accepted, true) => "accepted, and it should have been refused",
            (Verdict::Refused, true) => "refused, as it must be",
            (Verdict::Refused, false) => "refused; `hookport rejections list` says why",
            (Verdict::Unavailable, _) => {
                "asked to come again later: the source is paused or over its rate or the journal cannot be written; \
                 `hookport sources list` and the log say which"
            }
            (Verdict::Unexpected, _) => "neither the provider's own ack nor a refusal",
        };
        field("verdict", verdict)
    }

    fn json(
        &self,
        name: &str,
        to: &str,
        source: &Source,
        request: &Incoming,
        answer: &Answer,
        verdict: Verdict,
    ) -> Value {
        json!({
            "source": self.source,
            "case": name,
            "request": {
                "method": request.method,
                "url": format!("{to}{}", hidden(source, &request.target)),
                "headers": headers(&request.headers, |value| hidden(source, value)),
                "body": body(source, &request.body),
            },
            "answer": {
                "status": answer.status.as_u16(),
                "headers": headers(&answer.headers, str::to_owned),
                "body": String::from_utf8_lossy(&answer.body),
            },
            "verdict": verdict.word(),
        })
    }
}

fn headers(headers: &hyper::HeaderMap, show: impl Fn(&str) -> String) -> Map<String, Value> {
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.to_string(), show(&String::from_utf8_lossy(value.as_bytes())).into())
    };
    headers.iter().map(header).collect()
}

/// What the description redacts is masked, and secrets are names.
fn body(source: &Source, body: &[u8]) -> String {
    hidden(source, &String::from_utf8_lossy(&source.redact(body)))
}

fn hidden(source: &Source, text: &str) -> String {
    let mut shown = text.to_owned();
    for (name, secret) in source.secrets() {
        shown = shown.replace(secret.expose_secret(), &format!("<secret:{name}>"));
    }
    shown
}
