//! How a secret's text becomes a key, or several. A key that is not one is refused without being shown.

use base64::alphabet;
use md5::Md5;
use sha1::Sha1;
use sha2::Digest;
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, KeyKind, Scheme};
use super::filter::lenient_base64;
use super::{certificate, jwks};

/// A key's text and how to read it.
pub struct KeyText<'a> {
    /// One of [`KEY_FORMS`].
    pub form: &'a str,
    /// The text.
    pub text: &'a [u8],
    /// SM2's user id.
    pub user_id: &'a str,
}

/// Every form of a key.
pub const KEY_FORMS: &[&str] = &[
    "utf8",
    "hex",
    "base64",
    "whsec",
    "sha1",
    "md5",
    "pem",
    "spki_base64",
    "x509_pem",
    "ed25519_hex",
    "ed25519_base64",
    "sm2",
    "jwks",
];

/// What SM2 signs for a user who names none, GM/T 0009.
pub(super) const SM2_USER_ID: &str = "1234567812345678";

/// The form of a key that was taken out of a text that may hold several: its bytes. No description can say it.
const BYTES: &str = "bytes";

/// A key that was found in a text that may hold several.
pub(super) struct Held {
    /// A certificate's serial number in hexadecimal, a JWK's `kid`.
    pub(super) id: Option<String>,
    pub(super) kind: KeyKind,
    /// Of a public key DER, or the bytes that its curve has for it.
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

/// A key, ready.
pub(super) struct Prepared {
    pub(super) id: Option<String>,
    pub(super) scheme: Box<dyn Scheme>,
}

/// The keys of a text, made ready for an algorithm; never none. Of a JWK set only those that are meant for it.
pub(super) fn prepare(algorithm: &Algorithm, key: &KeyText<'_>) -> Result<Vec<Prepared>, String> {
    let held = match key.form {
        "x509_pem" => certificate::keys(key.text)?,
        "jwks" => jwks::keys(key.text)?,
        _ => return Ok(vec![Prepared { id: None, scheme: (algorithm.prepare)(key)? }]),
    };
    let mut keys = Vec::with_capacity(held.len());
    let mut why = format!("the key form {:?} holds no key for {}", key.form, algorithm.name);
    for held in held.into_iter().filter(|held| held.kind == algorithm.key) {
        match prepared(algorithm, key, held) {
            Ok(prepared) => keys.push(prepared),
            Err(error) if key.form == "jwks" => why = format!("of the keys none is for {}: {error}", algorithm.name),
            Err(error) => return Err(error),
        }
    }
    if keys.is_empty() { Err(why) } else { Ok(keys) }
}

/// A key that was found in a text, made ready.
pub(super) fn prepared(algorithm: &Algorithm, key: &KeyText<'_>, held: Held) -> Result<Prepared, String> {
    let scheme = (algorithm.prepare)(&KeyText { form: BYTES, text: &held.bytes, ..*key })?;
    Ok(Prepared { id: held.id, scheme })
}

impl KeyText<'_> {
    /// The bytes of a shared key.
    pub(super) fn shared(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let trimmed = self.text.trim_ascii();
        let bytes = match self.form {
            "utf8" | BYTES => Some(self.text.to_vec()),
            "hex" => hex::decode(trimmed).ok(),
            "base64" => lenient_base64(trimmed, &alphabet::STANDARD),
            // Braintree's key is the digest of the one that it shows.
            "sha1" => Some(Sha1::digest(self.text).to_vec()),
            "md5" => Some(Md5::digest(self.text).to_vec()),
            "whsec" => lenient_base64(trimmed.strip_prefix(b"whsec_").unwrap_or(trimmed), &alphabet::STANDARD),
            form => {
                return Err(format!(
                    "the key form {form:?} is not one for a shared key: utf8, hex, base64, whsec, sha1 or md5"
                ));
            }
        };
        bytes.map(Zeroizing::new).ok_or_else(|| format!("the key is not written as {}", self.form))
    }

    /// A public key's DER (SPKI, or PKCS#1 where the PEM says so), or the bytes that its curve has for it.
    pub(super) fn public(&self) -> Result<Vec<u8>, String> {
        if self.form == BYTES {
            return Ok(self.text.to_vec());
        }
        let text = std::str::from_utf8(self.text).map_err(|_| "the key is not text")?.trim();
        let bare = |text: &str| -> Option<Vec<u8>> {
            let bare: String = text.split_whitespace().collect();
            lenient_base64(bare.as_bytes(), &alphabet::STANDARD)
        };
        let broken = || format!("the key is not written as {}", self.form);
        match (self.form, pem_lines(text)) {
            ("pem" | "sm2", Some(_)) if text.contains("-----BEGIN CERTIFICATE") => {
                Err("the key is a certificate: say form = \"x509_pem\"".into())
            }
            ("pem" | "sm2", Some(inner)) => bare(&inner).ok_or_else(|| "the key's base64 is broken".into()),
            ("pem" | "sm2", None) => Err("the key is not PEM: it begins with -----BEGIN PUBLIC KEY-----".into()),
            ("spki_base64", None) => bare(text).ok_or_else(broken),
            ("ed25519_hex", None) => hex::decode(text).map_err(|_| broken()),
            ("ed25519_base64", None) => bare(text.strip_prefix("whpk_").unwrap_or(text)).ok_or_else(broken),
            ("spki_base64" | "ed25519_hex" | "ed25519_base64", Some(_)) => {
                Err("the key is PEM: say form = \"pem\"".into())
            }
            (form, _) => Err(format!(
                "the key form {form:?} is not one for a public key: pem, spki_base64, x509_pem, ed25519_hex, \
                 ed25519_base64, sm2 or jwks"
            )),
        }
    }
}

/// What is between the first `-----BEGIN` and its end. Text before it is a remark: OpenSSL writes such, and so do people.
pub(super) fn pem_lines(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN"));
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with("-----")).collect())
}

/// The contents of every `-----BEGIN <label>-----` block, in order; one whose base64 is broken is nothing.
pub(super) fn pem_blocks<'t>(text: &'t str, label: &str) -> impl Iterator<Item = Option<Vec<u8>>> + use<'t> {
    let begin = format!("-----BEGIN {label}-----");
    let mut lines = text.lines().map(str::trim);
    std::iter::from_fn(move || {
        lines.by_ref().find(|line| *line == begin)?;
        let inner: String = lines.by_ref().take_while(|line| !line.starts_with("-----")).collect();
        Some(lenient_base64(inner.as_bytes(), &alphabet::STANDARD))
    })
}
