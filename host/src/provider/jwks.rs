//! JWK sets, RFC 7517: the keys that are for signatures, each under its `kid`.

use base64::alphabet;
use x509_cert::der::Encode;
use x509_cert::der::asn1::UintRef;
use zeroize::Zeroizing;

use super::algorithm::KeyKind;
use super::filter::lenient_base64;
use super::json::{Document, Kind, Value};
use super::key::Held;

/// Keys of one set; a sender that rolls its keys has a handful.
const MAX_KEYS: usize = 64;

/// The keys of a set, or of a text that is one key. What this version does not know is left out.
pub(super) fn keys(text: &[u8]) -> Result<Vec<Held>, String> {
    let document = Document::parse(text).map_err(|_| "the key set is not JSON")?;
    let root = document.root();
    match root.at(&["keys".into()]) {
        Some(list) if list.kind() == Kind::Array => Ok(list.children().take(MAX_KEYS).filter_map(key).collect()),
        None if root.kind() == Kind::Object => Ok(key(root).into_iter().collect()),
        _ => Err("the key set has no list of keys".into()),
    }
}

fn key(jwk: Value<'_>) -> Option<Held> {
    let text = |name: &str| jwk.at(&[name.to_owned()]).filter(|value| value.kind() == Kind::String).map(Value::text);
    let bytes = |name: &str| lenient_base64(text(name)?.as_bytes(), &alphabet::URL_SAFE).map(Zeroizing::new);
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let (kind, bytes) = match (text("kty")?.as_ref(), text("crv").as_deref()) {
        ("RSA", None) => (KeyKind::Public, pkcs1(&bytes("n")?, &bytes("e")?)?),
        ("EC", Some("P-256")) => (KeyKind::Public, [&[4][..], &bytes("x")?, &bytes("y")?].concat().into()),
        ("OKP", Some("Ed25519")) => (KeyKind::Public, bytes("x")?),
        ("oct", None) => (KeyKind::Shared, bytes("k")?),
        _ => return None,
    };
    Some(Held { id: text("kid").map(Into::into), kind, bytes })
}

/// `RSAPublicKey` of RFC 8017.
fn pkcs1(modulus: &[u8], exponent: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let numbers = vec![UintRef::new(modulus).ok()?, UintRef::new(exponent).ok()?];
    numbers.to_der().ok().map(Zeroizing::new)
}
