//! The lanes of all destinations: begun, replaced and ended one by one, so that a change of one touches no other. How a lane
//! goes is `dispatch`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::dispatch::Lane;
use super::{Destination, Means};

/// Every destination's lane; dropping them ends them.
pub struct Lanes {
    means: Means,
    /// By destination; one that was ended stays until it has.
    running: BTreeMap<Arc<str>, Running>,
}

struct Running {
    stop: watch::Sender<bool>,
    ended: JoinHandle<()>,
}

impl Lanes {
    /// None yet. The journal must stay open until they have ended.
    pub fn new(means: Means) -> Self {
        Self { means, running: BTreeMap::new() }
    }

    /// Begins a destination's lane. One that it has already ends first, so that never two deliver to it.
    pub fn begin(&mut self, destination: Destination) {
        self.running.retain(|_, lane| !lane.ended.is_finished());
        let name: Arc<str> = destination.name().into();
        let before = self.running.remove(&name);
        let (stop, stopped) = watch::channel(false);
        let (means, label) = (self.means.clone(), name.clone());
        let ended = tokio::spawn(async move {
            if let Some(before) = before {
                before.stop.send_replace(true);
                // What broke it off is in the log.
                let _ = before.ended.await;
            }
            let lane = Lane::new(destination, &means);
            if let Err(error) = tokio::spawn(lane.run(stopped)).await {
                tracing::error!(
                    destination = &*label,
                    "dispatch broke off: {error}; its deliveries wait for a restart"
                );
            }
        });
        self.running.insert(name, Running { stop, ended });
    }

    /// Ends a destination's lane: what is under way gets a few seconds, and what is not delivered waits in the journal.
    pub fn stop(&mut self, name: &str) {
        if let Some(lane) = self.running.get(name) {
            lane.stop.send_replace(true);
        }
    }

    /// Ends them all; what is under way gets a few seconds to end, the rest is given back to the journal.
    pub async fn end(self) {
        for lane in self.running.values() {
            lane.stop.send_replace(true);
        }
        for lane in self.running.into_values() {
            let _ = lane.ended.await;
        }
    }
}
