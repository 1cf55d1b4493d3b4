//! Provider descriptions: parsed, checked, compiled once, executed on bytes. What a request means is decided here alone.
//!
//! Pure: bytes, values and `now` go in. Reading sockets is inbound's, storing is the journal's, native code is `plugin`'s.

pub mod algorithm;
pub mod complaint;
pub mod condition;
pub mod filter;
pub mod json;
pub mod named;
pub mod parse;
pub mod place;
pub mod template;
pub mod view;
