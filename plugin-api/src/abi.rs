//! The border between host and plugin: everything unsafe and everything of `abi_stable` on the plugin's side.
//!
//! Authors never name these types; the host and [`export_provider!`](crate::export_provider) do. Rules of the border:
//! request bytes go in as borrowed views, results go out through the host's sink, so no owned value crosses and neither side
//! frees the other's memory. Errors are numbers and text, never Rust enums, whose unknown values would be undefined. Text that
//! goes out is bytes, because the host checks it. Views can never grow and carry `attributes` for what they lack; tables
//! ([`Plugin`], [`Sink`], [`Host`]) grow at their end. A panic ends at the border on this side of it: the host has another
//! standard library and could not catch it.

// Exported symbols, the note and the table's header have no safe form.
#![allow(unsafe_code)]
// The derive writes accessors of every field; the fields are documented.
#![allow(missing_docs)]

use std::marker::PhantomData;
use std::panic::catch_unwind;
use std::sync::OnceLock;

use abi_stable::library::{CheckTypeLayout, RootModule};
pub use abi_stable::library::{LibHeader, RootModuleResult};
use abi_stable::marker_type::ErasedPrefix;
use abi_stable::prefix_type::{PrefixRefTrait, WithMetadata};
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RResult, RSlice, RStr};
use abi_stable::{StableAbi, declare_root_module_statics, package_version_strings};

use crate::guard::{guard, install_panic_hook};
use crate::log::Level;
use crate::operation::{Answer, Call, OpResult, OperationError, RequestPlan};
use crate::{DecodeError, Events, Request};

/// The version of this crate, for the identity.
pub const SDK: &str = env!("CARGO_PKG_VERSION");
/// The compiler's own words, for the identity.
pub const RUSTC: &str = env!("HOOKPORT_RUSTC");
/// The target triple, for the identity.
pub const TARGET: &str = env!("HOOKPORT_TARGET");

/// What a function or the sink answers. A number that the reader does not know is a failure.
pub mod code {
    /// Done.
    pub const OK: u32 = 0;
    /// The plugin's code says no; its words are in `Sink::error`.
    pub const REFUSED: u32 = 1;
    /// The plugin's code panicked.
    pub const PANIC: u32 = 2;
    /// The plugin has no such function.
    pub const ABSENT: u32 = 3;
    /// The sink takes no more.
    pub const FULL: u32 = 4;
}

/// Bits that say which optional members of a view are there.
pub mod has {
    /// The event's own type.
    pub const KIND: u32 = 1;
    /// The subject.
    pub const SUBJECT: u32 = 1 << 1;
    /// The event's own data.
    pub const DATA: u32 = 1 << 2;
    /// The time-out.
    pub const TIMEOUT: u32 = 1 << 3;
    /// The reason why there was no answer.
    pub const ERROR: u32 = 1 << 4;
}

/// How an operation ended.
pub mod outcome {
    /// With the output, JSON.
    pub const DONE: u32 = 1;
    /// With more plans, which were pushed before.
    pub const MORE: u32 = 2;
    /// To be tried again after so many seconds.
    pub const RETRY_AFTER: u32 = 3;
    /// With the provider's own message.
    pub const FAIL: u32 = 4;
}

/// Bytes that are borrowed for a call.
pub type Bytes<'a> = RSlice<'a, u8>;

/// What a view lacks and later versions say; a reader skips keys that it does not know. 1.0 defines none.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Attribute<'a> {
    pub key: u32,
    pub value: Bytes<'a>,
}

/// Attributes of a view.
pub type Attributes<'a> = RSlice<'a, Attribute<'a>>;

/// One header.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct HeaderView<'a> {
    pub name: RStr<'a>,
    pub value: Bytes<'a>,
}

/// A verified request; the host vouches for the text in it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RequestView<'a> {
    pub method: RStr<'a>,
    pub target: RStr<'a>,
    pub headers: RSlice<'a, HeaderView<'a>>,
    pub body: Bytes<'a>,
    pub document: RStr<'a>,
    pub declared_type: RStr<'a>,
    pub declared_subject: RStr<'a>,
    pub received_unix_ms: i64,
    pub has: u32,
    pub attributes: Attributes<'a>,
}

/// One call of an operation.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct CallView<'a> {
    pub operation: RStr<'a>,
    pub input: RStr<'a>,
    pub settings: RStr<'a>,
    pub attributes: Attributes<'a>,
}

/// What became of one plan.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct AnswerView<'a> {
    pub status: u32,
    pub has: u32,
    pub headers: RSlice<'a, HeaderView<'a>>,
    pub body: Bytes<'a>,
    pub error: RStr<'a>,
    pub attributes: Attributes<'a>,
}

/// The answers so far, in the order of the plans.
pub type AnswerViews<'a> = RSlice<'a, AnswerView<'a>>;

/// One event, on its way out.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct EventView<'a> {
    pub has: u32,
    pub kind: Bytes<'a>,
    pub subject: Bytes<'a>,
    pub data: Bytes<'a>,
    pub warnings: RSlice<'a, Bytes<'a>>,
    pub attributes: Attributes<'a>,
}

/// One header of a plan, on its way out.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct PlanHeader<'a> {
    pub name: Bytes<'a>,
    pub value: Bytes<'a>,
}

/// One HTTP request to make, on its way out.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct PlanView<'a> {
    pub has: u32,
    pub timeout_s: u32,
    pub method: Bytes<'a>,
    pub url: Bytes<'a>,
    pub headers: RSlice<'a, PlanHeader<'a>>,
    pub body: Bytes<'a>,
    pub attributes: Attributes<'a>,
}

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
}

/// A sink and its context, for one call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct Outlet<'a> {
    sink: SinkRef,
    context: Context,
    attributes: Attributes<'a>,
    call: PhantomData<&'a mut ()>,
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
}

impl RootModule for PluginRef {
    declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "hookport_plugin";
    const NAME: &'static str = "hookport_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

// ---- what the export macro writes into a plugin ----

/// The plugin's table with its layout.
pub type Table = WithMetadata<Plugin>;

/// The table, ready to be pointed at.
pub const fn table(plugin: Plugin) -> Table {
    WithMetadata::new(plugin)
}

/// Hands the table to the host.
pub fn root(table: &'static Table) -> RootModuleResult {
    let module = PluginRef(table.static_as_prefix());
    // SAFETY: the host casts it back to `PluginPrefix` only after it has compared the layouts.
    RResult::ROk(unsafe { module.to_prefix_ref().cast::<ErasedPrefix>() })
}

/// What the host looks for in a loaded file.
pub const fn header(root: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: `root` is made by the macro from `root` above, whose result comes from a `PluginRef`.
    unsafe { LibHeader::from_constructor::<PluginRef>(root, CheckTypeLayout::Yes) }
}

/// Writes into a buffer at compile time.
pub(crate) const fn write(to: &mut [u8], at: usize, bytes: &[u8]) {
    assert!(at <= to.len() && bytes.len() <= to.len() - at, "an item does not fit");
    // SAFETY: the assertion keeps it within `to`; a shared and a unique borrow cannot overlap. A loop over bytes would be
    // safe and trips the compiler's limit on long evaluations with a few large samples.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_mut_ptr().add(at), bytes.len()) }
}

// ---- the functions behind the table ----

/// Remembers the host and takes over the panic hook of this plugin's own standard library.
pub extern "C" fn init(host: HostRef, number: usize) -> u32 {
    let first = HOST.set(HostHandle { host, number }).is_ok();
    if first && catch_unwind(install_panic_hook).is_err() { code::PANIC } else { code::OK }
}

/// Nothing to end yet: plugins hold no resources.
pub extern "C" fn quiesce() -> u32 {
    code::OK
}

/// Runs a decoder.
pub fn decode(
    view: &RequestView<'_>,
    outlet: &Outlet<'_>,
    decode: for<'r, 'q, 'e, 'o> fn(&'q Request<'r>, &'e mut Events<'o>) -> Result<(), DecodeError>,
) -> u32 {
    guard(outlet, || {
        let request = Request::new(view);
        decode(&request, &mut Events::new(outlet, &request)).map_err(|error| error.to_string())
    })
}

/// Runs the builder of an operation.
pub fn op_build(
    view: &CallView<'_>,
    outlet: &Outlet<'_>,
    build: for<'c, 'q> fn(&'q Call<'c>) -> Result<Vec<RequestPlan>, OperationError>,
) -> u32 {
    guard(outlet, || {
        let plans = build(&Call::new(view)).map_err(|error| error.to_string())?;
        plans.iter().try_for_each(|plan| outlet.plan(plan))
    })
}

/// Runs the parser of an operation.
pub fn op_parse(
    view: &CallView<'_>,
    answers: &AnswerViews<'_>,
    outlet: &Outlet<'_>,
    parse: for<'c, 'q, 'a> fn(&'q Call<'c>, &'q [Answer<'a>]) -> Result<OpResult, OperationError>,
) -> u32 {
    guard(outlet, || {
        let answers: Vec<Answer<'_>> = answers.as_slice().iter().map(Answer::new).collect();
        match parse(&Call::new(view), &answers).map_err(|error| error.to_string())? {
            OpResult::Done(json) => outlet.outcome(outcome::DONE, &json, 0),
            OpResult::More(plans) => {
                plans.iter().try_for_each(|plan| outlet.plan(plan))?;
                outlet.outcome(outcome::MORE, "", 0)
            }
            OpResult::RetryAfter(seconds) => outlet.outcome(outcome::RETRY_AFTER, "", u64::from(seconds)),
            OpResult::Fail(message) => outlet.outcome(outcome::FAIL, &message, 0),
        }
    })
}

/// There is no decoder.
pub extern "C" fn no_decode(_: &RequestView<'_>, _: &Outlet<'_>) -> u32 {
    code::ABSENT
}

/// There is no builder.
pub extern "C" fn no_op_build(_: &CallView<'_>, _: &Outlet<'_>) -> u32 {
    code::ABSENT
}

/// There is no parser.
pub extern "C" fn no_op_parse(_: &CallView<'_>, _: &AnswerViews<'_>, _: &Outlet<'_>) -> u32 {
    code::ABSENT
}

// ---- the host ----

struct HostHandle {
    host: HostRef,
    number: usize,
}

static HOST: OnceLock<HostHandle> = OnceLock::new();

/// Whether the host would write a line of that level.
pub(crate) fn log_enabled(level: Level) -> bool {
    HOST.get().is_some_and(|host| host.host.log_enabled()(host.number, level.number()) != 0)
}

/// Writes a line to the host's log.
pub(crate) fn log_line(level: Level, target: &str, message: &str) {
    if let Some(host) = HOST.get() {
        host.host.log()(host.number, level.number(), bytes(target), bytes(message));
    }
}

// ---- results as views ----

/// An event before it is a view.
pub(crate) struct EventParts<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) data: Option<&'a str>,
    pub(crate) warnings: &'a [String],
}

impl<'a> Outlet<'a> {
    /// A sink for one call; the sink's functions get `context` back. It must stay what they take it for as long as `'a`.
    pub fn new(sink: SinkRef, context: Context) -> Self {
        Self { sink, context, attributes: RSlice::EMPTY, call: PhantomData }
    }

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

    fn plan(&self, plan: &RequestPlan) -> Result<(), String> {
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

    fn outcome(&self, outcome: u32, text: &str, number: u64) -> Result<(), String> {
        taken(self.sink.outcome()(self.context, outcome, bytes(text), number))
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
