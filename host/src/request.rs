//! A request as received: the bytes that verification, decoding and replay read. Nothing here interprets them.

use std::net::IpAddr;

use bytes::Bytes;
use hyper::header::HeaderMap;
use jiff::Timestamp;

/// A request whose body has been read whole. Clones are cheap for the body.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// As received, upper case by HTTP's rule.
    pub method: String,
    /// Path and query as received.
    pub target: String,
    /// As received; names are lower case.
    pub headers: HeaderMap,
    /// As received.
    pub body: Bytes,
    /// Who called, behind trusted proxies the address that they vouch for.
    pub peer: Option<IpAddr>,
    /// When the head arrived.
    pub received: Timestamp,
}

impl Incoming {
    /// A request without anything, for templates that read settings and secrets alone.
    pub fn nothing() -> Self {
        Self {
            method: String::new(),
            target: String::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: None,
            received: Timestamp::UNIX_EPOCH,
        }
    }

    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query without its `?`; empty when there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}
