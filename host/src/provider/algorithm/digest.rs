//! Plain digests: no key, the secret is part of the text.

use std::marker::PhantomData;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use sm3::Sm3;
use subtle::ConstantTimeEq;

use super::{Algorithm, KeyKind, Scheme, register};
use crate::provider::key::KeyText;

struct Plain<D>(PhantomData<fn() -> D>);

impl<D: Digest> Scheme for Plain<D> {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        D::digest(message).as_slice().ct_eq(signature).into()
    }
    fn expected(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(D::digest(message).to_vec())
    }
}

fn plain<D: Digest + 'static>(_: &KeyText<'_>) -> Result<Box<dyn Scheme>, String> {
    Ok(Box::new(Plain::<D>(PhantomData)))
}

register! {
    Algorithm::new("md5", KeyKind::None, plain::<Md5>);
    Algorithm::new("sha1", KeyKind::None, plain::<Sha1>);
    Algorithm::new("sha256", KeyKind::None, plain::<Sha256>);
    Algorithm::new("sha512", KeyKind::None, plain::<Sha512>);
    Algorithm::new("sm3", KeyKind::None, plain::<Sm3>);
}
