//! The registry of signature algorithms. How a text becomes a key is `key`'s; comparison is in constant time everywhere.

mod curve;
mod digest;
mod mac;
mod rsa;
mod token;

use aws_lc_rs::signature::ParsedPublicKey;

pub use self::curve::Layout;
pub(super) use self::rsa::{MD5_PREFIX, SHA1_PREFIX, SHA256_PREFIX, SHA512_PREFIX};
use super::key::KeyText;

/// One algorithm; registered with [`inventory`], named in descriptions as `alg`.
pub struct Algorithm {
    /// As descriptions name it.
    pub name: &'static str,
    /// What its key is.
    pub key: KeyKind,
    /// More than about 100 microseconds: not for an async thread.
    pub costly: bool,
    /// How its signatures are laid out unless the description says; empty where there is one way.
    pub layouts: &'static [Layout],
    /// What a token that it signs calls it; none where it signs texts of the description.
    pub token: Option<&'static str>,
    /// Makes it ready for one key.
    pub prepare: Prepare,
}

/// Makes an algorithm ready for one key.
pub type Prepare = fn(&KeyText<'_>) -> Result<Box<dyn Scheme>, String>;

inventory::collect!(Algorithm);

impl Algorithm {
    const fn new(name: &'static str, key: KeyKind, prepare: Prepare) -> Self {
        Self { name, key, costly: false, layouts: &[], token: None, prepare }
    }

    const fn costly(mut self) -> Self {
        self.costly = true;
        self
    }

    const fn laid_out(mut self, layouts: &'static [Layout]) -> Self {
        self.layouts = layouts;
        self
    }

    const fn token(mut self, name: &'static str) -> Self {
        self.token = Some(name);
        self
    }
}

/// What an algorithm's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// None: a plain digest, whose secret is in the text.
    None,
    /// Shared bytes.
    Shared,
    /// The sender's public key.
    Public,
}

/// An algorithm with its key.
pub trait Scheme: Send + Sync {
    /// Whether the signature is that of the message.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;

    /// The signature that the message must have, where it can be computed without a private key.
    fn expected(&self, message: &[u8]) -> Option<Vec<u8>> {
        let _ = message;
        None
    }
}

/// RSA and curves as AWS-LC has them, parsed once. It takes a fifth of the time of the Rust crates.
impl Scheme for ParsedPublicKey {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verify_sig(message, signature).is_ok()
    }
}

/// The algorithm of that name.
pub fn named(name: &str) -> Option<&'static Algorithm> {
    inventory::iter::<Algorithm>().find(|algorithm| algorithm.name == name)
}

/// Every name, sorted, for complaints.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = inventory::iter::<Algorithm>().map(|algorithm| algorithm.name).collect();
    names.sort_unstable();
    names
}

macro_rules! register {
    ($($algorithm:expr;)*) => {
        $(inventory::submit! { $algorithm })*
    };
}
use register;

#[cfg(test)]
mod tests;
