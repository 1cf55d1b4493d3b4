//! The sender's side of an asymmetric scheme: private keys that sign.

use std::fmt;

use md5::Md5;
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use sm2::dsa::signature::Signer;

use super::super::algorithm::{Layout, MD5_PREFIX, SHA1_PREFIX, SHA256_PREFIX, SHA512_PREFIX};
use super::super::open::private_der;

/// A private key; a debug print does not show it.
#[derive(Clone)]
pub struct PrivateKey(Kind);

#[derive(Clone)]
enum Kind {
    Rsa(Box<RsaPrivateKey>),
    Sm2(Box<sm2::SecretKey>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Rsa(_) => "an RSA private key (hidden)",
            Kind::Sm2(_) => "an SM2 private key (hidden)",
        })
    }
}

impl PrivateKey {
    /// Reads PEM (PKCS#8, of RSA also PKCS#1), or the 64 hexadecimal digits of an SM2 key.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some(key) = hex::decode(text.trim()).ok().and_then(|bytes| sm2::SecretKey::from_slice(&bytes).ok()) {
            return Ok(Self(Kind::Sm2(Box::new(key))));
        }
        let der = private_der(text)?;
        if let Ok(key) = RsaPrivateKey::from_pkcs8_der(&der) {
            return Ok(Self(Kind::Rsa(Box::new(key))));
        }
        let key = sm2::SecretKey::from_pkcs8_der(&der);
        key.map(|key| Self(Kind::Sm2(Box::new(key)))).map_err(|_| "the key is neither RSA nor SM2 (PKCS#8)".into())
    }

    /// Signs a message; the layout and the user id are SM2's.
    pub(in crate::provider) fn sign(
        &self,
        algorithm: &str,
        user_id: Option<&str>,
        layout: Layout,
        message: &[u8],
    ) -> Result<Vec<u8>, String> {
        match (&self.0, algorithm) {
            (Kind::Rsa(key), "rsa-pkcs1-md5") => rsa::<Md5>(key, MD5_PREFIX, message),
            (Kind::Rsa(key), "rsa-pkcs1-sha1") => rsa::<Sha1>(key, SHA1_PREFIX, message),
            (Kind::Rsa(key), "rsa-pkcs1-sha256") => rsa::<Sha256>(key, SHA256_PREFIX, message),
            (Kind::Rsa(key), "rsa-pkcs1-sha512") => rsa::<Sha512>(key, SHA512_PREFIX, message),
            (Kind::Sm2(key), "sm2-sm3") => sm2(key, user_id.unwrap_or("1234567812345678"), layout, message),
            _ => Err(format!("{algorithm} takes another kind of key than {self:?}")),
        }
    }
}

fn rsa<D: Digest>(key: &RsaPrivateKey, prefix: &[u8], message: &[u8]) -> Result<Vec<u8>, String> {
    let digest = D::digest(message);
    let padding = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: prefix.into() };
    // Blinded, because the time that the key takes would tell of it (RUSTSEC-2023-0071).
    key.sign_with_rng(&mut rand::rng(), padding, &digest).map_err(|error| format!("the RSA key cannot sign: {error}"))
}

fn sm2(key: &sm2::SecretKey, user_id: &str, layout: Layout, message: &[u8]) -> Result<Vec<u8>, String> {
    let key = sm2::dsa::SigningKey::new(user_id, key).map_err(|_| "the SM2 user id is too long")?;
    let signature: sm2::dsa::Signature = key.try_sign(message).map_err(|_| "the SM2 key cannot sign")?;
    Ok(match layout {
        Layout::Der => signature.to_der().as_bytes().to_vec(),
        Layout::Raw => signature.to_vec(),
    })
}
