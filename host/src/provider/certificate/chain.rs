//! Whether a certificate chains to a root that is trusted.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use jiff::Timestamp;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
    alg_id,
};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use super::{read, since_1970};

/// What a certificate must chain to.
pub(in super::super) enum Anchors {
    /// Nothing: who may be asked for it is pinned.
    None,
    /// The roots of browsers.
    WebPki,
    /// An operator's own; none where they are not configured.
    Pinned(Vec<TrustAnchor<'static>>),
}

/// The roots of a PEM text. A certificate between a root and those that it signs may stand as one.
pub(in super::super) fn roots(pem: &[u8]) -> Result<Vec<TrustAnchor<'static>>, String> {
    let root = |der: &CertificateDer<'_>| webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned());
    let roots: Result<Vec<_>, _> = read(pem)?.iter().map(|certificate| root(&certificate.der)).collect();
    roots.map_err(|_| "the text holds a certificate that cannot be a root".into())
}

impl Anchors {
    /// Whether the certificate chains to one of them now, by way of the others where need be.
    pub(super) fn verify(
        &self,
        leaf: &CertificateDer<'static>,
        others: Vec<CertificateDer<'static>>,
        now: Timestamp,
    ) -> Result<(), String> {
        let legacy: Vec<_> = ALL_VERIFICATION_ALGS.iter().copied().chain([&Sha1 as _]).collect();
        let (anchors, algorithms) = match self {
            Self::None => return Ok(()),
            Self::WebPki => (webpki_roots::TLS_SERVER_ROOTS, ALL_VERIFICATION_ALGS),
            Self::Pinned(roots) => (roots.as_slice(), legacy.as_slice()),
        };
        let now = UnixTime::since_unix_epoch(since_1970(now));
        let certificate = EndEntityCert::try_from(leaf).map_err(|error| told(&error))?;
        let verified = certificate.verify_for_usage(algorithms, anchors, &others, now, AnyUse, None, None);
        verified.map(drop).map_err(|error| told(&error))
    }
}

fn told(error: &Error) -> String {
    match error {
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => {
            "the certificate does not chain to a root that is trusted".into()
        }
        error => format!("the certificate is not trusted: {error}"),
    }
}

/// Senders sign messages with certificates for servers, for clients, for mail: there is no use of their own.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        Ok(())
    }
}

/// `sha1WithRSAEncryption`, which some private authorities of banks still sign with; never counted below the roots of
/// browsers, where anybody may ask for a certificate.
#[derive(Debug)]
struct Sha1;

impl SignatureVerificationAlgorithm for Sha1 {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, public_key);
        key.verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00")
    }
}
