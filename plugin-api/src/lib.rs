//! What a Hookport plugin is: the provider description, the ABI and the export macro.
//!
//! A plugin says what a provider is in a `provider.toml` and, where that is not enough, decodes in code:
//!
//! ```ignore
//! use hookport_plugin_api::prelude::*;
//!
//! export_provider!("../provider.toml", decode = notification, samples = ["../fixtures/stopped.http"]);
//!
//! fn notification(request: &Request<'_>, events: &mut Events<'_>) -> Result<(), DecodeError> {
//!     events.push_as_received(request)
//! }
//! ```
//!
//! It computes no signature, opens no socket and starts no thread: the host does what the description declares. A plugin
//! depends on this crate and on `serde`; everything unsafe and everything of `abi_stable` is in [`abi`]. How all this may change
//! in 1.x is in the README beside it.

pub mod abi;
pub mod description;
mod events;
mod export;
mod fields;
mod guard;
pub mod identity;
pub mod log;
#[doc(hidden)]
pub mod note;
pub mod operation;
mod request;
mod unverified;

pub use events::{DecodeError, Event, Events};
pub use fields::Fields;
pub use request::{Header, Request};
pub use serde_json;
pub use unverified::{TextError, Unverified};

/// What a plugin's author needs.
pub mod prelude {
    pub use std::borrow::Cow;

    pub use serde::{Deserialize, Serialize};
    pub use serde_json::value::RawValue;

    pub use crate::log::Level;
    pub use crate::operation::{Answer, Call, OpResult, OperationError, RequestPlan};
    pub use crate::{DecodeError, Event, Events, Fields, Header, Request, TextError, Unverified, export_provider, log};
}
