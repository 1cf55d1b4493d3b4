//! Secrets are loaded here and nowhere else. A complaint names the key and the place, never the value.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookport_plugin_api::description::Many;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::Check;
use crate::config::Environment;
use crate::config::resolved::Key;
use crate::config::written::{HeaderText, Secret};

impl Check<'_> {
    /// The secrets under a key; those that cannot be had are complained about.
    pub(super) fn secrets(&mut self, key: &[&str], written: &Many<Secret>) -> Vec<SecretString> {
        written.iter().filter_map(|secret| self.secret(key, secret)).collect()
    }

    pub(super) fn secret(&mut self, key: &[&str], written: &Secret) -> Option<SecretString> {
        let secret = written.load(self.draft.origin.environment());
        let secret = secret.map_err(|message| self.complain(key, message)).ok()?;
        self.warn_if_here(key, written);
        self.print.read(key, secret.expose_secret().as_bytes());
        Some(secret)
    }

    /// Warns of a secret that everybody sees who sees the configuration; once a key, however many values it has.
    pub(super) fn warn_if_here(&mut self, key: &[&str], written: &Secret) {
        if !matches!(written, Secret::Value(_)) || !self.draft.origin.is_in_file(&super::owned(key)) {
            return;
        }
        let message = "is a secret in this file: { env = \"NAME\" } or { file = \"path\" } keeps it out";
        let warning = self.draft.origin.complaint(&super::owned(key), message);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Marks a file that is read where it is needed: another content of it is another configuration.
    pub(super) fn mark(&mut self, key: &[&str], file: &Path) {
        // What is wrong with it is said by whoever needs it.
        if let Ok(content) = std::fs::read(file) {
            self.print.read(key, &Zeroizing::new(content));
        }
    }

    /// As [`Check::secrets`], where each is a key of 256 bits.
    pub(super) fn keys(&mut self, key: &[&str], written: &Many<Secret>) -> Arc<[Key]> {
        let secrets = self.secrets(key, written);
        let wrong = "must be 32 bytes in base64 or 64 hex digits: make one with `openssl rand -base64 32`";
        let read = |secret: &SecretString| {
            let found = bytes_of(secret);
            if found.is_none() {
                self.complain(key, wrong);
            }
            found
        };
        secrets.iter().filter_map(read).collect()
    }
}

fn bytes_of(text: &SecretString) -> Option<Key> {
    let text = text.expose_secret().trim();
    let bytes = Zeroizing::new(if text.len() == 64 { hex::decode(text).ok()? } else { STANDARD.decode(text).ok()? });
    let bytes: &[u8; 32] = bytes.as_slice().try_into().ok()?;
    Some(Key::init_with_mut(|key: &mut [u8; 32]| key.copy_from_slice(bytes)))
}

impl Secret {
    /// The secret from its place; the error names the place and never the value.
    pub fn load(&self, environment: &Environment) -> Result<SecretString, String> {
        let text = match self {
            Self::Value(text) => text.clone(),
            Self::Env(name) => {
                environment.get(name).ok_or_else(|| format!("the environment variable {name} is not set"))?.to_owned()
            }
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => without_newline(Zeroizing::new(text)),
                Err(error) => return Err(format!("the file {} cannot be read: {error}", path.display())),
            },
        };
        if text.is_empty() { Err(format!("the secret is empty ({self:?})")) } else { Ok(SecretString::from(text)) }
    }
}

impl HeaderText {
    /// The value; what was written in the open is treated as a secret, too.
    pub fn load(&self, environment: &Environment) -> Result<SecretString, String> {
        match self {
            Self::Plain(text) => Ok(SecretString::from(text.as_str())),
            Self::Secret(secret) => secret.load(environment),
        }
    }
}

/// Editors end a file with a newline that is not part of the secret.
fn without_newline(text: Zeroizing<String>) -> String {
    let text = text.strip_suffix('\n').unwrap_or(&text);
    text.strip_suffix('\r').unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_in_base64_or_hex() {
        let key = |text: &str| bytes_of(&text.to_owned().into()).map(|key| *key.expose_secret());
        assert_eq!(key(&"a7".repeat(32)), Some([0xa7; 32]));
        assert_eq!(key(&STANDARD.encode([7; 32])), Some([7; 32]));
        for wrong in ["", "correct horse battery staple", &STANDARD.encode([7; 31]), &"zz".repeat(32)] {
            assert_eq!(key(wrong), None, "{wrong}");
        }
    }
}
