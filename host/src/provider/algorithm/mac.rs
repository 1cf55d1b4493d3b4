//! Shared keys: HMAC, and a token that is only compared.

use hmac::digest::block_api::EagerHash;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use sm3::Sm3;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Algorithm, KeyKind, Scheme, register};
use crate::provider::key::KeyText;

/// Keyed once; a message costs a copy of the state.
struct Keyed<D: EagerHash>(Hmac<D>);

impl<D: EagerHash> Scheme for Keyed<D>
where
    Hmac<D>: Mac + Clone + Send + Sync,
{
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.clone().chain_update(message).verify_slice(signature).is_ok()
    }
    fn expected(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

pub(super) fn keyed<D: EagerHash + 'static>(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String>
where
    Hmac<D>: Mac + KeyInit + Clone + Send + Sync,
{
    let bytes = key.shared()?;
    if bytes.is_empty() {
        return Err("the key is empty".into());
    }
    let mac = <Hmac<D> as KeyInit>::new_from_slice(&bytes).map_err(|_| "the key has a length that HMAC cannot take")?;
    Ok(Box::new(Keyed::<D>(mac)))
}

struct Static(Zeroizing<Vec<u8>>);

impl Scheme for Static {
    fn verify(&self, _: &[u8], signature: &[u8]) -> bool {
        self.0.ct_eq(signature).into()
    }
    fn expected(&self, _: &[u8]) -> Option<Vec<u8>> {
        Some(self.0.to_vec())
    }
}

fn fixed(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String> {
    let bytes = key.shared()?;
    if bytes.is_empty() {
        return Err("the token is empty".into());
    }
    Ok(Box::new(Static(bytes)))
}

register! {
    Algorithm::new("hmac-md5", KeyKind::Shared, keyed::<Md5>);
    Algorithm::new("hmac-sha1", KeyKind::Shared, keyed::<Sha1>);
    Algorithm::new("hmac-sha256", KeyKind::Shared, keyed::<Sha256>);
    Algorithm::new("hmac-sha384", KeyKind::Shared, keyed::<Sha384>);
    Algorithm::new("hmac-sha512", KeyKind::Shared, keyed::<Sha512>);
    Algorithm::new("hmac-sm3", KeyKind::Shared, keyed::<Sm3>);
    Algorithm::new("static", KeyKind::Shared, fixed);
}
