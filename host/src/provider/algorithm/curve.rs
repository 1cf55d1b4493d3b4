//! Elliptic curves: Ed25519 and P-256 by AWS-LC, SM2 by its own crate; and the two ways to lay out `r` and `s`.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use sm2::dsa::signature::Verifier;
use sm2::pkcs8::DecodePublicKey;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};

use super::{Algorithm, KeyKind, Scheme, register};
use crate::provider::key::KeyText;

/// How `r` and `s` are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// ASN.1.
    Der,
    /// 64 bytes.
    Raw,
}

impl Layout {
    /// What a name stands for.
    pub fn named(name: &str) -> Option<&'static [Self]> {
        Some(match name {
            "der" => &[Self::Der],
            "raw" => &[Self::Raw],
            "either" => &[Self::Der, Self::Raw],
            _ => return None,
        })
    }

    /// Undoes the layout: `r` and `s`, 64 bytes.
    pub fn plain(self, signature: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Der => from_der(signature),
            Self::Raw => (signature.len() == 64).then(|| signature.to_vec()),
        }
    }

    /// Lays out `r` and `s`, 64 bytes.
    pub fn lay(self, plain: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Der => to_der(plain.first_chunk()?, plain.last_chunk()?),
            Self::Raw => Some(plain.to_vec()),
        }
    }
}

fn from_der(signature: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let pair = reader.sequence(|inner| Ok::<_, der::Error>([UintRef::decode(inner)?, UintRef::decode(inner)?])).ok()?;
    reader.finish().ok()?;
    let mut plain = vec![0; 64];
    for (number, half) in pair.iter().zip(plain.chunks_mut(32)) {
        let bytes = number.as_bytes();
        half[32usize.checked_sub(bytes.len())?..].copy_from_slice(bytes);
    }
    Some(plain)
}

fn to_der(r: &[u8; 32], s: &[u8; 32]) -> Option<Vec<u8>> {
    vec![UintRef::new(r).ok()?, UintRef::new(s).ok()?].to_der().ok()
}

fn ed25519(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String> {
    let key = ParsedPublicKey::new(&ED25519, key.public()?);
    Ok(Box::new(key.map_err(|_| "the key is not an Ed25519 public key (32 bytes, or PEM)")?))
}

pub(super) fn p256(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String> {
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public()?);
    Ok(Box::new(key.map_err(|_| "the key is not a public key on the curve P-256")?))
}

struct Sm2(sm2::dsa::VerifyingKey);

impl Scheme for Sm2 {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        sm2::dsa::Signature::from_slice(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}

fn sm2(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String> {
    let point = match hex::decode(key.text.trim_ascii()) {
        Ok(point) if point.len() == 64 => Some([&[4], point.as_slice()].concat()),
        point => point.ok(),
    };
    let public = match point {
        Some(point) => sm2::PublicKey::from_sec1_bytes(&point).ok(),
        None => sm2::PublicKey::from_public_key_der(&key.public()?).ok(),
    };
    let public = public.ok_or("the key is not an SM2 public key (PEM, or hex of the uncompressed point 04...)")?;
    let key = sm2::dsa::VerifyingKey::new(key.user_id, public).map_err(|_| "the SM2 user id is too long")?;
    Ok(Box::new(Sm2(key)))
}

register! {
    Algorithm::new("ed25519", KeyKind::Public, ed25519);
    Algorithm::new("ecdsa-p256-sha256", KeyKind::Public, p256).laid_out(&[Layout::Der]);
    Algorithm::new("sm2-sm3", KeyKind::Public, sm2).laid_out(&[Layout::Der, Layout::Raw]).costly();
}
