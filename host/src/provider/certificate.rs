//! X.509 certificates: read from PEM, the public keys that they name, and whether one that came with a request counts.
//!
//! Revocation is not looked at: what signs messages is rolled by its sender, and pinned by host, root and name here.

mod chain;

use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::{Decode, Encode};

pub(super) use self::chain::{Anchors, roots};
use super::algorithm::KeyKind;
use super::key::{Held, pem_blocks};
use super::remote::glob;

/// Certificates of one text; a chain has three.
const MAX_CERTIFICATES: usize = 32;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// A certificate, as it is written and as it is read.
pub(super) struct Certificate {
    der: CertificateDer<'static>,
    read: x509_cert::Certificate,
}

/// What makes a certificate count that came with a request.
#[derive(Debug, Clone, Default)]
pub(super) struct Trust {
    /// What it must chain to.
    pub(super) chain: Option<Chain>,
    /// A glob over the common name of its subject.
    pub(super) subject_cn: Option<String>,
    /// What its subject must contain.
    pub(super) subject: Option<String>,
}

/// What a certificate must chain to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chain {
    /// The roots of browsers.
    WebPki,
    /// The PEM roots of a secret.
    Secret(String),
}

/// The certificates of a PEM text, in its order; never none.
pub(super) fn read(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let text = std::str::from_utf8(pem).map_err(|_| "the certificate is not text")?;
    let blocks = pem_blocks(text, "CERTIFICATE").take(MAX_CERTIFICATES);
    let certificates: Option<Vec<_>> = blocks.map(|der| Certificate::read(der?)).collect();
    match certificates {
        Some(certificates) if !certificates.is_empty() => Ok(certificates),
        Some(_) => Err("the text holds no certificate: it begins with -----BEGIN CERTIFICATE-----".into()),
        None => Err("the text holds a certificate that cannot be read".into()),
    }
}

/// The public key of every certificate of a PEM text, under its serial number.
pub(super) fn keys(pem: &[u8]) -> Result<Vec<Held>, String> {
    read(pem)?.iter().map(Certificate::key).collect()
}

/// The key of the certificate that counts now: the first of the text, or the one of that serial number. The others may
/// stand between it and a root.
pub(super) fn trusted(
    pem: &[u8],
    serial: Option<&[u8]>,
    trust: &Trust,
    anchors: &Anchors,
    now: Timestamp,
) -> Result<Held, String> {
    let mut certificates = read(pem)?;
    let at = serial.map_or(Some(0), |serial| certificates.iter().position(|one| same_id(&one.serial(), serial)));
    let leaf =
        certificates.swap_remove(at.ok_or("there is no certificate of the serial number that the request names")?);
    leaf.holds_at(now)?;
    anchors.verify(&leaf.der, certificates.into_iter().map(|one| one.der).collect(), now)?;
    leaf.is_named(trust)?;
    leaf.key()
}

/// Whether both are the same serial number in hexadecimal, in any case, with leading zeros or without. Other ids than
/// serial numbers may be told apart by less than that; then both are tried.
pub(super) fn same_id(id: &str, other: &[u8]) -> bool {
    fn bare(id: &[u8]) -> &[u8] {
        &id[id.iter().take_while(|&&byte| byte == b'0').count()..]
    }
    bare(id.as_bytes()).eq_ignore_ascii_case(bare(other.trim_ascii()))
}

impl Certificate {
    fn read(der: Vec<u8>) -> Option<Self> {
        let read = x509_cert::Certificate::from_der(&der).ok()?;
        Some(Self { der: der.into(), read })
    }

    /// In hexadecimal, without leading zeros.
    fn serial(&self) -> String {
        let hex = hex::encode(self.read.tbs_certificate().serial_number().as_bytes());
        hex.trim_start_matches('0').to_owned()
    }

    fn key(&self) -> Result<Held, String> {
        let key = self.read.tbs_certificate().subject_public_key_info().to_der();
        let bytes = key.map_err(|_| "the certificate's key cannot be written as DER")?.into();
        Ok(Held { id: Some(self.serial()), kind: KeyKind::Public, bytes })
    }

    fn holds_at(&self, now: Timestamp) -> Result<(), String> {
        let validity = self.read.tbs_certificate().validity();
        let now = since_1970(now);
        match (validity.not_before.to_unix_duration(), validity.not_after.to_unix_duration()) {
            (from, _) if now < from => Err("the certificate is not valid yet".into()),
            (_, until) if now > until => Err("the certificate has expired".into()),
            _ => Ok(()),
        }
    }

    fn is_named(&self, trust: &Trust) -> Result<(), String> {
        let names: Vec<_> = self.read.tbs_certificate().subject().iter().collect();
        let common = || names.iter().filter(|name| name.oid == COMMON_NAME).map(|name| text(name).unwrap_or_default());
        if let Some(pattern) = &trust.subject_cn
            && (common().count() == 0 || !common().all(|name| glob(pattern, name)))
        {
            return Err("the certificate has another common name than the one that is pinned".into());
        }
        match &trust.subject {
            Some(part) if !names.iter().filter_map(|name| text(name)).any(|name| name.contains(part.as_str())) => {
                Err("the certificate is another subject's than the one that is pinned".into())
            }
            _ => Ok(()),
        }
    }
}

/// What a part of a name says.
fn text(name: &AttributeTypeAndValue) -> Option<&str> {
    let value = &name.value;
    let utf8 = Utf8StringRef::try_from(value).ok().map(|text| text.as_str());
    utf8.or_else(|| PrintableStringRef::try_from(value).ok().map(|text| text.as_str()))
        .or_else(|| Ia5StringRef::try_from(value).ok().map(|text| text.as_str()))
        .or_else(|| TeletexStringRef::try_from(value).ok().map(|text| text.as_str()))
}

fn since_1970(time: Timestamp) -> Duration {
    Duration::from_secs(time.as_second().try_into().unwrap_or_default())
}
