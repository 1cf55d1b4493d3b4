//! What can be noticed, and the event that says it.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::event::{Data, DedupKey, NewEvent};

/// Something that the gateway noticed about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A delivery failed for good.
    Exhausted {
        /// Its number.
        delivery: u64,
        /// Its event.
        event: Uuid,
        /// The event's type.
        kind: String,
        /// The event's source.
        source: Arc<str>,
        /// Where it should have gone.
        destination: Arc<str>,
        /// Tries, the last one included.
        attempts: u32,
        /// `gone`, `attempts` or `deadline`; `damaged` or `erased` where there was nothing to send.
        reason: &'static str,
        /// The last answer's status, where there was one.
        status: Option<u16>,
    },
    /// A destination is left alone.
    BreakerOpened {
        /// Its name.
        destination: Arc<str>,
        /// So many attempts in a row have failed.
        failures: u32,
    },
    /// A destination is well again.
    BreakerClosed {
        /// Its name.
        destination: Arc<str>,
    },
    /// A source refuses many requests, and did not in the minute before.
    RejectionsSpike {
        /// Its name.
        source: Arc<str>,
        /// So many in this minute, so far.
        refused: u64,
    },
    /// The journal could keep nothing.
    NotDurable {
        /// From when on.
        since: Timestamp,
    },
    /// It can again.
    Durable {
        /// From when on it could not.
        since: Timestamp,
    },
    /// An operator stopped something.
    Paused {
        /// `source` or `destination`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It goes on.
    Resumed {
        /// `source` or `destination`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A plugin broke again and again, and is left alone for a while.
    PluginQuarantined {
        /// The provider.
        plugin: Arc<str>,
        /// So many calls in a row.
        faults: u32,
        /// The last of them.
        last: String,
    },
    /// It is well again.
    PluginReleased {
        /// The provider.
        plugin: Arc<str>,
    },
    /// A process that a plugin ran in ended, or could not be started.
    WorkerLost {
        /// The provider.
        plugin: Arc<str>,
        /// Of the plugin's file.
        sha256: Arc<str>,
        /// How.
        how: String,
        /// So many since it was told last.
        losses: u64,
    },
}

impl Notice {
    /// Type, subject and data of its event.
    fn said(&self) -> (&'static str, Option<String>, Value) {
        match self {
            Self::Exhausted { delivery, event, kind, source, destination, attempts, reason, status } => (
                "hookport.delivery.exhausted",
                Some(destination.to_string()),
                json!({
                    "delivery": delivery, "event": event, "type": kind, "source": source, "destination": destination,
                    "attempts": attempts, "reason": reason, "status": status,
                }),
            ),
            Self::BreakerOpened { destination, failures } => (
                "hookport.breaker.opened",
                Some(destination.to_string()),
                json!({ "destination": destination, "failures": failures }),
            ),
            Self::BreakerClosed { destination } => {
                ("hookport.breaker.closed", Some(destination.to_string()), json!({ "destination": destination }))
            }
            Self::RejectionsSpike { source, refused } => (
                "hookport.rejections.spike",
                Some(source.to_string()),
                json!({ "source": source, "refused": refused, "within": "1m" }),
            ),
            Self::NotDurable { since } => ("hookport.journal.not_durable", None, json!({ "since": since })),
            Self::Durable { since } => ("hookport.journal.durable", None, json!({ "since": since })),
            Self::Paused { what, name } => {
                ("hookport.paused", Some(name.clone()), json!({ "kind": what, "name": name }))
            }
            Self::Resumed { what, name } => {
                ("hookport.resumed", Some(name.clone()), json!({ "kind": what, "name": name }))
            }
            Self::PluginQuarantined { plugin, faults, last } => (
                "hookport.plugin.quarantined",
                Some(plugin.to_string()),
                json!({ "provider": plugin, "faults": faults, "last": last }),
            ),
            Self::PluginReleased { plugin } => {
                ("hookport.plugin.released", Some(plugin.to_string()), json!({ "provider": plugin }))
            }
            Self::WorkerLost { plugin, sha256, how, losses } => (
                "hookport.plugin.worker_lost",
                Some(plugin.to_string()),
                json!({ "provider": plugin, "sha256": sha256, "how": how, "losses": losses }),
            ),
        }
    }

    pub(super) fn event(&self, now: Timestamp) -> NewEvent {
        let (kind, subject, data) = self.said();
        // Nothing repeats it: its key is new, and is forgotten soon.
        let key = DedupKey { hash: rand::random(), until: Some(now) };
        NewEvent {
            kind: kind.to_owned(),
            subject,
            time: Some(now),
            provider_id: None,
            key,
            data: Data::Json(data.to_string().into()),
            warnings: Vec::new(),
            undecoded: None,
        }
    }
}
