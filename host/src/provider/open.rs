//! `[[open]]`: encrypted fields, decrypted when an event is delivered. Their plaintext is never stored.

use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use base64::alphabet;
use bytes::Bytes;
use zeroize::Zeroizing;

use super::filter::lenient_base64;
use super::json::{Document, Edit, Kind, Value, write_string};
use super::key::pem_lines;
use super::redact::mask;
use super::source::Source;

/// A private key that opens fields.
pub struct OpeningKey(Pkcs1PrivateDecryptingKey);

impl OpeningKey {
    /// Reads PEM: `BEGIN PRIVATE KEY` (PKCS#8) or `BEGIN RSA PRIVATE KEY` (PKCS#1).
    pub fn read(pem: &str) -> Result<Self, String> {
        let der = private_der(pem)?;
        let key = PrivateDecryptingKey::from_pkcs8(&der)
            .map_err(|_| "the key is not an RSA private key of 2048 bits or more (PEM)")?;
        Pkcs1PrivateDecryptingKey::new(key).map(Self).map_err(|_| "the key cannot decrypt PKCS#1 v1.5".into())
    }

    fn open(&self, ciphertext: &[u8], block: usize) -> Option<Zeroizing<Vec<u8>>> {
        let mut plain = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
        for piece in ciphertext.chunks(block) {
            let mut buffer = Zeroizing::new(vec![0; self.0.min_output_size()]);
            plain.extend_from_slice(self.0.decrypt(piece, &mut buffer).ok()?);
        }
        Some(plain)
    }
}

/// The PKCS#8 DER of a private key in PEM.
pub fn private_der(pem: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    use rsa::pkcs1::DecodeRsaPrivateKey;
    use rsa::pkcs8::EncodePrivateKey;
    let text = pem_lines(pem).ok_or("the key is not PEM: it begins with -----BEGIN PRIVATE KEY-----")?;
    let der = lenient_base64(text.as_bytes(), &alphabet::STANDARD).map(Zeroizing::new).ok_or("the key is not PEM")?;
    if !pem.contains("BEGIN RSA PRIVATE KEY") {
        return Ok(der);
    }
    let key = rsa::RsaPrivateKey::from_pkcs1_der(&der).map_err(|_| "the key is not an RSA private key")?;
    let pkcs8 = key.to_pkcs8_der().map_err(|_| "the key cannot be written as PKCS#8")?;
    Ok(Zeroizing::new(pkcs8.as_bytes().to_vec()))
}

impl Source {
    /// Whether there is anything to open or to mask in this source's events.
    pub fn opens(&self) -> bool {
        self.masks() || !self.opening.values().all(Vec::is_empty)
    }

    /// Whether what is kept of a refused request may have lost what this source redacts: it proves nothing any more.
    pub fn is_masked(&self, body: &[u8]) -> bool {
        !self.provider.redacted.is_empty()
            && (body.windows(3).any(|bytes| bytes == b"***")
                || body.starts_with(b"[") && body.ends_with(b"does not parse]"))
    }

    /// Whether it redacts anything.
    pub fn redacts(&self) -> bool {
        !self.provider.redacted.is_empty()
    }

    /// Whether this source's events hold what is not for everybody's eyes: fields that are opened or redacted.
    pub fn hides(&self) -> bool {
        self.opens() || !self.provider.redacted.is_empty()
    }

    fn masks(&self) -> bool {
        self.setting("mask_event") == Some("true")
    }

    /// An event's data as a destination gets it: declared fields opened, and masked where the source says so.
    pub fn open(&self, data: &Bytes) -> (Bytes, Vec<String>) {
        let mut warnings = Vec::new();
        let opened = match self.opening.values().all(Vec::is_empty) {
            true => data.clone(),
            false => self.opened(data, &mut warnings).unwrap_or_else(|| data.clone()),
        };
        (if self.masks() { mask(&opened, &self.provider.redacted) } else { opened }, warnings)
    }

    /// Data or a body as a person may see it: what the description redacts is masked.
    pub fn redact(&self, data: &[u8]) -> Bytes {
        mask(data, &self.provider.redacted)
    }

    /// As [`redact`](Self::redact), with a signature that stands in the body masked too. For screens; what is kept keeps it,
    /// because it may be verified again.
    pub fn shown(&self, data: &[u8]) -> Bytes {
        let redacted = self.redact(data);
        match self.provider.signed_fields.is_empty() || Document::parse(&redacted).is_err() {
            true => redacted,
            false => mask(&redacted, &self.provider.signed_fields),
        }
    }

    fn opened(&self, data: &[u8], warnings: &mut Vec<String>) -> Option<Bytes> {
        let document = Document::parse(data).ok()?;
        let fields: Vec<(Value<'_>, &str, usize, &[OpeningKey])> = (self.provider.opened.iter())
            .flat_map(|opened| {
                let keys = self.opening.get(&opened.key).map(Vec::as_slice).unwrap_or_default();
                opened
                    .fields
                    .iter()
                    .filter_map(|field| {
                        let value = document
                            .root()
                            .at(field)
                            .filter(|value| value.kind() == Kind::String && !value.is_empty())?;
                        Some((value, field.last()?.as_str(), opened.block, keys))
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut out = Vec::with_capacity(data.len());
        document.root().write(&mut out, &mut |value| {
            let Some((_, name, block, keys)) = fields.iter().find(|(field, ..)| field.is(value)) else {
                return Edit::Keep;
            };
            match open_field(&value.text(), *block, keys) {
                Some(literal) => Edit::Replace(literal),
                None => {
                    warnings
                        .push(format!("field {name}: cannot be opened with this source's key; it stays as it came"));
                    Edit::Keep
                }
            }
        });
        Some(out.into())
    }
}

fn open_field(text: &str, block: usize, keys: &[OpeningKey]) -> Option<Vec<u8>> {
    let ciphertext = lenient_base64(text.trim().as_bytes(), &alphabet::STANDARD)?;
    if ciphertext.is_empty() || ciphertext.len() % block != 0 {
        return None;
    }
    let plain = keys.iter().find_map(|key| key.open(&ciphertext, block))?;
    std::str::from_utf8(&plain).ok()?;
    let mut literal = Vec::with_capacity(plain.len() + 2);
    write_string(&plain, &mut literal);
    Some(literal)
}
