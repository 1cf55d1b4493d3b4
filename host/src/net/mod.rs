//! Connections that the gateway makes: a pooled HTTP client and the guard that keeps it off private addresses.
//!
//! What is sent, and what an answer means, is left to those who call.

pub mod address;
pub mod client;
mod guard;
mod retry_after;

pub use client::{Answer, Client, SendError};
pub use retry_after::retry_after;
