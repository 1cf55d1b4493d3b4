//! Secrets are loaded here and nowhere else. A complaint names the key and the place, never the value.

use hookport_plugin_api::description::Many;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::Check;
use crate::config::written::Secret;

impl Check<'_> {
    /// The secrets under a key; those that cannot be had are complained about.
    pub(super) fn secrets(&mut self, key: &[&str], written: &Many<Secret>) -> Vec<SecretString> {
        written.iter().filter_map(|secret| self.secret(key, secret)).collect()
    }

    pub(super) fn secret(&mut self, key: &[&str], written: &Secret) -> Option<SecretString> {
        let text = match written {
            Secret::Value(text) => Ok(text.clone()),
            Secret::Env(name) => match self.draft.origin.environment().get(name) {
                Some(text) => Ok(text.to_owned()),
                None => Err(format!("the environment variable {name} is not set")),
            },
            Secret::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(without_newline(Zeroizing::new(text))),
                Err(error) => Err(format!("the file {} cannot be read: {error}", path.display())),
            },
        };
        match text {
            Ok(text) if text.is_empty() => self.complain(key, format!("the secret is empty ({written:?})")),
            Ok(text) => return Some(SecretString::from(text)),
            Err(message) => self.complain(key, message),
        }
        None
    }
}

/// Editors end a file with a newline that is not part of the secret.
fn without_newline(text: Zeroizing<String>) -> String {
    let text = text.strip_suffix('\n').unwrap_or(&text);
    text.strip_suffix('\r').unwrap_or(text).to_owned()
}
