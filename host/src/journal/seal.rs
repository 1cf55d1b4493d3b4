//! Content at rest: sealed by a data key of its own, which is kept wrapped by the configured key. Throwing the wrapped key
//! away erases the content.
//!
//! Types, times, ids, subjects and states stay readable: they are what lists and filters work on. AES-256-GCM under data
//! keys; AES-256-GCM-SIV under the configured key, which is used too often for random nonces alone.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

/// Bytes of a key.
const KEY: usize = 32;

/// The configured keys: the first seals, all open.
#[derive(Clone)]
pub struct Vault(Arc<[RandomizedNonceKey]>);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault (hidden)")
    }
}

/// The key of one request's, event's or rejection's content.
pub(super) struct DataKey {
    key: RandomizedNonceKey,
    /// As it is kept.
    pub(super) wrapped: Vec<u8>,
}

/// Sealed content that no configured key opens, or that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the content is sealed by a key that is not configured (journal.key), or was changed where it is kept")]
pub(super) struct Unopened;

impl Vault {
    /// Takes the keys as configured; none is no vault.
    pub fn new(keys: &[SecretBox<[u8; KEY]>]) -> Option<Self> {
        let keys: Arc<[_]> = keys.iter().map(|bytes| key(&AES_256_GCM_SIV, bytes.expose_secret())).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// A new data key, wrapped.
    pub(super) fn data_key(&self) -> DataKey {
        let mut bytes = Zeroizing::new([0; KEY]);
        rand::fill(&mut *bytes).expect("the system gives random bytes");
        DataKey { key: key(&AES_256_GCM, &bytes), wrapped: self.wrap(&*bytes) }
    }

    /// Seals something small by the configured key itself.
    pub(super) fn wrap(&self, bytes: &[u8]) -> Vec<u8> {
        seal(&self.0[0], bytes)
    }

    /// Which key wrapped it, and what it was.
    pub(super) fn unwrap_by(&self, wrapped: &[u8]) -> Option<(usize, Zeroizing<Vec<u8>>)> {
        let opened = |(index, key)| Some((index, Zeroizing::new(open(key, wrapped)?)));
        self.0.iter().enumerate().find_map(opened)
    }

    /// The reverse of [`wrap`](Self::wrap).
    pub(super) fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        self.unwrap_by(wrapped).map(|(_, bytes)| bytes).ok_or(Unopened)
    }

    /// Opens what the data key sealed.
    pub(super) fn open(&self, wrapped: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let bytes = self.unwrap(wrapped)?;
        let bytes: &[u8; KEY] = bytes.as_slice().try_into().map_err(|_| Unopened)?;
        open(&key(&AES_256_GCM, bytes), sealed).ok_or(Unopened)
    }
}

impl DataKey {
    pub(super) fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        seal(&self.key, bytes)
    }
}

fn key(algorithm: &'static aws_lc_rs::aead::Algorithm, bytes: &[u8; KEY]) -> RandomizedNonceKey {
    RandomizedNonceKey::new(algorithm, bytes).expect("the algorithm takes 32 bytes")
}

/// The nonce, then the sealed bytes with their tag.
fn seal(key: &RandomizedNonceKey, bytes: &[u8]) -> Vec<u8> {
    let mut sealed = bytes.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::empty(), &mut sealed).expect("content is shorter than 64 GiB");
    sealed.splice(0..0, *nonce.as_ref());
    sealed
}

fn open(key: &RandomizedNonceKey, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut bytes = sealed.to_vec();
    let length = key.open_in_place(nonce, Aad::empty(), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vault(keys: &[u8]) -> Vault {
        let keys: Vec<_> = keys.iter().map(|key| SecretBox::new(Box::new([*key; KEY]))).collect();
        Vault::new(&keys).unwrap()
    }

    #[test]
    fn after_a_rotation_the_new_key_seals_and_the_old_one_still_opens() {
        let old = vault(&[1]).data_key();
        let sealed = old.seal(b"paid");
        let rotated = vault(&[2, 1]);
        assert_eq!(rotated.open(&old.wrapped, &sealed).unwrap(), b"paid");
        let new = rotated.data_key();
        assert_eq!(vault(&[1]).open(&new.wrapped, &new.seal(b"paid")), Err(Unopened));
        assert_eq!(vault(&[2]).open(&new.wrapped, &new.seal(b"paid")).unwrap(), b"paid");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_any_changed_byte_does_not(bytes: Vec<u8>, at: usize, bit in 0..8) {
            let vault = vault(&[1]);
            let key = vault.data_key();
            let mut sealed = key.seal(&bytes);
            prop_assert_eq!(vault.open(&key.wrapped, &sealed), Ok(bytes));
            let at = at % sealed.len();
            sealed[at] ^= 1u8 << bit;
            prop_assert_eq!(vault.open(&key.wrapped, &sealed), Err(Unopened));
        }
    }
}
