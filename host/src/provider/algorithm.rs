//! The registry of signature algorithms, and how a text becomes a key. Comparison is in constant time everywhere.

use hmac::digest::block_api::EagerHash;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use sm2::dsa::signature::Verifier;
use sm3::Sm3;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::key::KeyText;

/// One algorithm; registered with [`inventory`], named in descriptions as `alg`.
pub struct Algorithm {
    /// As descriptions name it.
    pub name: &'static str,
    /// What its key is.
    pub key: KeyKind,
    /// More than about 100 microseconds: not for an async thread.
    pub costly: bool,
    /// Makes it ready for one key.
    pub prepare: fn(&KeyText<'_>) -> Result<Box<dyn Scheme>, String>,
}

inventory::collect!(Algorithm);

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

struct Plain<D>(std::marker::PhantomData<fn() -> D>);

impl<D: Digest> Scheme for Plain<D> {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        D::digest(message).as_slice().ct_eq(signature).into()
    }
    fn expected(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(D::digest(message).to_vec())
    }
}

fn plain<D: Digest + 'static>(_: &KeyText<'_>) -> Result<Box<dyn Scheme>, String> {
    Ok(Box::new(Plain::<D>(std::marker::PhantomData)))
}

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

fn keyed<D: EagerHash + 'static>(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String>
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

struct Rsa {
    key: RsaPublicKey,
    /// The DER in front of the digest, RFC 8017 section 9.2.
    prefix: &'static [u8],
    digest: fn(&[u8]) -> Vec<u8>,
}

impl Scheme for Rsa {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let digest = (self.digest)(message);
        let padding = Pkcs1v15Sign { hash_len: Some(digest.len()), prefix: self.prefix.into() };
        self.key.verify(padding, &digest, signature).is_ok()
    }
}

/// The DER in front of an MD5 digest.
pub(super) const MD5_PREFIX: &[u8] = b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10";
/// The DER in front of a SHA-1 digest.
pub(super) const SHA1_PREFIX: &[u8] = b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14";
/// The DER in front of a SHA-256 digest.
pub(super) const SHA256_PREFIX: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
/// The DER in front of a SHA-512 digest.
pub(super) const SHA512_PREFIX: &[u8] = b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40";

fn rsa<D: Digest>(key: &KeyText<'_>, prefix: &'static [u8]) -> Result<Box<dyn Scheme>, String> {
    let der = key.public_der()?;
    let public = RsaPublicKey::from_public_key_der(&der).or_else(|_| RsaPublicKey::from_pkcs1_der(&der));
    let key = public.map_err(|_| "the key is not an RSA public key")?;
    Ok(Box::new(Rsa { key, prefix, digest: |message| D::digest(message).to_vec() }))
}

/// Takes the signature as `r` and `s`, 64 bytes; its layout is undone before.
struct Sm2(sm2::dsa::VerifyingKey);

impl Scheme for Sm2 {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        sm2::dsa::Signature::from_slice(signature).is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}

fn sm2(key: &KeyText<'_>) -> Result<Box<dyn Scheme>, String> {
    let text = std::str::from_utf8(key.text).map_err(|_| "the key is not text")?.trim();
    let public = match hex::decode(text) {
        Ok(point) if point.len() == 64 => {
            sm2::PublicKey::from_sec1_bytes(&[&[4], point.as_slice()].concat()).map_err(|_| ())
        }
        Ok(point) => sm2::PublicKey::from_sec1_bytes(&point).map_err(|_| ()),
        Err(_) => sm2::PublicKey::from_public_key_der(&key.public_der()?).map_err(|_| ()),
    };
    let public =
        public.map_err(|()| "the key is not an SM2 public key (PEM, or hex of the uncompressed point 04...)")?;
    let key = sm2::dsa::VerifyingKey::new(key.user_id, public).map_err(|_| "the SM2 user id is too long")?;
    Ok(Box::new(Sm2(key)))
}

/// Undoes DER: `r` and `s`, 64 bytes.
pub(super) fn sm2_from_der(signature: &[u8]) -> Option<Vec<u8>> {
    sm2::dsa::Signature::from_der(signature).ok().map(|signature| signature.to_vec())
}

macro_rules! register {
    ($($name:literal $key:ident $costly:literal $prepare:expr;)*) => {
        $(inventory::submit! { Algorithm { name: $name, key: KeyKind::$key, costly: $costly, prepare: $prepare } })*
    };
}

register! {
    "md5" None false plain::<Md5>;
    "sha1" None false plain::<Sha1>;
    "sha256" None false plain::<Sha256>;
    "sha512" None false plain::<Sha512>;
    "sm3" None false plain::<Sm3>;
    "hmac-md5" Shared false keyed::<Md5>;
    "hmac-sha1" Shared false keyed::<Sha1>;
    "hmac-sha256" Shared false keyed::<Sha256>;
    "hmac-sha384" Shared false keyed::<Sha384>;
    "hmac-sha512" Shared false keyed::<Sha512>;
    "static" Shared false fixed;
    "rsa-pkcs1-md5" Public true |key| rsa::<Md5>(key, MD5_PREFIX);
    "rsa-pkcs1-sha1" Public true |key| rsa::<Sha1>(key, SHA1_PREFIX);
    "rsa-pkcs1-sha256" Public true |key| rsa::<Sha256>(key, SHA256_PREFIX);
    "rsa-pkcs1-sha512" Public true |key| rsa::<Sha512>(key, SHA512_PREFIX);
    "sm2-sm3" Public true sm2;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(name: &str, form: &str, text: &[u8]) -> Result<Box<dyn Scheme>, String> {
        (named(name).unwrap().prepare)(&KeyText { form, text, user_id: "1234567812345678" })
    }

    fn expected(name: &str, key: &[u8], message: &[u8]) -> String {
        hex::encode(prepare(name, "utf8", key).unwrap().expected(message).unwrap())
    }

    /// RFC 1321, 3174, 6234; GB/T 32905; RFC 2202 and 4231.
    #[test]
    fn digests_and_macs_match_their_standards() {
        let abc = b"abc".as_slice();
        for (name, digest) in [
            ("md5", "900150983cd24fb0d6963f7d28e17f72"),
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        ] {
            assert_eq!(expected(name, b"", abc), digest, "{name}");
        }
        let (key, text) = (b"Jefe".as_slice(), b"what do ya want for nothing?".as_slice());
        assert_eq!(expected("hmac-sha1", key, text), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(expected("hmac-sha256", key, text), sha256);
        assert!(expected("hmac-sha512", key, text).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
    }

    /// GB/T 32918.5.
    #[test]
    fn sm2_verifies_the_standards_example_and_nothing_beside_it() {
        let point = concat!(
            "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020",
            "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
        );
        let signature = hex::decode(concat!(
            "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3",
            "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
        ))
        .unwrap();
        let scheme = prepare("sm2-sm3", "pem", point.as_bytes()).unwrap();
        assert!(scheme.verify(b"message digest", &signature));
        assert!(!scheme.verify(b"message digesu", &signature));
        assert!(!scheme.verify(b"message digest", &signature[..63]));
    }

    #[test]
    fn a_key_that_is_not_one_is_refused_without_being_shown() {
        for (name, form) in
            [("hmac-sha256", "hex"), ("rsa-pkcs1-sha256", "pem"), ("sm2-sm3", "pem"), ("hmac-sha1", "whsec")]
        {
            let message = prepare(name, form, b"not-a-key!").err().unwrap();
            assert!(!message.contains("not-a-key!"), "{message}");
        }
        assert!(prepare("hmac-sha256", "utf8", b"").is_err());
        assert!(prepare("static", "utf8", b"").is_err());
    }
}
