//! The certificate that is shown to those who connect to us, and TLS with it: 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. It is
//! read again when its files change, and the pair in use stays until another one is whole. When to look is the listener's.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::tls::{Identity, TlsError};

/// A certificate and its key, from two files.
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    pair: Arc<Pair>,
    acceptor: TlsAcceptor,
    seen: Mutex<Stamp>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("cert", &self.cert).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the pair; an error comes with the name of its file, `cert` or `key`.
    pub fn open(cert: &Path, key: &Path) -> Result<Self, (&'static str, TlsError)> {
        let seen = Stamp::of(cert, key);
        let pair = Arc::new(Pair(ArcSwap::new(read(cert, key)?)));
        let acceptor = acceptor(pair.clone());
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), pair, acceptor, seen: Mutex::new(seen) })
    }

    /// For new connections.
    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// The certificate that is shown now, without its chain.
    pub fn shown(&self) -> Option<CertificateDer<'static>> {
        self.pair.0.load().cert.first().cloned()
    }

    /// Reads the pair again if a file has changed. One that cannot be used is said once, and the old one stays.
    pub fn look(&self) {
        let now = Stamp::of(&self.cert, &self.key);
        let before = std::mem::replace(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner), now);
        if before == now {
            return;
        }
        match read(&self.cert, &self.key) {
            Ok(pair) => {
                self.pair.0.store(pair);
                tracing::info!(cert = %self.cert.display(), "the certificate has changed and is in use");
                if let Some(message) = exposed(&self.key) {
                    tracing::warn!("server.tls.key: {message}");
                }
            }
            Err((which, error)) => {
                tracing::error!("server.tls.{which}: {error}; the certificate that was read before stays in use");
            }
        }
    }
}

fn read(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, (&'static str, TlsError)> {
    match Identity::read(cert, key) {
        Ok(Identity(pair)) => Ok(pair),
        Err(error) if error.file() == cert => Err(("cert", error)),
        Err(error) => Err(("key", error)),
    }
}

fn acceptor(pair: Arc<Pair>) -> TlsAcceptor {
    let builder = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into());
    let versions = builder.with_safe_default_protocol_versions();
    let versions = versions.expect("the provider supports the default TLS versions");
    let mut config = versions.with_no_client_auth().with_cert_resolver(pair);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config).into()
}

/// Says so when others than its owner can read a file that holds a key.
#[cfg(unix)]
pub fn exposed(file: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    let message = || format!("{} can be read by others than its owner: chmod 600 it", file.display());
    (mode & 0o044 != 0).then(message)
}

/// Says so when others than its owner can read a file that holds a key.
#[cfg(not(unix))]
pub fn exposed(_: &Path) -> Option<String> {
    None
}

/// The pair in use.
#[derive(Debug)]
struct Pair(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// What tells that a file is another one: time, size and place; a symlink's target counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([Option<(Option<SystemTime>, u64, u64)>; 2]);

impl Stamp {
    fn of(cert: &Path, key: &Path) -> Self {
        Self([cert, key].map(|file| {
            let about = std::fs::metadata(file).ok()?;
            Some((about.modified().ok(), about.len(), inode(&about)))
        }))
    }
}

#[cfg(unix)]
fn inode(about: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(about)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}
