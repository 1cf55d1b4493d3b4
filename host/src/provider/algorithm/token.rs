//! The signatures of JSON Web Tokens, RFC 7518. What a token says, and that it names this algorithm, is `provider::token`'s.

use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use hmac::digest::block_api::EagerHash;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::curve::p256;
use super::mac::keyed;
use super::rsa::rsa;
use super::{Algorithm, KeyKind, Scheme, register};
use crate::provider::key::KeyText;

/// A public key is known to everybody: as a shared one it would let anybody sign.
fn shared<D: EagerHash + 'static>(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String>
where
    Hmac<D>: Mac + KeyInit + Clone + Send + Sync,
{
    match key.shared()?.trim_ascii_start().starts_with(b"-----BEGIN") {
        true => Err("the key is PEM, which is no shared key; a public key is for jwt-rs256 or jwt-es256".into()),
        false => keyed::<D>(key),
    }
}

register! {
    Algorithm::new("jwt-hs256", KeyKind::Shared, shared::<Sha256>).token("HS256");
    Algorithm::new("jwt-hs384", KeyKind::Shared, shared::<Sha384>).token("HS384");
    Algorithm::new("jwt-hs512", KeyKind::Shared, shared::<Sha512>).token("HS512");
    Algorithm::new("jwt-rs256", KeyKind::Public, |key| rsa(key, &RSA_PKCS1_2048_8192_SHA256)).token("RS256");
    Algorithm::new("jwt-es256", KeyKind::Public, p256).token("ES256");
}
