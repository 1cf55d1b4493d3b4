//! Where and how many at once checks are made: those that take long leave the async threads, keys that a request names are
//! fetched before. What a check is is [`provider`](crate::provider)'s.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::timeout;

use super::Inbound;
use crate::provider::remote::Fetched;
use crate::provider::source::Source;
use crate::provider::verify::{Verified, verify, verify_with};
use crate::reason::{Reason, Rejection};
use crate::request::Incoming;

/// More than processors, because they end in milliseconds; less than the threads that tokio would make for them.
pub(super) const PLACES: usize = 32;

impl Inbound {
    /// Checks that take long leave the async thread; keys that the request names are fetched before.
    pub(super) async fn verify(
        &self,
        source: &Arc<Source>,
        request: &Arc<Incoming>,
        now: Timestamp,
    ) -> Result<Verified, Rejection> {
        if !source.costly() {
            return verify(source, request, now);
        }
        let fetched = self.fetched(source, request).await?;
        let (checking, request) = (source.clone(), request.clone());
        self.apart(source, move || verify_with(&checking, &request, &fetched, now)).await?
    }

    /// The keys that the request names; most sources have theirs.
    async fn fetched(&self, source: &Arc<Source>, request: &Arc<Incoming>) -> Result<Fetched, Rejection> {
        if !source.fetches() {
            return Ok(Fetched::default());
        }
        let (asking, request) = (source.clone(), request.clone());
        let wanted = self.apart(source, move || asking.wants(&request)).await?;
        Ok(self.keys.fetch(wanted, source.allow_private).await)
    }

    /// Work for a source that would hold an async thread. Code that writes a provider's texts may be slow or hang: then its
    /// own requests wait for a place, and nobody else's.
    async fn apart<T: Send + 'static>(
        &self,
        source: &Source,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        let broken = |error: &dyn std::fmt::Display| {
            Rejection::new(Reason::Unavailable, format!("verification broke off: {error}"))
        };
        let own = self.decoders.get(&source.provider.id).filter(|_| source.provider.asks_code());
        let places = own.map_or(&self.checks, |decoder| &decoder.texts).clone();
        let place = timeout(self.limits.request_timeout, places.acquire_owned()).await;
        let late = |_| Rejection::new(Reason::Unavailable, "too many checks are under way");
        let place = place.map_err(late)?.map_err(|error| broken(&error))?;
        // The place is free when the work has ended, also where nobody waits for it any more.
        let work = move || (work(), drop(place)).0;
        tokio::task::spawn_blocking(work).await.map_err(|error| broken(&error))
    }
}
