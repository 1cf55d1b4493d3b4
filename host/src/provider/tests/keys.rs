//! Public keys: which of several is asked, how a curve's signature is laid out, and what no key can do.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
};
use rcgen::{CertificateParams, KeyPair, SerialNumber};

use super::*;
use crate::provider::signature::Encoding;

/// A signature over the body by one of several certificates.
const CURVE: &str = r#"
[provider]
id = "curve"
[route]
path = "/curve"
[secrets.main]
about = "the sender's certificates"
kind = "public_key"
[[verify]]
from = "header:x-signature"
encoding = "base64"
alg = "ecdsa-p256-sha256"
key = { form = "x509_pem", select = "${header:x-serial}" }
message = "${body}"
"#;

fn certificate(serial: &[u8]) -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(serial));
    let pem = params.self_signed(&key).unwrap().pem();
    (key, pem)
}

/// A key pair, the public one as PEM.
pub(super) fn pair() -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let public = key.public_key_pem();
    (key, public)
}

/// A public key as a JWK.
pub(super) fn jwk(key: &KeyPair, kid: &str) -> String {
    let point = &key.public_key_raw()[1..];
    let half = |half: &[u8]| Encoding::Base64Url.encode(half);
    let (x, y) = (half(&point[..32]), half(&point[32..]));
    format!(r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","x":"{x}","y":"{y}"}}"#)
}

/// A token that the key signs.
pub(super) fn es256(key: &KeyPair, header: &str, claims: &str) -> String {
    let write = |part: &[u8]| Encoding::Base64Url.encode(part);
    let signed = format!("{}.{}", write(header.as_bytes()), write(claims.as_bytes()));
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der()).unwrap();
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", write(signature.as_ref()))
}

pub(super) fn sign(key: &KeyPair, algorithm: &'static EcdsaSigningAlgorithm, message: &[u8]) -> String {
    let key = EcdsaKeyPair::from_pkcs8(algorithm, key.serialized_der()).unwrap();
    Encoding::Base64.encode(key.sign(&SystemRandom::new(), message).unwrap().as_ref())
}

pub(super) fn complaints(text: &str) -> String {
    let wrong = Provider::compile(parse(text, "p", Grammar::Strict).unwrap(), &Places::new(text, "p"));
    wrong.err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_several_certificates_the_one_that_the_request_names_is_asked() {
    let ((one, first), (two, second)) = (certificate(&[0x0a, 0xb1]), certificate(&[0x7f, 2]));
    let source = source(CURVE, &[&format!("{first}{second}")], &[]);
    let judge = |key: &KeyPair, serial: &str| {
        let signature = sign(key, &ECDSA_P256_SHA256_ASN1_SIGNING, b"{}");
        reason(verify(&source, &request(&[("x-signature", &signature), ("x-serial", serial)], "{}"), at(0)))
    };
    for serial in ["0AB1", "ab1", "000ab1", " 0aB1"] {
        assert_eq!(judge(&one, serial), None, "{serial}");
        assert_eq!(judge(&two, serial), Some(Reason::SignatureMismatch), "{serial}");
    }
    assert_eq!(judge(&two, "7f02"), None);
    for serial in ["", "ab", "ab10", "0"] {
        assert_eq!(judge(&one, serial), Some(Reason::SignatureMismatch), "{serial}");
    }
}

#[test]
fn a_curves_signature_is_taken_in_the_layout_that_is_declared() {
    let (key, pem) = certificate(&[1]);
    let [der, raw] = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_FIXED_SIGNING];
    for (form, algorithm, expected) in [
        ("", der, None),
        ("", raw, Some(Reason::SignatureMismatch)),
        ("form = \"raw\"", raw, None),
        ("form = \"raw\"", der, Some(Reason::SignatureMismatch)),
        ("form = [\"raw\", \"der\"]", der, None),
    ] {
        let text = CURVE.replace("message =", &format!("{form}\nmessage ="));
        let source = source(&text, &[&pem], &[]);
        let headers = [("x-signature", &*sign(&key, algorithm, b"{}")), ("x-serial", "1")];
        assert_eq!(reason(verify(&source, &request(&headers, "{}"), at(0))), expected, "{form}");
    }
}

#[test]
fn a_flood_of_signatures_is_cut_where_each_would_cost_a_check() {
    let (key, pem) = certificate(&[1]);
    let text = CURVE.replace("encoding", "parse = \"list\"\nencoding");
    let source = source(&text, &[&pem], &[]);
    let good = sign(&key, &ECDSA_P256_SHA256_ASN1_SIGNING, b"{}");
    let bad = sign(&key, &ECDSA_P256_SHA256_ASN1_SIGNING, b"[]");
    for (before, expected) in [(7, None), (8, Some(Reason::SignatureMismatch))] {
        let header = format!("{}{good}", format!("{bad},").repeat(before));
        let request = request(&[("x-signature", &header), ("x-serial", "1")], "{}");
        assert_eq!(reason(verify(&source, &request, at(0))), expected, "{before}");
    }
}

#[test]
fn words_for_keys_stand_only_where_they_mean_something() {
    assert_eq!(complaints(CURVE), "");
    let pem = CURVE.replace("x509_pem", "pem");
    assert!(complaints(&pem).contains("key.select: chooses among certificates"), "{}", complaints(&pem));
    let laid_out = SIGNED.replace("message =", "form = \"raw\"\nmessage =");
    assert!(complaints(&laid_out).contains("form: is how a curve's signature is laid out"));
    assert!(complaints(&CURVE.replace("x509_pem", "x509")).contains("is not a key form"));
}

#[test]
fn an_encoding_is_one_that_is_known_or_a_setting() {
    let hexx = SIGNED.replace("\"hex\"", "\"hexx\"");
    assert!(complaints(&hexx).contains("encoding: \"hexx\" is not an encoding: hex, base64"), "{}", complaints(&hexx));
    let chosen =
        SIGNED.replace("\"hex\"", "\"${config:how}\"") + "[settings.how]\nabout = \"how\"\ndefault = \"hex\"\n";
    assert_eq!(complaints(&chosen), "");
}

#[test]
fn a_when_that_says_nothing_chooses_nothing() {
    let table = SIGNED.replace("parse =", "when = {}\nparse =");
    assert!(complaints(&table).contains("verify.0.when: would always hold"), "{}", complaints(&table));
    let word = format!("{SIGNED}[let.x]\nwhen = {{}}\ntemplate = \"x\"\n");
    assert!(complaints(&word).contains("would always hold"), "{}", complaints(&word));
}
