//! Signing one request: what is written first, what is signed, and where the signature goes.

use super::super::place::Place;
use super::super::sign::{SignError, edit};
use super::super::source::Source;
use super::super::view::{Parsed, View};
use super::Unmade;
use super::draft::Draft;
use super::fresh::Own;
use super::request::Sight;
use super::signer::{ReadySigner, Signer, Value};

/// A signer with everything that one request needs.
pub(super) struct Work<'w> {
    pub(super) source: &'w Source,
    /// Of the signer.
    pub(super) index: usize,
    pub(super) secrets: &'w [(&'w str, &'w [u8])],
    pub(super) own: &'w Own,
}

impl<'w> Work<'w> {
    pub(super) fn signer(&self) -> &'w Signer {
        &self.source.provider.calls.signers[self.index]
    }

    fn ready(&self) -> Result<&'w ReadySigner, Unmade> {
        let ready = self.source.signing.get(self.index).and_then(Option::as_ref);
        ready.ok_or_else(|| {
            let names = self.source.secrets_in(self.source.provider.reach(self.signer().key().places()));
            Unmade::Other(format!("secrets.{} is not set, and the request is signed with it", names.join(", secrets.")))
        })
    }

    /// Writes what the signer sets: time, nonce, names of accounts.
    pub(super) fn stamp(&self, draft: &mut Draft) -> Result<(), Unmade> {
        for (place, value) in &self.signer().set {
            let text = self.seen(draft, |view| value.template().render(&Sight { view, input: None }))?;
            let text = String::from_utf8(text).map_err(|_| format!("what is set at {place} is not UTF-8"))?;
            match value {
                Value::Text(_) if text.is_empty() && matches!(place, Place::Header(_)) => Ok(()),
                Value::Text(_) => edit::put(&mut draft.request, place, &text),
                Value::Json(_) => edit::put_json(&mut draft.request, place, &text),
            }
            .map_err(unwritten)?;
        }
        Ok(())
    }

    /// The signature's bytes.
    pub(super) fn mac(&self, draft: &Draft) -> Result<Vec<u8>, Unmade> {
        let (signer, ready) = (self.signer(), self.ready()?);
        let message = self.seen(draft, |view| {
            let mut unfit = None;
            for template in &signer.messages {
                match template.render(view) {
                    Ok(message) => return Ok(message),
                    Err(error) => unfit = unfit.or(Some(error)),
                }
            }
            unfit.map_or(Ok(Vec::new()), Err)
        })?;
        Ok(ready.sign(signer.algorithm, &message)?)
    }

    /// Writes the signature where it belongs.
    pub(super) fn write(&self, draft: &mut Draft, mac: &[u8]) -> Result<(), Unmade> {
        let (signer, ready) = (self.signer(), self.ready()?);
        let text = self.seen(draft, |view| signer.text(ready, view, mac))?;
        edit::put(&mut draft.request, &signer.to, &text).map_err(unwritten)
    }

    /// What a template makes of the request as it is now.
    fn seen<T, E>(&self, draft: &Draft, read: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let parsed = Parsed::new(&draft.request, self.signer().reads);
        let own: Vec<_> = self.own.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let now = self.own.iter().find(|(name, _)| *name == "now").map(|(_, text)| text.as_str().into());
        let stamp = self.signer().stamp.as_deref().map(Into::into);
        let sig: Vec<_> = stamp.zip(now).into_iter().collect();
        let view = self.source.view(&parsed);
        read(&View { url: Some(&draft.origin), secrets: self.secrets, own: &own, sig: &sig, ..view })
    }
}

fn unwritten(error: SignError) -> Unmade {
    Unmade::Other(error.to_string())
}
