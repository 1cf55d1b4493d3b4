//! What the workers of one plugin have in common: what is counted, told and known of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::wire::Held;
use crate::plugin::counters::Counters;
use crate::plugin::incident::{Ears, Incident};
use crate::throttle::Throttle;

/// Of lost workers so many lines at once, and as many again in [`TOLD`].
const LINES: u32 = 10;
/// Kinds of refused calls that are kept; a system has a few hundred.
const REFUSED: usize = 512;
/// That a worker is lost is an incident no more often.
const TOLD: Duration = Duration::from_secs(60);

pub(super) struct Desk {
    plugin: Arc<str>,
    sha256: Arc<str>,
    counters: Arc<Counters>,
    ears: Arc<Ears>,
    held: Mutex<Option<Held>>,
    refused: Mutex<BTreeSet<String>>,
    lines: Throttle,
    told: Mutex<(Option<Instant>, u64)>,
}

impl Desk {
    pub(super) fn new(plugin: &str, sha256: Arc<str>, counters: Arc<Counters>, ears: Arc<Ears>) -> Self {
        let lines = Throttle::new(LINES, TOLD);
        let (plugin, held, refused, told) = (plugin.into(), Mutex::default(), Mutex::default(), Mutex::default());
        Self { plugin, sha256, counters, ears, held, refused, lines, told }
    }

    /// A worker says what holds it in.
    pub(super) fn set_held(&self, held: Held) {
        let (plugin, mut known) = (&*self.plugin, self.held.lock().unwrap_or_else(PoisonError::into_inner));
        if known.as_ref() == Some(&held) {
            return;
        }
        match &held {
            Held { seccomp: true, landlock: true } => {
                tracing::debug!(plugin, "the plugin runs in a worker, held in by {held}");
            }
            Held { seccomp: true, landlock: false } => {
                tracing::info!(plugin, "the plugin runs in a worker, held in by {held}");
            }
            Held { seccomp: false, .. } => {
                tracing::warn!(plugin, "the plugin runs in a worker that is not filtered, held in by {held}");
            }
        }
        *known = Some(held);
    }

    /// What holds them in, as far as one was started.
    pub(super) fn held(&self) -> Option<String> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(ToString::to_string)
    }

    /// A worker was refused a call of the system. Code that only tries something goes on, and is told of once.
    pub(super) fn add_refused(&self, call: &str) {
        let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < REFUSED && known.insert(call.to_owned()) {
            let plugin = &*self.plugin;
            tracing::warn!(
                plugin,
                call,
                "the plugin's worker was refused the system call {call}: no plugin may make it"
            );
        }
    }

    /// Those, by name.
    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// A worker is gone.
    pub(super) fn lost(&self, how: &str) {
        self.counters.restart();
        if let Some(suppressed) = self.lines.pass() {
            let (plugin, sha256) = (&*self.plugin, &*self.sha256);
            tracing::error!(plugin, sha256, suppressed, "a worker of this plugin is lost: {how}");
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.1 += 1;
        if told.0.is_none_or(|last| last.elapsed() >= TOLD) {
            let losses = std::mem::take(&mut told.1);
            told.0 = Some(Instant::now());
            drop(told);
            let (plugin, sha256, how) = (self.plugin.clone(), self.sha256.clone(), how.to_owned());
            self.ears.hear(Incident::WorkerLost { plugin, sha256, how, losses });
        }
    }

    /// Behind what a call is told of a worker that ended.
    pub(super) fn signed(&self, words: &str) -> String {
        format!("{words} (plugin sha256 {})", self.sha256)
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.seccomp, self.landlock) {
            (true, true) => "seccomp and Landlock",
            (true, false) => "seccomp alone, because this kernel has no Landlock",
            (false, true) => "Landlock alone, because this kernel has no seccomp",
            (false, false) => "limits alone, because this kernel has neither seccomp nor Landlock",
        })
    }
}
