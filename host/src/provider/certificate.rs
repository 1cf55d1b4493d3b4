//! X.509 certificates: read from PEM, and the public keys that they name.

use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use super::algorithm::KeyKind;
use super::key::{Held, pem_blocks};

/// Certificates of one text; a chain has three.
const MAX_CERTIFICATES: usize = 32;

/// The certificates of a PEM text, in its order; never none.
pub(super) fn read(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let text = std::str::from_utf8(pem).map_err(|_| "the certificate is not text")?;
    let blocks = pem_blocks(text, "CERTIFICATE").take(MAX_CERTIFICATES);
    let certificates = blocks.map(|der| Certificate::from_der(&der?).ok());
    let certificates: Option<Vec<_>> = certificates.collect();
    match certificates {
        Some(certificates) if !certificates.is_empty() => Ok(certificates),
        Some(_) => Err("the text holds no certificate: it begins with -----BEGIN CERTIFICATE-----".into()),
        None => Err("the text holds a certificate that cannot be read".into()),
    }
}

/// The public key of every certificate of a PEM text, under its serial number.
pub(super) fn keys(pem: &[u8]) -> Result<Vec<Held>, String> {
    let held = |certificate: &Certificate| {
        let key = certificate.tbs_certificate().subject_public_key_info().to_der();
        let bytes = key.map_err(|_| "the certificate's key cannot be written as DER")?.into();
        Ok(Held { id: Some(serial(certificate)), kind: KeyKind::Public, bytes })
    };
    read(pem)?.iter().map(held).collect()
}

/// In hexadecimal, without leading zeros.
pub(super) fn serial(certificate: &Certificate) -> String {
    let hex = hex::encode(certificate.tbs_certificate().serial_number().as_bytes());
    hex.trim_start_matches('0').to_owned()
}
