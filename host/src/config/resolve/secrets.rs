//! Secrets are loaded here and nowhere else. A complaint names the key and the place, never the value.

use hookport_plugin_api::description::Many;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::Check;
use crate::config::Environment;
use crate::config::written::{HeaderText, Secret};

impl Check<'_> {
    /// The secrets under a key; those that cannot be had are complained about.
    pub(super) fn secrets(&mut self, key: &[&str], written: &Many<Secret>) -> Vec<SecretString> {
        written.iter().filter_map(|secret| self.secret(key, secret)).collect()
    }

    pub(super) fn secret(&mut self, key: &[&str], written: &Secret) -> Option<SecretString> {
        let secret = written.load(self.draft.origin.environment());
        secret.map_err(|message| self.complain(key, message)).ok()
    }
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
