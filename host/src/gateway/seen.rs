//! What only a source can read or hide, for those who know no sources.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::admin::Redact;
use crate::event::{Data, Event, OWN_SOURCE};
use crate::inbound::Inbound;
use crate::outbound::Open;

/// The sources, as outbound and the admin API see them.
pub(super) struct Seen {
    pub(super) inbound: Arc<ArcSwap<Inbound>>,
}

impl Open for Seen {
    fn opens(&self, event: &Event) -> bool {
        *event.source != *OWN_SOURCE
            && self.inbound.load().sources.named(&event.source).is_none_or(|source| source.opens())
    }

    fn hides(&self, event: &Event) -> bool {
        *event.source != *OWN_SOURCE
            && self.inbound.load().sources.named(&event.source).is_none_or(|source| source.hides())
    }

    fn open(&self, event: &Event) -> (Bytes, Vec<String>) {
        let Data::Json(data) = &event.data else { return (Bytes::new(), Vec::new()) };
        match self.inbound.load().sources.named(&event.source) {
            Some(source) => source.open(data),
            None => (
                data.clone(),
                vec![format!("the source {} is not configured any more: nothing is opened", event.source)],
            ),
        }
    }
}

impl Redact for Seen {
    fn redact(&self, source: &str, data: &[u8]) -> Bytes {
        match self.inbound.load().sources.named(source) {
            Some(source) => source.shown(data),
            None if source == OWN_SOURCE => Bytes::copy_from_slice(data),
            None if source.is_empty() => {
                Bytes::from_static(b"\"[withheld: no source was found, so nobody says what to mask]\"")
            }
            None => Bytes::from_static(b"\"[withheld: the source is not configured any more]\""),
        }
    }
}
