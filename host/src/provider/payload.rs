//! `[payload]` and `[decrypt]`: where the event's document stands when it is not the body.

use bytes::Bytes;
use hookport_plugin_api::description::{Content, Description};
use secrecy::ExposeSecret;

use super::check::Check;
use super::condition::Condition;
use super::decrypt::{Decrypt, DecryptError};
use super::document::unreadable;
use super::place::Place;
use super::signature::Where;
use super::source::Source;
use super::template::Template;
use super::view::{Parsed, Reads, View};
use crate::request::Incoming;

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
            let when = payload.when.as_ref().and_then(|when| check.one("payload.when", Condition::choosing(when)));
            Some((from, when))
        });
        let decrypt = written.decrypt.as_ref().and_then(|decrypt| {
            Decrypt::compile(decrypt).map_err(|(key, wrong)| check.add(&format!("decrypt.{key}"), wrong)).ok()
        });
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

impl Payload {
    /// What is wrong with the keys that a source's secrets make, by the secret's name.
    pub(super) fn check_keys(&self, source: &Source) -> Result<(), String> {
        let Some(decrypt) = &self.decrypt else { return Ok(()) };
        let names = source.secrets_in(source.provider.reach(decrypt.key_places()));
        let nothing = Incoming::nothing();
        let parsed = Parsed::new(&nothing, Reads::default());
        source.combinations(&names).iter().try_for_each(|way| {
            let secrets = source.chosen(way);
            let checked = decrypt.check_key(&View { secrets: &secrets, ..source.view(&parsed) });
            checked.map_err(|wrong| format!("secrets.{}: {wrong}", names.first().map_or("main", String::as_str)))
        })
    }

    /// Takes of several values of a secret the one that opens the request: who changes his key is answered with the old
    /// one until he sends with the new.
    pub(super) fn take_opening<'s>(&self, source: &'s Source, view: &View<'_>, secrets: &mut [(&'s str, &'s [u8])]) {
        let Some(decrypt) = &self.decrypt else { return };
        let opens = |way: &Way| decrypt.open(&View { secrets: &source.chosen(way), ..*view }).is_ok();
        for (name, nth) in ways(decrypt, source).into_iter().find(opens).unwrap_or_default() {
            let taken = secrets.iter_mut().find(|(secret, _)| *secret == name);
            if let (Some((_, text)), Some(values)) = (taken, source.secrets.get(&name)) {
                *text = values[nth].expose_secret().as_bytes();
            }
        }
    }
}

type Way = Vec<(String, usize)>;

/// Every way to take the secrets that open a document.
fn ways(decrypt: &Decrypt, source: &Source) -> Vec<Way> {
    source.combinations(&source.secrets_in(source.provider.reach(decrypt.templates().flat_map(Template::places))))
}

/// Opened with some of the source's secrets. One ciphertext in 256 also opens with a wrong key, where nothing but padding
/// is checked: of several keys the one counts that gives a document.
fn decrypted(decrypt: &Decrypt, source: &Source, view: &View<'_>) -> Result<Option<Vec<u8>>, DecryptError> {
    if decrypt.optional && !decrypt.applies(view) {
        return Ok(None);
    }
    let ways = ways(decrypt, source);
    let (mut opened, mut nearest) = (None, None);
    for way in &ways {
        match decrypt.open(&View { secrets: &source.chosen(way), ..*view }) {
            Ok(mut plain) => {
                let plain = std::mem::take(&mut *plain);
                if ways.len() == 1 || readable(source.provider.content, &plain) {
                    return Ok(Some(plain));
                }
                opened = opened.or(Some(plain));
            }
            Err(error) => nearest = nearest.max(Some(error)),
        }
    }
    opened.map(Some).ok_or(nearest.unwrap_or(DecryptError::Key))
}

fn readable(content: Content, plain: &[u8]) -> bool {
    let request = Incoming { body: Bytes::copy_from_slice(plain), ..Incoming::nothing() };
    unreadable(content, &Parsed::new(&request, Reads::of(content))).is_none()
}
