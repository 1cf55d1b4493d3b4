//! `[traces]`, as written.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::HeaderText;
use crate::config::units::Span;

/// Where spans go, and which.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traces {
    /// The collector; absent: nothing is traced.
    pub endpoint: Option<String>,
    /// How they are sent.
    pub protocol: TraceProtocol,
    /// Sent with every batch.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
    /// For one batch.
    pub timeout: Span,
    /// Which part of requests is traced.
    pub ratio: f64,
    /// Whether a sender's own trace is gone on with.
    pub accept: bool,
}

/// How spans are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TraceProtocol {
    /// Protobuf in POSTs.
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
}
