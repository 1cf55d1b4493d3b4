//! TLS of connections that the gateway makes: whom it trusts, and how it shows itself. Files are PEM and read once.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use hyper_rustls::ConfigBuilderExt;
use rustls::crypto::aws_lc_rs::{self, sign};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use zeroize::{Zeroize, Zeroizing};

use super::pinned::Pinned;

/// Whom a client trusts and how it shows itself; the default trusts the roots of browsers and shows nothing.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Authorities that are trusted; absent: those of browsers.
    pub roots: Option<Arc<RootCertStore>>,
    /// The client's own certificate.
    pub identity: Option<Identity>,
    /// The one certificate that the server may show, whatever it says; then no authority counts.
    pub pinned: Option<CertificateDer<'static>>,
}

/// A certificate with its chain, and the key that fits it.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

/// Why a file of certificates or a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read.
    #[error("the file {} cannot be read: {words}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        words: String,
    },
    /// It can be read, and is not what it should be.
    #[error("the file {} {wrong}", file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what would be right.
        wrong: String,
    },
}

impl TlsError {
    /// Which file.
    pub fn file(&self) -> &Path {
        match self {
            Self::Unreadable { file, .. } | Self::Wrong { file, .. } => file,
        }
    }
}

/// The authorities in a PEM file.
pub fn roots(file: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| wrong(file, format!("has a certificate that is none: {error}")))?;
    }
    Ok(Arc::new(roots))
}

impl Identity {
    /// From a certificate, with its chain behind it, and the key that belongs to it.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = certificates(cert)?;
        let text = Zeroizing::new(read(key)?);
        let mut der = PrivateKeyDer::from_pem_slice(&text).map_err(|error| wrong(key, no_key(&error)))?;
        let signing = sign::any_supported_type(&der);
        der.zeroize();
        let signing = signing.map_err(|_| wrong(key, "holds a key of a kind that TLS does not use here".into()))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(wrong(key, format!("is not the key of the first certificate in {}", cert.display())))
            }
            Err(error) => Err(wrong(cert, format!("begins with a certificate that is none: {error}"))),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a certificate and its key (hidden)")
    }
}

impl Tls {
    /// TLS 1.2 and 1.3.
    pub(crate) fn config(&self) -> ClientConfig {
        static PLAIN: LazyLock<ClientConfig> = LazyLock::new(|| versions().with_webpki_roots().with_no_client_auth());
        let trusting = match (&self.pinned, &self.roots) {
            (Some(certificate), _) => {
                let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
                let pinned = Pinned { certificate: certificate.clone(), algorithms };
                versions().dangerous().with_custom_certificate_verifier(Arc::new(pinned))
            }
            (None, None) if self.identity.is_none() => return PLAIN.clone(),
            (None, None) => versions().with_webpki_roots(),
            (None, Some(roots)) => versions().with_root_certificates(roots.clone()),
        };
        match &self.identity {
            None => trusting.with_no_client_auth(),
            Some(Identity(key)) => trusting.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key.clone()))),
        }
    }
}

fn versions() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    builder.with_safe_default_protocol_versions().expect("the provider supports the default TLS versions")
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err(wrong(file, "holds no certificate: it must be PEM, with BEGIN CERTIFICATE in it".into()))
        }
        Ok(found) => Ok(found),
        Err(error) => Err(wrong(file, format!("is not PEM: {error}"))),
    }
}

fn no_key(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => {
            "holds no private key: it must be PEM, with BEGIN PRIVATE KEY in it and without a password".to_owned()
        }
        error => format!("is not PEM: {error}"),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| TlsError::Unreadable { file: file.to_owned(), words: error.to_string() })
}

fn wrong(file: &Path, wrong: String) -> TlsError {
    TlsError::Wrong { file: file.to_owned(), wrong }
}
