//! Secrets that senders told: what an operator confirms is added to its source, at once and after every start.

use std::sync::{Arc, Weak};

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use super::Plugins;
use super::core::{Core, Running};
use crate::admin::{Confirm, Confirmed, Confirming, Failure};
use crate::config::Config;
use crate::journal::{Capture, CaptureFilter, JournalError};
use crate::provider::compile::Provider;
use crate::provider::source::{Source, SourceParts};
use crate::provider::sources::Sources;

/// An operator's word reaches the gateway through this.
#[derive(Clone)]
pub(super) struct Captures(pub(super) Weak<Core>);

/// Every source, with what is confirmed of it. That they can be made was checked before.
pub(super) fn sources(config: &Config, plugins: &Plugins, captures: &[Capture]) -> Sources {
    let confirmed: Vec<_> = captures.iter().filter(|capture| capture.confirmed.is_some()).cloned().collect();
    let made = config.sources.keys().filter_map(|name| Configured::find(name, config, plugins)?.make(&confirmed));
    // Their paths were told apart when the configuration was checked.
    Sources::new(made.collect()).unwrap_or_default()
}

/// What a source is made of.
struct Configured<'a> {
    name: &'a str,
    provider: &'a Arc<Provider>,
    parts: &'a SourceParts,
}

impl Core {
    /// Makes the sources anew with what is confirmed.
    async fn reload_captures(&self, running: &Running) -> Result<(), JournalError> {
        let sources = sources(&running.config, &running.plugins, &self.journal.captures().await?);
        self.inbound.store(Arc::new(self.inbound.load().with_sources(Arc::new(sources))));
        Ok(())
    }

    async fn confirm_now(&self, which: CaptureFilter) -> Result<Confirmed, Failure> {
        let running = self.running.lock().await;
        let running = running.as_ref().ok_or_else(gone)?;
        let configured = running.configured(&which.source)?;
        let mut captures = self.journal.captures().await?;
        captures.retain(|capture| capture.confirmed.is_none() && capture.source == which.source);
        let named = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let meant: Vec<_> = captures
            .iter()
            .filter(|capture| {
                named(&which.secret, &capture.secret) && named(&which.fingerprint, &capture.fingerprint())
            })
            .collect();
        let nothing = || Failure::new(StatusCode::NOT_FOUND, "no such secret is pending for this source");
        let pending = *meant.first().ok_or_else(nothing)?;
        // Anybody can tell one, and be the last who did.
        if meant.len() > 1 {
            let message =
                format!("{} secrets are pending: say which by its fingerprint, as the list shows it", meant.len());
            return Err(Failure::new(StatusCode::CONFLICT, message));
        }
        configured.with(std::slice::from_ref(pending)).map_err(|wrong| {
            Failure::new(StatusCode::CONFLICT, format!("what the sender told is no key: {}", wrong.join("; ")))
        })?;
        // By its name, so that it is the one that was tried.
        let (secret, fingerprint) = (Some(pending.secret.clone()), Some(pending.fingerprint()));
        let which = CaptureFilter { source: which.source, secret, fingerprint };
        let capture = self.journal.confirm(which).await?.ok_or_else(nothing)?;
        self.reload_captures(running).await?;
        let (source, secret, fingerprint) = (&*capture.source, &*capture.secret, capture.fingerprint());
        tracing::info!(source, secret, fingerprint, "a secret that its sender told is confirmed");
        let others = captures.iter().filter(|other| other.secret == capture.secret).count() - 1;
        Ok(Confirmed { capture, others })
    }

    async fn discard_now(&self, which: CaptureFilter) -> Result<u64, Failure> {
        let running = self.running.lock().await;
        let running = running.as_ref().ok_or_else(gone)?;
        running.configured(&which.source)?;
        let source = which.source.clone();
        let discarded = self.journal.discard(which).await?;
        self.reload_captures(running).await?;
        tracing::info!(source, discarded, "secrets that a sender told are forgotten");
        Ok(discarded)
    }
}

impl Running {
    fn configured<'a>(&'a self, source: &'a str) -> Result<Configured<'a>, Failure> {
        let found = Configured::find(source, &self.config, &self.plugins);
        found.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("there is no source \"{source}\"")))
    }
}

impl<'a> Configured<'a> {
    fn find(name: &'a str, config: &'a Config, plugins: &'a Plugins) -> Option<Self> {
        let source = config.sources.get(name)?;
        Some(Self { name, provider: &plugins.by_id.get(&source.provider)?.provider, parts: &source.parts })
    }

    /// The source with what is confirmed of it; as configured where that is no key any more.
    fn make(&self, confirmed: &[Capture]) -> Option<Source> {
        self.with(confirmed)
            .or_else(|wrong| {
                let source = self.name;
                tracing::error!(source, "what its sender told is no key and is left out: {}", wrong.join("; "));
                self.with(&[])
            })
            .ok()
    }

    fn with(&self, captures: &[Capture]) -> Result<Source, Vec<String>> {
        let mut parts = self.parts.clone();
        for capture in captures.iter().filter(|capture| capture.source == self.name) {
            if !self.provider.description.secrets.contains_key(&capture.secret) {
                continue;
            }
            let values = parts.secrets.entry(capture.secret.clone()).or_default();
            let same = |value: &SecretString| value.expose_secret() == capture.value.expose_secret();
            if !values.iter().any(same) {
                values.push(capture.value.clone());
            }
        }
        Source::build(self.name, self.provider.clone(), parts)
    }
}

/// What is begun is finished, also when whoever asked hangs up.
impl Confirm for Captures {
    fn confirm(&self, which: CaptureFilter) -> Confirming<Confirmed> {
        let core = self.0.upgrade();
        finished(async move { core.ok_or_else(gone)?.confirm_now(which).await })
    }

    fn discard(&self, which: CaptureFilter) -> Confirming<u64> {
        let core = self.0.upgrade();
        finished(async move { core.ok_or_else(gone)?.discard_now(which).await })
    }
}

pub(super) fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Confirming<T> {
    let task = tokio::spawn(work);
    Box::pin(async move {
        let broken = |error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, format!("it broke off: {error}"));
        task.await.unwrap_or_else(|error| Err(broken(error)))
    })
}

pub(super) fn gone() -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is ending")
}
