//! The host's tables as gateways one minor version older and newer than this one have them: shorter, and longer. The conformance
//! kit gives them to plugins, which must do with what is there and leave alone what they do not know.

// The derive writes unsafe impls, and accessors of every field that plugins use and we do not.
#![allow(unsafe_code, missing_docs, dead_code, unreachable_pub)]

use abi_stable::StableAbi;
use abi_stable::prefix_type::WithMetadata;
use hookport_plugin_api::abi::{Bytes, Context, EventView, PlanView, code};

use super::entry::{error, event, log, log_enabled, outcome, plan, text, warn};

/// The sink of 1.0.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = OlderSinkRef, prefix_fields = OlderSinkPrefix)))]
#[sabi(missing_field(option))]
pub struct OlderSink {
    pub event: for<'a, 'b> extern "C" fn(Context, &'b EventView<'a>) -> u32,
    pub warn: for<'a> extern "C" fn(Context, Bytes<'a>) -> u32,
    pub plan: for<'a, 'b> extern "C" fn(Context, &'b PlanView<'a>) -> u32,
    pub outcome: for<'a> extern "C" fn(Context, u32, Bytes<'a>, u64) -> u32,
    #[sabi(last_prefix_field)]
    pub error: for<'a> extern "C" fn(Context, Bytes<'a>, Bytes<'a>) -> u32,
}

/// Ours with one place more.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = NewerSinkRef, prefix_fields = NewerSinkPrefix)))]
#[sabi(missing_field(option))]
pub struct NewerSink {
    pub event: for<'a, 'b> extern "C" fn(Context, &'b EventView<'a>) -> u32,
    pub warn: for<'a> extern "C" fn(Context, Bytes<'a>) -> u32,
    pub plan: for<'a, 'b> extern "C" fn(Context, &'b PlanView<'a>) -> u32,
    pub outcome: for<'a> extern "C" fn(Context, u32, Bytes<'a>, u64) -> u32,
    #[sabi(last_prefix_field)]
    pub error: for<'a> extern "C" fn(Context, Bytes<'a>, Bytes<'a>) -> u32,
    pub text: for<'a> extern "C" fn(Context, Bytes<'a>) -> u32,
    pub later: extern "C" fn(Context) -> u32,
}

/// Ours with one service more.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = NewerHostRef, prefix_fields = NewerHostPrefix)))]
#[sabi(missing_field(option))]
pub struct NewerHost {
    pub log_enabled: extern "C" fn(usize, u32) -> u32,
    #[sabi(last_prefix_field)]
    pub log: for<'a> extern "C" fn(usize, u32, Bytes<'a>, Bytes<'a>),
    pub later: extern "C" fn(Context) -> u32,
}

extern "C" fn later(_: Context) -> u32 {
    code::ABSENT
}

pub(super) const OLDER_SINK: &WithMetadata<OlderSink> =
    &WithMetadata::new(OlderSink { event, warn, plan, outcome, error });
pub(super) const NEWER_SINK: &WithMetadata<NewerSink> =
    &WithMetadata::new(NewerSink { event, warn, plan, outcome, error, text, later });
pub(super) const NEWER_HOST: &WithMetadata<NewerHost> = &WithMetadata::new(NewerHost { log_enabled, log, later });
