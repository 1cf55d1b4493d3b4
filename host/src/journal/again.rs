//! What a replay asks of an event: planned on the caller's thread, as a new one is. What is stored is decided by an engine.

use std::sync::Arc;

use bytes::Bytes;

use super::prepare::{self, PreparedEvent};
use super::seal::Vault;
use super::{Content, Plan, Replayed};
use crate::event::{DedupKey, Event, EventState};

/// An event on its way to new deliveries.
pub(super) struct Item {
    pub(super) event: PreparedEvent,
    pub(super) change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Replaced,
    Added,
}

impl Item {
    /// Where it goes is what is said, or else what the plan says.
    pub(super) fn new(replayed: Replayed, to: &[Arc<str>], plan: &dyn Plan, vault: Option<&Vault>) -> Self {
        let Replayed { event, content } = replayed;
        let (change, key, body) = match content {
            Content::Stored => (Change::None, None, Bytes::new()),
            Content::Replaced(key, body) => (Change::Replaced, Some(key), body),
            Content::Added(key, body) => (Change::Added, Some(key), body),
        };
        // What is stored keeps its own.
        let key = key.unwrap_or(DedupKey { hash: [0; 16], until: None });
        // Whether a route wants it is asked again.
        let state = match event.state {
            EventState::Undecoded | EventState::Erased => event.state,
            EventState::Routed | EventState::Unrouted => EventState::Routed,
        };
        // Sealed, it has a key of its own and leans on nothing.
        let body = if vault.is_some() { Bytes::new() } else { body };
        let mut event = prepare::planned(Event { state, ..event }, key, &body, plan);
        if let (Some(vault), true) = (vault, change != Change::None) {
            event.seal(&vault.data_key(), Some(vault));
        }
        if !to.is_empty() && !matches!(state, EventState::Undecoded | EventState::Erased) {
            let mut warnings = Vec::new();
            let with_key = |to: &Arc<str>| (to.clone(), plan.order_key(&event.event, to, &mut warnings));
            event.to = to.iter().map(with_key).collect();
        }
        Self { event, change }
    }
}
