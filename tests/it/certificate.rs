//! Certificates of one's own, as the gateway reads them: `cert.pem` and `key.pem` in a folder.

use std::path::Path;

use rustls::pki_types::CertificateDer;

/// Puts a pair for `localhost` where the gateway reads it, each file whole at once.
pub(crate) fn certify(folder: &Path) -> CertificateDer<'static> {
    certify_for(folder, "localhost")
}

/// The same for another name.
pub(crate) fn certify_for(folder: &Path, name: &str) -> CertificateDer<'static> {
    let pair = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a pair");
    replace(&folder.join("key.pem"), &pair.signing_key.serialize_pem());
    replace(&folder.join("cert.pem"), &pair.cert.pem());
    pair.cert.der().clone()
}

/// Renames a file over another.
pub(crate) fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).expect("it can be written");
    std::fs::rename(&new, file).expect("it can be renamed");
}
