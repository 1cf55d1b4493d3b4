//! Tables of functions: what a plugin offers, what a host offers, and where results go. They grow at their end, and what was
//! added after 1.0 may be missing in the other side's.

// The derive writes unsafe impls, and accessors of every field; the fields are documented.
#![allow(unsafe_code, missing_docs)]

use std::marker::PhantomData;

use abi_stable::library::RootModule;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::RSlice;
use abi_stable::{StableAbi, declare_root_module_statics, package_version_strings};

use super::view::{AnswerViews, Attributes, Bytes, CallView, EventView, PlanView, RequestView};

/// The host's own business: what a table's functions get back as they gave it.
pub type Context = *mut core::ffi::c_void;

/// Where results go. Grows at its end.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = SinkRef, prefix_fields = SinkPrefix)))]
#[sabi(missing_field(option))]
pub struct Sink {
    /// One event.
    pub event: for<'a, 'b> extern "C" fn(Context, &'b EventView<'a>) -> u32,
    /// A warning on the event before, or on the first.
    pub warn: for<'a> extern "C" fn(Context, Bytes<'a>) -> u32,
    /// One HTTP request to make.
    pub plan: for<'a, 'b> extern "C" fn(Context, &'b PlanView<'a>) -> u32,
    /// How an operation ended: see `outcome`; a text and a number.
    pub outcome: for<'a> extern "C" fn(Context, u32, Bytes<'a>, u64) -> u32,
    /// Why a function fails: message and place in the code.
    #[sabi(last_prefix_field)]
    pub error: for<'a> extern "C" fn(Context, Bytes<'a>, Bytes<'a>) -> u32,
    /// The signed text that was asked for. Since 1.1.
    pub text: for<'a> extern "C" fn(Context, Bytes<'a>) -> u32,
}

/// A sink and its context, for one call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Outlet<'a> {
    pub(super) sink: SinkRef,
    pub(super) context: Context,
    attributes: Attributes<'a>,
    call: PhantomData<&'a mut ()>,
}

impl<'a> Outlet<'a> {
    /// A sink for one call; the sink's functions get `context` back. It must stay what they take it for as long as `'a`.
    pub fn new(sink: SinkRef, context: Context) -> Self {
        Self { sink, context, attributes: RSlice::EMPTY, call: PhantomData }
    }
}

/// What a host offers. Grows at its end.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = HostRef, prefix_fields = HostPrefix)))]
#[sabi(missing_field(option))]
pub struct Host {
    /// Whether a line of that level would be written.
    pub log_enabled: extern "C" fn(usize, u32) -> u32,
    /// Writes a line: level, target, message.
    #[sabi(last_prefix_field)]
    pub log: for<'a> extern "C" fn(usize, u32, Bytes<'a>, Bytes<'a>),
}

/// What a plugin offers. Grows at its end; what comes after `decode` may be missing in a plugin that the host can load.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef, prefix_fields = PluginPrefix)))]
#[sabi(missing_field(option))]
pub struct Plugin {
    /// Called once, first: the host and the number by which it knows this plugin.
    pub init: extern "C" fn(HostRef, usize) -> u32,
    /// Events of a request.
    #[sabi(last_prefix_field)]
    pub decode: for<'a, 'b> extern "C" fn(&'b RequestView<'a>, &'b Outlet<'b>) -> u32,
    /// The requests of an operation.
    pub op_build: for<'a, 'b> extern "C" fn(&'b CallView<'a>, &'b Outlet<'b>) -> u32,
    /// What the answers of an operation mean.
    pub op_parse: for<'a, 'b> extern "C" fn(&'b CallView<'a>, &'b AnswerViews<'a>, &'b Outlet<'b>) -> u32,
    /// Called once, last: no call comes after it.
    pub quiesce: extern "C" fn() -> u32,
    /// A signed text of a request that nobody has verified yet; see [`super::attribute`]. Since 1.1.
    pub canonicalize: for<'a, 'b> extern "C" fn(&'b RequestView<'a>, &'b Outlet<'b>) -> u32,
}

impl RootModule for PluginRef {
    declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "hookport_plugin";
    const NAME: &'static str = "hookport_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
