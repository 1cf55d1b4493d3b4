//! Sources and destinations that an operator pauses and resumes, and how the destinations are.
//!
//! A pause is written down before it holds, so that no restart starts what an operator stopped.

use std::sync::Weak;

use axum::http::StatusCode;
use jiff::Timestamp;

use super::captures::{finished, gone};
use super::core::Core;
use crate::admin::shown::{DestinationShown, LaneShown};
use crate::admin::{Confirming, Failure, Switch};
use crate::config::resolved::Destination;
use crate::inbound::PausedSources;
use crate::journal::{Pausable, Paused};
use crate::notices::Notice;
use crate::outbound::Gates;

/// An operator's hand reaches the gateway through this.
#[derive(Clone)]
pub(super) struct Switches(pub(super) Weak<Core>);

/// What was paused when the gateway stopped is paused when it starts.
pub(super) fn restore(paused: &[Paused], gates: &Gates, sources: &PausedSources) {
    for Paused { kind, name, since } in paused {
        tracing::warn!("the {} {name} is paused since {since:.0}", kind.word());
        match kind {
            Pausable::Source => sources.pause(name),
            Pausable::Destination => gates.pause(name, *since),
        }
    }
}

impl Core {
    async fn pause_now(&self, kind: Pausable, name: &str) -> Result<Timestamp, Failure> {
        self.is_configured(kind, name).await?;
        let mut known = self.switching.lock().await;
        let since = self.journal.pause(kind, name).await?;
        known.retain(|one| one.kind != kind || one.name != name);
        known.push(Paused { kind, name: name.to_owned(), since });
        match kind {
            Pausable::Source => self.inbound.load().paused.pause(name),
            Pausable::Destination => self.gates.pause(name, since),
        }
        let notice = Notice::Paused { what: kind.word(), name: name.to_owned() };
        self.inbound.load().notices.tell(self.clock.now(), notice);
        tracing::warn!("the {} {name} is paused, asked for by the admin API", kind.word());
        Ok(since)
    }

    /// Also what is not configured any more can be resumed.
    async fn resume_now(&self, kind: Pausable, name: &str) -> Result<bool, Failure> {
        let mut known = self.switching.lock().await;
        let was_paused = self.journal.resume(kind, name).await?;
        known.retain(|one| one.kind != kind || one.name != name);
        if !was_paused {
            self.is_configured(kind, name).await?;
        }
        match kind {
            Pausable::Source => self.inbound.load().paused.resume(name),
            Pausable::Destination => self.gates.resume(name),
        }
        drop(known);
        if was_paused {
            let notice = Notice::Resumed { what: kind.word(), name: name.to_owned() };
            self.inbound.load().notices.tell(self.clock.now(), notice);
            tracing::info!("the {} {name} goes on, asked for by the admin API", kind.word());
        }
        Ok(was_paused)
    }

    async fn is_configured(&self, kind: Pausable, name: &str) -> Result<(), Failure> {
        let running = self.running.lock().await;
        let config = &running.as_ref().ok_or_else(gone)?.config;
        let found = match kind {
            Pausable::Source => config.sources.contains_key(name),
            Pausable::Destination => config.destinations.contains_key(name),
        };
        let missing = || Failure::new(StatusCode::NOT_FOUND, format!("there is no {} \"{name}\"", kind.word()));
        found.then_some(()).ok_or_else(missing)
    }

    async fn destinations(&self) -> Result<Vec<DestinationShown>, Failure> {
        let running = self.running.lock().await;
        let config = &running.as_ref().ok_or_else(gone)?.config;
        let now = self.clock.now();
        let shown = config.destinations.iter().map(|(name, destination)| {
            let (kind, rate) = match destination {
                Destination::Http(http) => ("http", http.rate),
                Destination::File { .. } => ("file", None),
                Destination::Stdout { .. } => ("stdout", None),
                Destination::Broker(broker) => (broker.to.kind(), broker.rate),
            };
            let gate = self.gates.shown(name, now);
            let lane = LaneShown {
                breaker: gate.breaker,
                since: gate.since,
                next_probe: gate.next_probe,
                paused: gate.paused,
                in_flight: gate.in_flight,
            };
            DestinationShown { name: name.clone(), kind, rate: rate.map(rate_text), lane }
        });
        Ok(shown.collect())
    }
}

/// As it is written: so many in a second, a minute or an hour.
fn rate_text(quota: governor::Quota) -> String {
    let count = quota.burst_size().get();
    let unit = match quota.replenish_interval().saturating_mul(count).as_secs_f64() {
        seconds if seconds < 2.0 => "s",
        seconds if seconds < 61.0 => "m",
        _ => "h",
    };
    format!("{count}/{unit}")
}

/// What is begun is finished, also when whoever asked hangs up.
impl Switch for Switches {
    fn pause(&self, kind: Pausable, name: String) -> Confirming<Timestamp> {
        let core = self.0.upgrade();
        finished(async move { core.ok_or_else(gone)?.pause_now(kind, &name).await })
    }

    fn resume(&self, kind: Pausable, name: String) -> Confirming<bool> {
        let core = self.0.upgrade();
        finished(async move { core.ok_or_else(gone)?.resume_now(kind, &name).await })
    }

    fn destinations(&self) -> Confirming<Vec<DestinationShown>> {
        let core = self.0.upgrade();
        Box::pin(async move { core.ok_or_else(gone)?.destinations().await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::units::Rate;

    #[test]
    fn a_rate_is_shown_as_it_is_written() {
        use serde::de::IntoDeserializer;
        for text in ["50/s", "1/s", "3/s", "30/m", "7/m", "1000/h", "1/h"] {
            let text_of = IntoDeserializer::<serde::de::value::Error>::into_deserializer(text);
            let rate: Rate = serde::Deserialize::deserialize(text_of).unwrap();
            assert_eq!(rate_text(rate.0), text);
        }
    }
}
