//! Provider descriptions: parsed, checked, compiled once, executed on bytes. What a request means is decided here alone.

pub mod complaint;
