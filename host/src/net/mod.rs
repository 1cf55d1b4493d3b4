//! Connections that the gateway makes: a pooled HTTP client and the guard that keeps it off private addresses; and the
//! certificate that it shows on those that are made to it.
//!
//! What is sent, and what an answer means, is left to those who call.

pub mod address;
pub mod certificate;
pub mod client;
mod connect;
mod failure;
mod guard;
mod pinned;
mod preface;
mod retry_after;
pub mod stream;
pub mod tls;
mod wrapped;

pub use client::{Answer, Client, Limits};
pub use failure::{SendError, tls_advice};
pub use retry_after::retry_after;
