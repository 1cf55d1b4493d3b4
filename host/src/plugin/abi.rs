//! The border between host and plugin, as the host sees it: the calls of a loaded plugin, and everything of `abi_stable`.
//!
//! What is unsafe about it is in [`entry`]. What a plugin hands over is judged in [`super::output`]; whether its file may be
//! loaded was decided before, without running it. The rules of the border are in `hookport_plugin_api::abi`.

mod entry;
mod tables;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use abi_stable::std_types::{RSlice, RStr};
use hookport_plugin_api::Header;
use hookport_plugin_api::abi::{
    AnswerView, Attribute, CallView, Context, HeaderView, Outlet, PluginRef, RequestView, SinkRef, attribute, code, has,
};
use hookport_plugin_api::identity::flag;
use hyper::header::HeaderMap;

pub(super) use self::entry::{glibc, open, open_with};
use super::lines::Speaker;
use super::output::Output;
use super::{Answer, DecodeRequest, DecodedEvent, Fault, FaultKind, OpResult, RequestPlan, TextRequest};

/// The code of one loaded plugin. It stays loaded when this is dropped.
pub struct Native {
    table: PluginRef,
    /// Where its results go.
    sink: SinkRef,
    speaker: Arc<Speaker>,
    flags: u16,
    ended: AtomicBool,
}

impl Native {
    /// The provider's id.
    pub(super) fn id(&self) -> &str {
        self.speaker.plugin()
    }

    /// Whether the plugin has a decoder.
    pub fn decodes(&self) -> bool {
        self.flags & flag::DECODE != 0
    }

    /// Whether the plugin has both functions of operations.
    pub fn operates(&self) -> bool {
        self.flags & flag::OP_BUILD != 0 && self.flags & flag::OP_PARSE != 0
    }

    /// The events of a request; at least one.
    pub fn decode(&self, request: &DecodeRequest<'_>) -> Result<Vec<DecodedEvent>, Fault> {
        let headers = received(request.headers);
        let view = RequestView {
            method: request.method.into(),
            target: request.target.into(),
            headers: headers.as_slice().into(),
            body: request.body.into(),
            document: request.document.into(),
            declared_type: request.declared_type.into(),
            declared_subject: request.declared_subject.unwrap_or_default().into(),
            received_unix_ms: request.received.as_millisecond(),
            has: if request.declared_subject.is_some() { has::SUBJECT } else { 0 },
            attributes: RSlice::EMPTY,
        };
        let (answer, output) = self.call(|outlet| self.table.decode()(&view, outlet));
        output.into_events(answer)
    }

    /// The text that the signature of a request is over; never empty.
    pub fn canonicalize(&self, request: &TextRequest<'_>) -> Result<Vec<u8>, Fault> {
        let canonicalize = self.table.canonicalize().ok_or_else(|| Fault::new(FaultKind::Absent, "canonicalize"))?;
        let headers = received(request.headers);
        let mut attributes = vec![given(attribute::TEXT, request.name), given(attribute::SETTINGS, request.settings)];
        attributes.extend(request.url.map(|url| given(attribute::URL, url)));
        let view = RequestView {
            method: request.method.into(),
            target: request.target.into(),
            headers: headers.as_slice().into(),
            body: request.body.into(),
            document: RStr::empty(),
            declared_type: RStr::empty(),
            declared_subject: RStr::empty(),
            received_unix_ms: 0,
            has: 0,
            attributes: attributes.as_slice().into(),
        };
        let (answer, output) = self.call(|outlet| canonicalize(&view, outlet));
        output.into_text(answer, request.body.len())
    }

    /// The requests of an operation. Input and settings are JSON.
    pub fn op_build(&self, operation: &str, input: &str, settings: &str) -> Result<Vec<RequestPlan>, Fault> {
        let build = self.table.op_build().ok_or_else(|| Fault::new(FaultKind::Absent, "op_build"))?;
        let view = call_view(operation, input, settings);
        let (answer, output) = self.call(|outlet| build(&view, outlet));
        output.into_plans(answer)
    }

    /// What the answers so far mean, in the order of the plans.
    pub fn op_parse(
        &self,
        operation: &str,
        input: &str,
        settings: &str,
        answers: &[Answer<'_>],
    ) -> Result<OpResult, Fault> {
        let parse = self.table.op_parse().ok_or_else(|| Fault::new(FaultKind::Absent, "op_parse"))?;
        let view = call_view(operation, input, settings);
        let headers: Vec<Vec<HeaderView<'_>>> = answers.iter().map(|answer| header_views(&answer.headers)).collect();
        let answers: Vec<AnswerView<'_>> =
            answers.iter().zip(&headers).map(|(answer, headers)| answer_view(answer, headers)).collect();
        let (answer, output) = self.call(|outlet| parse(&view, &answers.as_slice().into(), outlet));
        output.into_result(answer)
    }

    /// Tells the plugin that no call comes any more; once.
    pub fn quiesce(&self) {
        if !self.ended.swap(true, Ordering::AcqRel)
            && let Some(quiesce) = self.table.quiesce()
            && quiesce() != code::OK
        {
            tracing::warn!(plugin = self.id(), "the plugin did not end as it should");
        }
    }

    fn call(&self, call: impl FnOnce(&Outlet<'_>) -> u32) -> (u32, Output) {
        if self.ended.load(Ordering::Acquire) {
            return (code::ABSENT, Output::default());
        }
        let output = Mutex::new(Output::default());
        let context: Context = std::ptr::from_ref(&output).cast_mut().cast();
        let answer = call(&Outlet::new(self.sink, context));
        (answer, output.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").field("id", &self.id()).field("flags", &self.flags).finish_non_exhaustive()
    }
}

fn given(key: u32, text: &str) -> Attribute<'_> {
    Attribute { key, value: RSlice::from_slice(text.as_bytes()) }
}

fn received(headers: &HeaderMap) -> Vec<HeaderView<'_>> {
    let views = headers.iter();
    views.map(|(name, value)| HeaderView { name: name.as_str().into(), value: value.as_bytes().into() }).collect()
}

fn call_view<'a>(operation: &'a str, input: &'a str, settings: &'a str) -> CallView<'a> {
    CallView { operation: operation.into(), input: input.into(), settings: settings.into(), attributes: RSlice::EMPTY }
}

fn header_views<'a>(headers: &'a [Header<'a>]) -> Vec<HeaderView<'a>> {
    headers.iter().map(|header| HeaderView { name: header.name.into(), value: header.value.into() }).collect()
}

fn answer_view<'a>(answer: &'a Answer<'a>, headers: &'a [HeaderView<'a>]) -> AnswerView<'a> {
    AnswerView {
        status: answer.status.into(),
        has: if answer.error.is_some() { has::ERROR } else { 0 },
        headers: headers.into(),
        body: (*answer.body).into(),
        error: RStr::from_str(answer.error.as_deref().unwrap_or_default()),
        attributes: RSlice::EMPTY,
    }
}
