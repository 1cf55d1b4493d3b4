//! The sender's side of an asymmetric scheme: private keys that sign.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::alphabet;
use md5::Md5;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use sm2::dsa::signature::Signer;
use zeroize::Zeroizing;

use super::super::algorithm::{Layout, MD5_PREFIX, SHA1_PREFIX, SHA256_PREFIX, SHA512_PREFIX};
use super::super::filter::lenient_base64;
use super::super::key::SM2_USER_ID;
use super::super::open::private_der;
use super::super::signature::Encoding;

/// A private key; a debug print does not show it.
#[derive(Clone)]
pub struct PrivateKey(Kind);

#[derive(Clone)]
enum Kind {
    Rsa(Box<RsaPrivateKey>),
    Ed25519(Box<Ed25519KeyPair>),
    P256(Box<EcdsaKeyPair>),
    Sm2(Box<sm2::SecretKey>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Rsa(_) => "an RSA private key (hidden)",
            Kind::Ed25519(_) => "an Ed25519 private key (hidden)",
            Kind::P256(_) => "a P-256 private key (hidden)",
            Kind::Sm2(_) => "an SM2 private key (hidden)",
        })
    }
}

impl PrivateKey {
    /// Reads PEM (PKCS#8, of RSA also PKCS#1, of P-256 also SEC 1), the 64 hexadecimal digits of an SM2 key, or an Ed25519
    /// key as `whsk_` and base64.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Some(key) = hex::decode(text.trim()).ok().and_then(|bytes| sm2::SecretKey::from_slice(&bytes).ok()) {
            return Ok(Self(Kind::Sm2(Box::new(key))));
        }
        if let Some(seed) = text.trim().strip_prefix("whsk_") {
            return seeded(seed).map(|key| Self(Kind::Ed25519(Box::new(key))));
        }
        let der = private_der(text)?;
        let rsa = || RsaPrivateKey::from_pkcs8_der(&der).ok().map(|key| Kind::Rsa(Box::new(key)));
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok().map(|key| Kind::Ed25519(Box::new(key)));
        let p256 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).ok();
        let p256 = || p256().map(|key| Kind::P256(Box::new(key)));
        let sm2 = || sm2::SecretKey::from_pkcs8_der(&der).ok().map(|key| Kind::Sm2(Box::new(key)));
        let kind = rsa().or_else(ed25519).or_else(p256).or_else(sm2);
        kind.map(Self).ok_or_else(|| "the key is neither RSA nor Ed25519 nor P-256 nor SM2 (PKCS#8)".into())
    }

    /// The public key, as base64 of its DER.
    pub(super) fn public(&self) -> Option<String> {
        let der = match &self.0 {
            Kind::Rsa(key) => key.to_public_key().to_public_key_der().ok()?.as_bytes().to_vec(),
            Kind::Ed25519(key) => key.public_key().as_der().ok()?.as_ref().to_vec(),
            Kind::P256(key) => key.public_key().as_der().ok()?.as_ref().to_vec(),
            Kind::Sm2(key) => key.public_key().to_public_key_der().ok()?.as_bytes().to_vec(),
        };
        Some(Encoding::Base64.encode(&der))
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
            (Kind::Rsa(key), "rsa-pkcs1-sha256" | "jwt-rs256") => rsa::<Sha256>(key, SHA256_PREFIX, message),
            (Kind::Rsa(key), "rsa-pkcs1-sha512") => rsa::<Sha512>(key, SHA512_PREFIX, message),
            (Kind::Ed25519(key), "ed25519") => Ok(key.sign(message).as_ref().to_vec()),
            (Kind::P256(key), "ecdsa-p256-sha256") => p256(key, layout, message),
            (Kind::P256(key), "jwt-es256") => p256(key, Layout::Raw, message),
            (Kind::Sm2(key), "sm2-sm3") => sm2(key, user_id.unwrap_or(SM2_USER_ID), layout, message),
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

/// The first half is the seed, the second the public key, which may be missing.
fn seeded(text: &str) -> Result<Ed25519KeyPair, String> {
    let bytes = lenient_base64(text.as_bytes(), &alphabet::STANDARD).map(Zeroizing::new);
    let seed = bytes.as_ref().and_then(|bytes| bytes.get(..32).filter(|_| matches!(bytes.len(), 32 | 64)));
    let key = seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(seed).ok());
    key.ok_or_else(|| "the key is no Ed25519 key of 32 or 64 bytes in base64".into())
}

fn p256(key: &EcdsaKeyPair, layout: Layout, message: &[u8]) -> Result<Vec<u8>, String> {
    let plain = key.sign(&SystemRandom::new(), message).map_err(|_| "the P-256 key cannot sign")?;
    layout.lay(plain.as_ref()).ok_or_else(|| "the signature cannot be laid out".into())
}

fn sm2(key: &sm2::SecretKey, user_id: &str, layout: Layout, message: &[u8]) -> Result<Vec<u8>, String> {
    let key = sm2::dsa::SigningKey::new(user_id, key).map_err(|_| "the SM2 user id is too long")?;
    let signature: sm2::dsa::Signature = key.try_sign(message).map_err(|_| "the SM2 key cannot sign")?;
    layout.lay(&signature.to_vec()).ok_or_else(|| "the signature cannot be laid out".into())
}
