//! The border between host and plugin. Authors never name these types; the host and
//! [`export_provider!`](crate::export_provider) do.
//!
//! Rules of the border: request bytes go in as borrowed views, results go out through the host's sink, so no owned value
//! crosses and neither side frees the other's memory. Errors are numbers and text, never Rust enums, whose unknown values
//! would be undefined. Text that goes out is bytes, because the host checks it. Views can never grow and carry `attributes`
//! for what they lack; tables ([`Plugin`], [`Sink`], [`Host`]) grow at their end. A panic ends at the border on this side of
//! it: the host has another standard library and could not catch it.
//!
//! What may change in 1.x, and how, is in this crate's README. Everything unsafe and everything of `abi_stable` on the
//! plugin's side is below this file; what is unsafe by our own hand is in `entry` alone.

mod call;
mod entry;
#[cfg(test)]
mod frozen;
mod host;
mod outlet;
mod table;
mod view;

pub use self::call::{
    canonicalize, decode, init, no_canonicalize, no_decode, no_op_build, no_op_parse, op_build, op_parse, quiesce,
};
pub(crate) use self::entry::write;
pub use self::entry::{LibHeader, RootModuleResult, Table, header, root, table};
pub(crate) use self::host::{log_enabled, log_line};
pub(crate) use self::outlet::EventParts;
pub use self::table::{
    Context, Host, HostPrefix, HostRef, Outlet, Plugin, PluginPrefix, PluginRef, Sink, SinkPrefix, SinkRef,
};
pub use self::view::{
    AnswerView, AnswerViews, Attribute, Attributes, Bytes, CallView, EventView, HeaderView, PlanHeader, PlanView,
    RequestView,
};

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

/// Keys of a view's attributes; a reader skips those that it does not know.
pub mod attribute {
    /// Which text is asked for: a name under `[let]`. Since 1.1.
    pub const TEXT: u32 = 1;
    /// The public URL of the request, where the source has one. Since 1.1.
    pub const URL: u32 = 2;
    /// The source's settings, a JSON object of texts. Since 1.1.
    pub const SETTINGS: u32 = 3;
}
