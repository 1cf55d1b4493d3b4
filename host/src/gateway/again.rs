//! What is kept, looked at with what the gateway is now.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::admin::{self, Diagnosing, Judging};
use crate::clock::Clock;
use crate::config::Config;
use crate::inbound::{Inbound, is_whole};
use crate::provider::diagnose::diagnose;
use crate::request::Incoming;

/// The gateway as replays and releases need it.
pub(super) struct Again {
    clock: Clock,
    destinations: Vec<String>,
    inbound: Arc<ArcSwap<Inbound>>,
}

impl Again {
    pub(super) fn new(config: &Config, clock: &Clock, inbound: &Arc<ArcSwap<Inbound>>) -> Self {
        let destinations = config.destinations.keys().cloned().collect();
        Self { clock: clock.clone(), destinations, inbound: inbound.clone() }
    }
}

impl admin::Again for Again {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn destinations(&self) -> Vec<String> {
        self.destinations.clone()
    }

    fn refused(&self, source: Option<&str>, request: Incoming, length: u64) -> Judging {
        let (inbound, source) = (self.inbound.load_full(), source.map(str::to_owned));
        Box::pin(async move { inbound.refused_again(source.as_deref(), Arc::new(request), length).await })
    }

    fn stored(&self, source: &str, request: Arc<Incoming>) -> Judging {
        let (inbound, source) = (self.inbound.load_full(), source.to_owned());
        Box::pin(async move {
            // Who calls has an address; what a poll found has none.
            if request.peer.is_none() {
                return Err("a poll found it, and nobody signed it: it cannot be decoded again".into());
            }
            let source = inbound.source_of(Some(source.as_str()), &request)?;
            inbound.stored_again(&source, request).await
        })
    }

    fn diagnose(&self, source: Option<&str>, request: Incoming, length: u64) -> Diagnosing {
        let found = self.inbound.load().source_of(source, &request);
        Box::pin(async move {
            let Ok(source) = found else { return Vec::new() };
            if !is_whole(&request, length) || source.is_masked(&request.body) {
                return Vec::new();
            }
            let looked = move || diagnose(&source, &Arc::new(request.clone()), request.received);
            tokio::task::spawn_blocking(looked).await.unwrap_or_default()
        })
    }
}
