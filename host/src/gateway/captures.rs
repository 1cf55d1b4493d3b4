//! Secrets that senders told: what an operator confirms is added to its source, at once and after every start.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::Plugins;
use crate::admin::{Confirm, Confirmed, Confirming, Failure};
use crate::config::Config;
use crate::journal::{Capture, CaptureFilter, Journal, JournalError};
use crate::provider::compile::Provider;
use crate::provider::source::{Source, SourceParts};
use crate::provider::sources::Sources;

/// What every source is made of, and where the made ones are.
#[derive(Clone)]
pub(super) struct Captures {
    configured: Arc<[Configured]>,
    sources: Arc<ArcSwap<Sources>>,
    journal: Arc<dyn Journal>,
    /// One change at a time.
    turn: Arc<Mutex<()>>,
}

struct Configured {
    name: String,
    provider: Arc<Provider>,
    parts: SourceParts,
}

impl Captures {
    pub(super) fn new(
        config: &Config,
        plugins: &Plugins,
        sources: Arc<ArcSwap<Sources>>,
        journal: Arc<dyn Journal>,
    ) -> Self {
        let configured = config.sources.iter().filter_map(|(name, source)| {
            let provider = plugins.by_id.get(&source.provider)?.provider.clone();
            Some(Configured { name: name.clone(), provider, parts: source.parts.clone() })
        });
        Self { configured: configured.collect(), sources, journal, turn: Arc::default() }
    }

    /// Makes the sources anew with what is confirmed.
    pub(super) async fn load(&self) -> Result<(), JournalError> {
        let captures = self.journal.captures().await?;
        let confirmed: Vec<_> = captures.into_iter().filter(|capture| capture.confirmed.is_some()).collect();
        let made = self.configured.iter().filter_map(|configured| configured.make(&confirmed));
        // Their paths were told apart when the configuration was checked.
        if let Ok(sources) = Sources::new(made.collect()) {
            self.sources.store(Arc::new(sources));
        }
        Ok(())
    }

    async fn confirm_now(&self, which: CaptureFilter) -> Result<Confirmed, Failure> {
        let _turn = self.turn.lock().await;
        let configured = self.configured(&which.source)?;
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
        self.load().await?;
        let (source, secret, fingerprint) = (&*capture.source, &*capture.secret, capture.fingerprint());
        tracing::info!(source, secret, fingerprint, "a secret that its sender told is confirmed");
        let others = captures.iter().filter(|other| other.secret == capture.secret).count() - 1;
        Ok(Confirmed { capture, others })
    }

    async fn discard_now(&self, which: CaptureFilter) -> Result<u64, Failure> {
        let _turn = self.turn.lock().await;
        self.configured(&which.source)?;
        let source = which.source.clone();
        let discarded = self.journal.discard(which).await?;
        self.load().await?;
        tracing::info!(source, discarded, "secrets that a sender told are forgotten");
        Ok(discarded)
    }

    fn configured(&self, source: &str) -> Result<&Configured, Failure> {
        let found = self.configured.iter().find(|configured| configured.name == source);
        found.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("there is no source \"{source}\"")))
    }
}

impl Configured {
    /// The source with what is confirmed of it; as configured where that is no key any more.
    fn make(&self, confirmed: &[Capture]) -> Option<Source> {
        self.with(confirmed)
            .or_else(|wrong| {
                let source = &*self.name;
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
        Source::build(&self.name, self.provider.clone(), parts)
    }
}

/// What is begun is finished, also when whoever asked hangs up.
impl Confirm for Captures {
    fn confirm(&self, which: CaptureFilter) -> Confirming<Confirmed> {
        let captures = self.clone();
        finished(async move { captures.confirm_now(which).await })
    }

    fn discard(&self, which: CaptureFilter) -> Confirming<u64> {
        let captures = self.clone();
        finished(async move { captures.discard_now(which).await })
    }
}

fn finished<T: Send + 'static>(work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Confirming<T> {
    let task = tokio::spawn(work);
    Box::pin(async move {
        let broken = |error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, format!("it broke off: {error}"));
        task.await.unwrap_or_else(|error| Err(broken(error)))
    })
}
