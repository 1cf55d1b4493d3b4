//! Results as views, handed to the host's sink.

use abi_stable::std_types::RSlice;

use super::table::Outlet;
use super::view::{Bytes, EventView, PlanHeader, PlanView};
use super::{code, has};
use crate::operation::RequestPlan;

/// An event before it is a view.
pub(crate) struct EventParts<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) data: Option<&'a str>,
    pub(crate) warnings: &'a [String],
}

impl Outlet<'_> {
    pub(crate) fn event(&self, event: &EventParts<'_>) -> u32 {
        let flag = |text: Option<&str>, bit| if text.is_some() { bit } else { 0 };
        let warnings: Vec<Bytes<'_>> = event.warnings.iter().map(|warning| bytes(warning)).collect();
        let view = EventView {
            has: flag(event.kind, has::KIND) | flag(event.subject, has::SUBJECT) | flag(event.data, has::DATA),
            kind: bytes(event.kind.unwrap_or_default()),
            subject: bytes(event.subject.unwrap_or_default()),
            data: bytes(event.data.unwrap_or_default()),
            warnings: RSlice::from_slice(&warnings),
            attributes: RSlice::EMPTY,
        };
        self.sink.event()(self.context, &view)
    }

    pub(crate) fn warn(&self, text: &str) {
        self.sink.warn()(self.context, bytes(text));
    }

    pub(super) fn plan(&self, plan: &RequestPlan) -> Result<(), String> {
        let headers: Vec<PlanHeader<'_>> =
            plan.headers.iter().map(|(name, value)| PlanHeader { name: bytes(name), value: bytes(value) }).collect();
        let view = PlanView {
            has: if plan.timeout_s.is_some() { has::TIMEOUT } else { 0 },
            timeout_s: plan.timeout_s.unwrap_or_default(),
            method: bytes(&plan.method),
            url: bytes(&plan.url),
            headers: RSlice::from_slice(&headers),
            body: RSlice::from_slice(&plan.body),
            attributes: RSlice::EMPTY,
        };
        taken(self.sink.plan()(self.context, &view))
    }

    pub(super) fn outcome(&self, outcome: u32, text: &str, number: u64) -> Result<(), String> {
        taken(self.sink.outcome()(self.context, outcome, bytes(text), number))
    }

    /// A host that asks for a text has where to put it.
    pub(super) fn text(&self, text: &[u8]) -> Result<(), String> {
        let Some(push) = self.sink.text() else { return Err("this host takes no signed texts".into()) };
        match push(self.context, RSlice::from_slice(text)) {
            code::OK => Ok(()),
            _ => Err("the host does not take this text".into()),
        }
    }

    pub(crate) fn error(&self, message: &str, place: &str) {
        self.sink.error()(self.context, bytes(message), bytes(place));
    }
}

fn taken(answer: u32) -> Result<(), String> {
    if answer == code::OK { Ok(()) } else { Err("the host takes no more of this operation".into()) }
}

fn bytes(text: &str) -> Bytes<'_> {
    RSlice::from_slice(text.as_bytes())
}
