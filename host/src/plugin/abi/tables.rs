//! The host's tables as gateways one minor version older and newer than this one have them: shorter, and longer. The conformance
//! kit gives them to plugins, which must do with what is there and leave alone what they do not know.

// The derive writes unsafe impls, and accessors of every field that plugins use and we do not; and a table of one length is
// handed over in another's place.
#![allow(unsafe_code, missing_docs, dead_code, unreachable_pub)]

use abi_stable::StableAbi;
use abi_stable::prefix_type::WithMetadata;
use hookport_plugin_api::abi::{Bytes, Context, EventView, HostRef, PlanView, SinkRef, code};

use super::entry::{HOST, SINK, error, event, log, log_enabled, outcome, plan, text, warn};
use crate::plugin::policy::Tables;

/// What a plugin is given.
pub(super) fn of(tables: Tables) -> (HostRef, SinkRef) {
    match tables {
        Tables::Ours => (HOST, SINK),
        // Between 1.0 and 1.1 the host's services stayed as they were.
        Tables::Older => (HOST, older_sink()),
        Tables::Newer => (newer_host(), newer_sink()),
    }
}

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

fn older_sink() -> SinkRef {
    const TABLE: &WithMetadata<OlderSink> = &WithMetadata::new(OlderSink { event, warn, plan, outcome, error });
    // SAFETY: both tables begin with the same members, and the accessors of what may be missing ask the table itself.
    SinkRef(unsafe { TABLE.static_as_prefix().cast() })
}

fn newer_sink() -> SinkRef {
    const TABLE: &WithMetadata<NewerSink> =
        &WithMetadata::new(NewerSink { event, warn, plan, outcome, error, text, later });
    // SAFETY: ours is the beginning of it.
    SinkRef(unsafe { TABLE.static_as_prefix().cast() })
}

fn newer_host() -> HostRef {
    const TABLE: &WithMetadata<NewerHost> = &WithMetadata::new(NewerHost { log_enabled, log, later });
    // SAFETY: ours is the beginning of it.
    HostRef(unsafe { TABLE.static_as_prefix().cast() })
}
