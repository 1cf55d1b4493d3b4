//! Why a request was refused: one closed list for logs, metrics, rejections and `hookport verify`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A reason code; its text is a contract (config/README.md, "reason codes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No source has this path.
    UnknownPath,
    /// The source does not take this method.
    Method,
    /// A required header is missing.
    HeaderMissing,
    /// A header came twice or breaks its rule.
    HeaderMismatch,
    /// The body is of another media type.
    MediaType,
    /// The body or the headers exceed the limit.
    TooLarge,
    /// The sender was too slow.
    Timeout,
    /// There is no signature.
    SignatureMissing,
    /// No signature matches.
    SignatureMismatch,
    /// The request names an algorithm that the source does not take.
    Algorithm,
    /// There is no signed time.
    TimestampMissing,
    /// The signed time is too old.
    TimestampExpired,
    /// The signed time is too far ahead.
    TimestampFuture,
    /// The nonce came before.
    ReplayedNonce,
    /// The body is not what the provider sends.
    Malformed,
    /// The sender's address is not allowed.
    Address,
    /// The gateway cannot store now.
    Unavailable,
}

impl Reason {
    /// All of them, in their order.
    pub const ALL: [Self; 17] = [
        Self::UnknownPath,
        Self::Method,
        Self::HeaderMissing,
        Self::HeaderMismatch,
        Self::MediaType,
        Self::TooLarge,
        Self::Timeout,
        Self::SignatureMissing,
        Self::SignatureMismatch,
        Self::Algorithm,
        Self::TimestampMissing,
        Self::TimestampExpired,
        Self::TimestampFuture,
        Self::ReplayedNonce,
        Self::Malformed,
        Self::Address,
        Self::Unavailable,
    ];

    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown_path",
            Self::Method => "method",
            Self::HeaderMissing => "header_missing",
            Self::HeaderMismatch => "header_mismatch",
            Self::MediaType => "media_type",
            Self::TooLarge => "too_large",
            Self::Timeout => "timeout",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureMismatch => "signature_mismatch",
            Self::Algorithm => "algorithm",
            Self::TimestampMissing => "timestamp_missing",
            Self::TimestampExpired => "timestamp_expired",
            Self::TimestampFuture => "timestamp_future",
            Self::ReplayedNonce => "replayed_nonce",
            Self::Malformed => "malformed",
            Self::Address => "address",
            Self::Unavailable => "unavailable",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal: the code, and for the log what exactly was wrong. Never holds a secret or a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The code.
    pub reason: Reason,
    /// For people; goes to the log and the journal, never to the sender.
    pub detail: String,
}

impl Rejection {
    /// A refusal with its explanation.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}
