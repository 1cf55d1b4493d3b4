//! One request from a file, and the source that options make: what `verify` and `sign` have in common.
//!
//! Beside a provider's cases a `source.toml` says what no option says.

pub(super) mod fixture;

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use self::fixture::Fixture;
use super::{Failure, pair};
use crate::case::Case;
use crate::clock::Clock;
use crate::gateway::Plugin;
use crate::plugin::load;
use crate::provider::remote::Fetched;
use crate::provider::source::Source;
use crate::provider::view::PublicUrl;

/// A provider, a request, and what an operator would have configured.
#[derive(Args)]
pub(super) struct Offline {
    /// A plugin (.so), a provider.toml, or the id of a provider that is built in
    #[arg(long, value_name = "FILE")]
    provider: PathBuf,
    /// The request: request line, headers, blank line, body; a source.toml beside it gives defaults
    #[arg(long, value_name = "FILE")]
    pub(super) request: PathBuf,
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
    /// What is at a URL, for keys that a request names by URL: offline nothing is fetched
    #[arg(long = "fetched", value_name = "URL=FILE")]
    fetched: Vec<String>,
    /// The time of it all [default: now]
    #[arg(long, value_name = "RFC3339")]
    at: Option<Timestamp>,
}

/// Everything that is judged or signed.
pub(super) struct Stage {
    pub(super) plugin: Plugin,
    /// The file, with the body that is given beside it.
    pub(super) case: Case,
    pub(super) source: Source,
    /// What comes of the URLs of keys.
    pub(super) fetched: Fetched,
    pub(super) now: Timestamp,
}

impl Offline {
    pub(super) fn stage(&self) -> Result<Stage, Failure> {
        let plugin = Plugin::compile(load(&self.provider).map_err(Failure::unusable)?).map_err(Failure::unusable)?;
        let mut case = self.case()?;
        let mut fixture = Fixture::beside(&self.request, &case).map_err(Failure::unusable)?;
        let now = self.at.or(fixture.at).unwrap_or_else(|| Clock::default().now());
        (case.request.peer, case.request.received) = (fixture.peer, now);
        let fetched = self.fetched(std::mem::take(&mut fixture.fetched))?;
        let source = self.source(&plugin, &case, fixture)?;
        Ok(Stage { plugin, case, source, fetched, now })
    }

    fn case(&self) -> Result<Case, Failure> {
        let unusable = |error| Failure::unusable(format!("{}: {error}", self.request.display()));
        let mut case = Case::parse(&read(&self.request)?).map_err(unusable)?;
        if let Some(file) = &self.body {
            case.request.body = read(file)?.into();
        }
        Ok(case)
    }

    fn fetched(&self, mut fetched: Fetched) -> Result<Fetched, Failure> {
        for written in &self.fetched {
            // A query has `=` of its own.
            let (url, file) =
                written.rsplit_once('=').ok_or_else(|| Failure::unusable("--fetched is written --fetched URL=FILE"))?;
            fetched = fetched.with(url.to_owned(), Ok(read(Path::new(file))?.into()));
        }
        Ok(fetched)
    }

    /// What options name replaces what the fixture has of that name.
    fn source(&self, plugin: &Plugin, case: &Case, fixture: Fixture) -> Result<Source, Failure> {
        let mut parts = fixture.parts;
        let secrets = self.secrets.iter().map(|written| pair::split("--secret", written));
        let secrets = secrets.collect::<Result<Vec<_>, _>>()?;
        secrets.iter().for_each(|(name, _)| drop(parts.secrets.remove(*name)));
        for (name, value) in secrets {
            parts.secrets.entry(name.to_owned()).or_default().push(pair::secret(name, value)?);
        }
        for written in &self.settings {
            let (name, value) = pair::split("--setting", written)?;
            let rule = plugin.provider.description.settings.get(name);
            parts.settings.insert(name.to_owned(), pair::setting(name, value, rule)?);
        }
        let urls = self.urls.iter().map(|url| public_url(url, case)).collect::<Result<Vec<_>, _>>()?;
        if !urls.is_empty() {
            parts.public_urls = urls;
        }
        // Offline the request itself says where the source is.
        parts.path = Some(case.request.path().to_owned());
        Source::build("verify", plugin.provider.clone(), parts).map_err(|wrong| {
            let option = |line: &String| {
                format!("--{}", line.replacen("secrets.", "secret ", 1).replacen("settings.", "setting ", 1))
            };
            Failure::unusable(wrong.iter().map(option).collect::<Vec<_>>().join("\n"))
        })
    }
}

/// The whole URL of the request, with or without its query, or what stands in front of its path.
fn public_url(url: &str, case: &Case) -> Result<PublicUrl, Failure> {
    let request = &case.request;
    let whole = url.strip_suffix(request.target.as_str()).or_else(|| url.strip_suffix(request.path()));
    let base = whole.filter(|base| base.contains("://") && !base.ends_with('/')).unwrap_or(url);
    PublicUrl::parse(base).map_err(|error| Failure::unusable(format!("--url: {error}")))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| Failure::unusable(format!("{}: {error}", file.display())))
}
