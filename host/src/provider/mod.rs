//! Provider descriptions: parsed, checked, compiled once, executed on bytes. What a request means is decided here alone.
//!
//! Pure: bytes, values and `now` go in. Reading sockets is inbound's, storing is the journal's, native code is `plugin`'s.

pub mod ack;
pub mod algorithm;
mod certificate;
mod check;
pub mod compile;
pub mod complaint;
pub mod condition;
pub mod decrypt;
pub mod diagnose;
mod document;
pub mod fields;
pub mod filter;
pub mod handshake;
pub mod headers;
pub mod identity;
pub mod item;
pub mod json;
mod jwks;
pub mod key;
pub mod moment;
pub mod named;
pub mod open;
pub mod outgoing;
pub mod parse;
mod payload;
mod pieces;
pub mod place;
pub mod prove;
pub mod redact;
pub mod remote;
pub mod sign;
pub mod signature;
pub mod slots;
pub mod source;
pub mod sources;
pub mod template;
pub mod text;
mod token;
pub mod vectors;
pub mod verify;
pub mod view;
pub mod xml;

pub(crate) use self::check::is_id;

/// A list that mostly has one element or two, and is not worth an allocation.
pub(crate) type Few<T> = smallvec::SmallVec<[T; 2]>;

#[cfg(test)]
mod tests;
