//! `[payload]` and `[decrypt]`: where the event's document stands when it is not the body.

use hookport_plugin_api::description::Description;

use super::check::Check;
use super::condition::Condition;
use super::decrypt::{Decrypt, DecryptError};
use super::place::Place;
use super::signature::Where;
use super::source::Source;
use super::template::Template;
use super::view::View;

/// The compiled rule; nothing where the body is the document.
#[derive(Default)]
pub(super) struct Payload {
    from: Option<(Where, Option<Condition>)>,
    pub(super) decrypt: Option<Decrypt>,
}

impl Payload {
    /// Compiles both tables.
    pub(super) fn compile(written: &Description, check: &mut Check<'_>) -> Self {
        let from = written.payload.as_ref().and_then(|payload| {
            let from = check.one("payload.from", payload.from.parse())?;
            let when = payload.when.as_ref().and_then(|when| check.one("payload.when", Condition::compile(when)));
            Some((from, when))
        });
        let decrypt = written.decrypt.as_ref().and_then(|decrypt| check.one("decrypt", Decrypt::compile(decrypt)));
        if written.payload.is_some() && written.decrypt.is_some() {
            check.add(
                "payload",
                "beside [decrypt] it has no meaning: decrypt.ciphertext says where the document stands",
            );
        }
        Self { from, decrypt }
    }

    /// Whether the document is always the body.
    pub(super) fn is_body(&self) -> bool {
        self.from.is_none() && self.decrypt.is_none()
    }

    /// The places that it reads.
    pub(super) fn places(&self) -> Vec<&Place> {
        let from = self
            .from
            .iter()
            .flat_map(|(from, when)| std::iter::once(&from.place).chain(when.iter().flat_map(Condition::places)));
        let decrypt = self.decrypt.iter().flat_map(Decrypt::templates).flat_map(Template::places);
        from.chain(decrypt).collect()
    }

    /// The document's bytes; nothing where this request's body is the document.
    pub(super) fn read(&self, source: &Source, view: &View<'_>) -> Result<Option<Vec<u8>>, DecryptError> {
        if let Some(decrypt) = &self.decrypt {
            return decrypted(decrypt, source, view);
        }
        let Some((from, when)) = &self.from else { return Ok(None) };
        if when.as_ref().is_some_and(|when| when.holds(view).is_err()) {
            return Ok(None);
        }
        Ok(from.read(view).into_iter().next().map(|text| text.into_owned()))
    }
}

/// Opened with some of the source's secrets.
fn decrypted(decrypt: &Decrypt, source: &Source, view: &View<'_>) -> Result<Option<Vec<u8>>, DecryptError> {
    let names = source.secrets_in(source.provider.reach(decrypt.templates().flat_map(Template::places)));
    let mut last = None;
    for way in source.combinations(&names) {
        let secrets = source.chosen(&way);
        match decrypt.open(&View { secrets: &secrets, ..*view }) {
            Ok(plain) => return Ok(Some(plain)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(DecryptError::Receiver))
}
