//! How a secret's text becomes a key. A key that is not one is refused without being shown.

use base64::alphabet;
use md5::Md5;
use sha1::Sha1;
use sha2::Digest;
use zeroize::Zeroizing;

use super::filter::lenient_base64;

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
pub const KEY_FORMS: &[&str] = &["utf8", "hex", "base64", "whsec", "sha1", "md5", "pem", "spki_base64", "sm2"];

impl KeyText<'_> {
    /// The bytes of a shared key.
    pub(super) fn shared(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        let trimmed = self.text.trim_ascii();
        let bytes = match self.form {
            "utf8" => Some(self.text.to_vec()),
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

    /// The DER of a public key: SPKI, or PKCS#1 where the PEM says so.
    pub(super) fn public_der(&self) -> Result<Vec<u8>, String> {
        let text = std::str::from_utf8(self.text).map_err(|_| "the key is not text")?.trim();
        let inner = match (self.form, pem_lines(text)) {
            ("pem" | "sm2", Some(inner)) => inner,
            ("spki_base64", None) => text.to_owned(),
            ("pem" | "sm2", None) => {
                return Err("the key is not PEM: it begins with -----BEGIN PUBLIC KEY-----".into());
            }
            _ => {
                return Err(format!(
                    "the key form {:?} is not one for a public key here: pem or spki_base64",
                    self.form
                ));
            }
        };
        let bare: String = inner.split_whitespace().collect();
        lenient_base64(bare.as_bytes(), &alphabet::STANDARD).ok_or_else(|| "the key's base64 is broken".into())
    }
}

/// What is between the first `-----BEGIN` and its end. Text before it is a remark: OpenSSL writes such, and so do people.
pub(super) fn pem_lines(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN"));
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with("-----")).collect())
}
