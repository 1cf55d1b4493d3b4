//! What is known of each destination's lane, by its name: whether it is paused, and its breaker. A lane that is replaced
//! finds it as the one before left it.
//!
//! Lanes ask here before they begin anything; operators pause, resume and look.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::breaker::{self, Breaker, Health, Turn};
use crate::config::resolved;
use crate::metrics::AttemptMeter;

/// All gates, by the names of destinations.
#[derive(Debug, Default)]
pub struct Gates(Mutex<HashMap<Arc<str>, Arc<Gate>>>);

/// What a lane passes before every attempt.
#[derive(Debug)]
pub(super) struct Gate {
    inner: Mutex<Inner>,
    in_flight: AtomicUsize,
    /// What is counted of its attempts.
    meter: Arc<AttemptMeter>,
    /// Told when an operator, or the end of an attempt, opens or closes it.
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    breaker: Breaker,
    /// When the breaker turned last.
    turned: Option<Timestamp>,
    paused: Option<Timestamp>,
}

/// Whether attempts may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// As many as there is room for.
    Any,
    /// One, to see whether the destination is well again.
    Probe,
    /// None before this time, or before the gate is changed.
    Shut(Option<Instant>),
}

/// A gate, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateShown {
    /// `closed`, `open`, or `half_open`: one delivery is tried next.
    pub breaker: &'static str,
    /// When the breaker turned last.
    pub since: Option<Timestamp>,
    /// When an open breaker lets a delivery try.
    pub next_probe: Option<Timestamp>,
    /// Since when it is paused, if it is.
    pub paused: Option<Timestamp>,
    /// Attempts under way.
    pub in_flight: usize,
}

impl Gates {
    pub(super) fn gate(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match gates.get(name) {
            Some(gate) => gate.clone(),
            None => gates.entry(name.into()).or_default().clone(),
        }
    }

    /// From now on nothing is begun for this destination; what is under way ends.
    pub fn pause(&self, name: &str, since: Timestamp) {
        self.gate(name).set_paused(Some(since));
    }

    /// Its deliveries go on.
    pub fn resume(&self, name: &str) {
        self.gate(name).set_paused(None);
    }

    /// What is counted of a destination's attempts.
    pub fn meter(&self, name: &str) -> Arc<AttemptMeter> {
        self.gate(name).meter.clone()
    }

    /// How a destination's lane is.
    pub fn shown(&self, name: &str, now: Timestamp) -> GateShown {
        self.gate(name).shown(now, Instant::now())
    }
}

impl Default for Gate {
    fn default() -> Self {
        let inner = Inner { breaker: Breaker::new(None), turned: None, paused: None };
        let (in_flight, meter) = (AtomicUsize::new(0), Arc::default());
        Self { inner: Mutex::new(inner), in_flight, meter, changed: Notify::new() }
    }
}

impl Gate {
    /// The breaker goes on by another policy.
    pub(super) fn follow(&self, policy: Option<resolved::Breaker>) {
        self.inner().breaker.follow(policy);
    }

    pub(super) fn passage(&self, now: Instant) -> Passage {
        let inner = self.inner();
        if inner.paused.is_some() {
            return Passage::Shut(None);
        }
        match inner.breaker.allows(now) {
            breaker::Allowed::Any => Passage::Any,
            breaker::Allowed::Probe => Passage::Probe,
            breaker::Allowed::Until(until) => Passage::Shut(Some(until)),
            breaker::Allowed::Probing => Passage::Shut(None),
        }
    }

    /// The attempt that was let through as a probe begins.
    pub(super) fn probe(&self) {
        self.inner().breaker.probe();
    }

    /// An attempt ended.
    pub(super) fn ended(&self, health: Health, was_probe: bool, now: Timestamp) -> Option<Turn> {
        let mut inner = self.inner();
        let turn = inner.breaker.ended(health, was_probe, Instant::now());
        if matches!(turn, Some(Turn::Opened { .. } | Turn::Closed)) {
            inner.turned = Some(now);
        }
        drop(inner);
        // A lane that took over from the one whose attempt this was waits for its end.
        if was_probe || turn.is_some() {
            self.changed.notify_one();
        }
        turn
    }

    pub(super) fn meter(&self) -> &Arc<AttemptMeter> {
        &self.meter
    }

    pub(super) fn set_in_flight(&self, count: usize) {
        self.in_flight.store(count, Ordering::Relaxed);
    }

    /// Waits until an operator has paused or resumed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn set_paused(&self, paused: Option<Timestamp>) {
        self.inner().paused = paused;
        self.changed.notify_one();
    }

    fn shown(&self, now: Timestamp, instant: Instant) -> GateShown {
        let inner = self.inner();
        let (breaker, next_probe) = match inner.breaker.allows(instant) {
            breaker::Allowed::Any => ("closed", None),
            breaker::Allowed::Probe | breaker::Allowed::Probing => ("half_open", None),
            breaker::Allowed::Until(until) => {
                let wait = SignedDuration::try_from(until.saturating_duration_since(instant)).unwrap_or_default();
                ("open", now.checked_add(wait).ok())
            }
        };
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        GateShown { breaker, since: inner.turned, next_probe, paused: inner.paused, in_flight }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
