//! Secrets that senders tell in a handshake. Pending until an operator confirms one; what is pending opens nothing.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Of one source; one more and the oldest goes.
pub const PENDING_OF_A_SOURCE: usize = 8;
/// Of all sources.
pub const PENDING_IN_ALL: usize = 1_000;

/// A secret that a sender told, on its way into the journal.
#[derive(Debug, Clone)]
pub struct NewCapture {
    /// The source's name.
    pub source: Arc<str>,
    /// Its name under `[secrets]`.
    pub secret: String,
    /// What it is.
    pub value: SecretString,
    /// When it came.
    pub received: Timestamp,
    /// Who told it.
    pub peer: Option<IpAddr>,
}

/// A secret that a sender told.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The source's name.
    pub source: String,
    /// Its name under `[secrets]`.
    pub secret: String,
    /// What it is; shown to nobody who does not ask for it when confirming.
    pub value: SecretString,
    /// When it came, the last time.
    pub received: Timestamp,
    /// Who told it.
    pub peer: Option<IpAddr>,
    /// When an operator confirmed it.
    pub confirmed: Option<Timestamp>,
}

/// Which captures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureFilter {
    /// The source's name.
    pub source: String,
    /// The name under `[secrets]`; absent: any.
    #[serde(default)]
    pub secret: Option<String>,
    /// As lists show it; absent: any that is pending.
    #[serde(default)]
    pub fingerprint: Option<String>,
}

impl NewCapture {
    /// By which people tell one value from another.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.value)
    }
}

impl Capture {
    /// By which people tell one value from another.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.value)
    }
}

/// The first 16 digits of its SHA-256.
fn fingerprint(value: &SecretString) -> String {
    let digest = Sha256::digest(value.expose_secret().as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
