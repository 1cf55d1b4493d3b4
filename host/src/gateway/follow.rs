//! What an operator pauses or resumes on one host holds within seconds on all that share the journal.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;

use super::core::Core;
use crate::journal::{Pausable, Paused};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Until the gateway stops; what was paused at the start holds already.
pub(super) async fn follow(core: Weak<Core>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let Some(core) = core.upgrade() else { return };
        let mut known = core.switching.lock().await;
        // A journal that is away says so elsewhere, and what was paused stays so.
        if let Ok(paused) = core.journal.paused().await {
            core.take_over(&known, &paused);
            *known = paused;
        }
    }
}

impl Core {
    /// What was done here already is done again, which changes nothing.
    fn take_over(&self, known: &[Paused], paused: &[Paused]) {
        let sources = &self.inbound.load().paused;
        for Paused { kind, name, since } in paused.iter().filter(|one| !known.contains(one)) {
            tracing::warn!("the {} {name} is paused since {since:.0}, on this host or another", kind.word());
            match kind {
                Pausable::Source => sources.pause(name),
                Pausable::Destination => self.gates.pause(name, *since),
            }
        }
        let is_in =
            |all: &[Paused], one: &Paused| all.iter().any(|other| other.kind == one.kind && other.name == one.name);
        for one in known.iter().filter(|one| !is_in(paused, one)) {
            tracing::info!("the {} {} goes on", one.kind.word(), one.name);
            match one.kind {
                Pausable::Source => sources.resume(&one.name),
                Pausable::Destination => self.gates.resume(&one.name),
            }
        }
    }
}
