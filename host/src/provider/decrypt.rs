//! `[decrypt]`: documents that come encrypted, opened, and the other way round for whoever plays the sender.
//!
//! Which secrets are tried is the caller's; neither plaintext nor key is in an error.

mod profile;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::STANDARD as PADDED;
use hookport_plugin_api::description::Decrypt as Written;
use zeroize::Zeroizing;

use self::profile::{PROFILES, Parts, Profile};
use super::complaint::did_you_mean;
use super::filter::lenient_base64;
use super::place::Place;
use super::template::Template;
use super::view::View;

/// The compiled rule.
pub struct Decrypt {
    profile: &'static Profile,
    ciphertext: Template,
    key: Template,
    nonce: Option<Template>,
    aad: Option<Template>,
    receiver: Option<Template>,
    /// Whether a request without ciphertext may come.
    pub optional: bool,
}

/// Why a document cannot be opened; what comes later was nearer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum DecryptError {
    /// There is nothing to open.
    #[error("the request has no ciphertext")]
    Missing,
    /// The key is not configured, or not one.
    #[error("the key of [decrypt] is not configured, or has another length than its profile wants")]
    Key,
    /// Not written as a ciphertext is.
    #[error("the ciphertext is not base64, or it or its nonce has a length that it cannot have")]
    Text,
    /// Another key, or not what was encrypted.
    #[error("the ciphertext does not open with this source's keys: another key, or it was changed")]
    Broken,
    /// It opens, and is for somebody else.
    #[error("what was encrypted is meant for another receiver than the one that [decrypt] names")]
    Receiver,
}

impl Decrypt {
    /// Compiles the rule; what is wrong is told by key.
    pub fn compile(written: &Written) -> Result<Self, (&'static str, String)> {
        let names = || PROFILES.iter().map(|profile| profile.name);
        let unknown = || {
            let near = did_you_mean(&written.profile, names());
            let known: Vec<_> = names().collect();
            let known = known.join(", ");
            ("profile", format!("{:?} is not a profile{near}; profiles are {known}", written.profile))
        };
        let profile = PROFILES.iter().find(|profile| profile.name == written.profile).ok_or_else(unknown)?;
        let one = |key, text: &String| Template::compile(text).map_err(|error| (key, error));
        let part = |key, text: &Option<String>, takes: bool, needs: bool| match text {
            Some(_) if !takes => Err((key, format!("the profile {} has none", profile.name))),
            None if needs => Err((key, format!("missing: the profile {} needs one", profile.name))),
            text => text.as_ref().map(|text| one(key, text)).transpose(),
        };
        Ok(Self {
            profile,
            ciphertext: one("ciphertext", &written.ciphertext)?,
            key: one("key", &written.key)?,
            nonce: part("nonce", &written.nonce, profile.nonce, profile.nonce)?,
            aad: part("aad", &written.aad, profile.nonce, false)?,
            receiver: part("receiver", &written.receiver, profile.receiver, profile.receiver)?,
            optional: written.optional,
        })
    }

    /// Everything that it reads.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.ciphertext, &self.key].into_iter().chain(&self.nonce).chain(&self.aad).chain(&self.receiver)
    }

    /// Whether the request has something to open.
    pub fn applies(&self, view: &View<'_>) -> bool {
        self.ciphertext.render(view).is_ok_and(|text| !text.trim_ascii().is_empty())
    }

    /// Where the ciphertext stands, if it is one place alone.
    pub fn place(&self) -> Option<&Place> {
        match self.ciphertext.places().as_slice() {
            [place] => Some(place),
            _ => None,
        }
    }

    /// Whether a message names its receiver, as in `wx-msgcrypt`.
    pub fn has_receiver(&self) -> bool {
        self.receiver.is_some()
    }

    /// The secrets and settings that the key is made of.
    pub fn key_places(&self) -> Vec<&Place> {
        self.key.places()
    }

    /// What is wrong with the key that these secrets make; nothing where the request has a part in it.
    pub fn check_key(&self, view: &View<'_>) -> Result<(), String> {
        let Ok(text) = self.key.render(view).map(Zeroizing::new) else { return Ok(()) };
        let Profile { name, key, key_is, .. } = self.profile;
        key(&text).map(drop).ok_or_else(|| format!("the key of [decrypt] is not {key_is}, which {name} takes"))
    }

    /// The plaintext of the request's document.
    pub fn open(&self, view: &View<'_>) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let text = self.ciphertext.render(view).map_err(|_| DecryptError::Missing)?;
        let bare: Vec<u8> = text.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if bare.is_empty() {
            return Err(DecryptError::Missing);
        }
        let ciphertext = lenient_base64(&bare, &STANDARD).ok_or(DecryptError::Text)?;
        (self.profile.open)(&self.parts(view)?.of(&ciphertext))
    }

    /// The ciphertext of a plaintext, as base64: with this view's key, receiver and nonce, and fresh random bytes.
    pub fn seal(&self, view: &View<'_>, plain: &[u8]) -> Result<String, DecryptError> {
        let sealed = (self.profile.seal)(&self.parts(view)?.of(plain))?;
        Ok(PADDED.encode(sealed))
    }

    fn key(&self, view: &View<'_>) -> Result<Zeroizing<[u8; 32]>, DecryptError> {
        let text = Zeroizing::new(self.key.render(view).map_err(|_| DecryptError::Key)?);
        (self.profile.key)(&text).ok_or(DecryptError::Key)
    }

    fn parts(&self, view: &View<'_>) -> Result<Parts<'static>, DecryptError> {
        let text = |template: &Option<Template>| match template {
            Some(template) => template.render(view).map_err(|_| DecryptError::Text),
            None => Ok(Vec::new()),
        };
        let (nonce, aad, receiver) = (text(&self.nonce)?, text(&self.aad)?, text(&self.receiver)?);
        Ok(Parts { key: self.key(view)?, nonce, aad, receiver, text: &[] })
    }
}
