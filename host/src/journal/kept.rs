//! A rejection on its way to the store: what is kept of it, and what that weighs. How many are kept is the engine's.

use std::net::IpAddr;

use jiff::Timestamp;

use super::NewRejected;
use super::prepare::{Prepared, Stored};
use super::seal::Vault;
use crate::reason::Rejection;
use crate::request::Incoming;

/// What a row weighs beside its texts.
const ROW: usize = 128;

/// A rejection on its way to the store.
pub(super) struct Kept {
    pub(super) source: Option<String>,
    pub(super) rejection: Rejection,
    pub(super) received: Timestamp,
    pub(super) method: String,
    pub(super) stored: Stored,
    pub(super) peer: Option<IpAddr>,
    pub(super) length: usize,
    pub(super) authentic: bool,
    pub(super) size: usize,
}

impl Kept {
    /// A refused request; its body is cut off at the bound.
    pub(super) fn new(rejected: NewRejected, bound: usize, vault: Option<&Vault>) -> Self {
        let NewRejected { source, rejection, request } = rejected;
        let cut = request.body.len().min(bound);
        // Copied: a slice would hold the whole body while it waits.
        let body = bytes::Bytes::copy_from_slice(&request.body[..cut]);
        let stored = Stored::new(&request, body, vault.map(Vault::data_key).as_ref());
        Self::of(source.map(|source| source.to_string()), rejection, &request, stored, false)
    }

    /// An authentic request that came too late or twice: whole, so that it can be released.
    pub(super) fn stale(prepared: &Prepared, rejection: Rejection) -> Self {
        let request = &prepared.request;
        Self::of(Some(prepared.source.to_string()), rejection, request, prepared.stored.clone(), true)
    }

    fn of(source: Option<String>, rejection: Rejection, request: &Incoming, stored: Stored, authentic: bool) -> Self {
        let size = ROW + stored.headers.len() + stored.body.len() + request.target.len() + rejection.detail.len();
        Self {
            source,
            rejection,
            received: request.received,
            method: request.method.clone(),
            stored,
            peer: request.peer,
            length: request.body.len(),
            authentic,
            size,
        }
    }
}
