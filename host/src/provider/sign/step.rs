//! One signature: its key, its text, and how it is written.

use jiff::Timestamp;

use super::super::Few;
use super::super::algorithm::{KeyKind, Layout};
use super::super::remote::Fetched;
use super::super::signature::{Encoding, Table};
use super::super::source::{Ready, Source};
use super::super::view::{Parsed, View};
use super::token::Draft;
use super::{PrivateKey, PrivateKeys, SignError};
use crate::request::Incoming;

/// Everything that a signature is made with.
pub(super) struct Step<'s> {
    pub(super) source: &'s Source,
    pub(super) index: usize,
    pub(super) table: &'s Table,
    pub(super) ready: &'s Ready,
    pub(super) named: &'s [(String, String)],
}

impl Step<'_> {
    /// The encoded signature of the first text that this request has.
    pub(super) fn signature(&self, request: &Incoming, keys: &PrivateKeys) -> Result<String, SignError> {
        let parsed = Parsed::new(request, self.source.provider.reads);
        let sig: Vec<_> =
            self.named.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
        let secrets = self.secrets();
        let view = View { secrets: &secrets, sig: &sig, ..self.source.view(&parsed) };
        let bytes = self.bytes(&view, keys, &self.message(&view)?)?;
        Ok(self.ready.encodings[0].encode(&bytes))
    }

    /// The sample's token, with what the description wants it to say, signed now.
    pub(super) fn token(
        &self,
        request: &Incoming,
        keys: &PrivateKeys,
        algorithm: &str,
        now: Timestamp,
    ) -> Result<String, SignError> {
        let parsed = Parsed::new(request, self.source.provider.reads);
        let secrets = self.secrets();
        let view = View { secrets: &secrets, ..self.source.view(&parsed) };
        let mut draft = Draft::of(self.source, self.table, request);
        draft.signed_with(algorithm, self.ready.keys.first().and_then(|key| key.id.as_deref()));
        draft.renew(self.source, now);
        for (name, template) in &self.table.claims {
            let text = template.render(&view).map_err(|unfit| unfit.to_string());
            let text =
                text.and_then(|text| String::from_utf8(text).map_err(|_| format!("the claim {name} is not text")));
            let text = text.map_err(|why| SignError::Lacking { table: self.index, why })?;
            draft.claim(name, &text);
        }
        let signed = draft.written();
        let bytes = self.bytes(&view, keys, signed.as_bytes())?;
        Ok(format!("{signed}.{}", Encoding::Base64Url.encode(&bytes)))
    }

    /// The secrets that the text may read.
    fn secrets(&self) -> Few<(&str, &[u8])> {
        let key = self.ready.keys.first().map_or(&[][..], |key| &key.chosen);
        let way = self.ready.ways.first().map(Vec::as_slice).unwrap_or_default();
        self.source.chosen(key.iter().chain(way))
    }

    fn bytes(&self, view: &View<'_>, keys: &PrivateKeys, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match (self.table.algorithm.key, self.ready.keys.first()) {
            (KeyKind::Public, _) => self.asymmetric(view, keys, message),
            (_, key) => {
                let why = || format!("{} makes no signature", self.table.algorithm.name);
                let made = key.and_then(|key| key.scheme.expected(message));
                made.ok_or_else(|| SignError::Key { table: self.index, why: why() })
            }
        }
    }

    fn message(&self, view: &View<'_>) -> Result<Vec<u8>, SignError> {
        let mut unfit = None;
        for template in &self.table.messages {
            match template.render(view) {
                Ok(message) => return Ok(message),
                Err(error) => unfit = unfit.or(Some(error)),
            }
        }
        match unfit {
            None => Ok(Vec::new()),
            Some(error) => {
                let why = view.parsed.texts.failed().map_or_else(|| error.to_string(), |rejection| rejection.detail);
                Err(SignError::Lacking { table: self.index, why })
            }
        }
    }

    fn asymmetric(&self, view: &View<'_>, keys: &PrivateKeys, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let name = self.key_name();
        let key = keys.get(&name).ok_or(SignError::NoKey { table: self.index, name })?;
        let user_id = self.table.user_ids.first().and_then(|template| template.render(view).ok());
        let user_id = user_id.map(|text| String::from_utf8_lossy(&text).into_owned());
        let layout = self.ready.layouts.first().copied().unwrap_or(Layout::Der);
        let made = key.sign(self.table.algorithm.name, user_id.as_deref(), layout, message);
        made.map_err(|why| SignError::Key { table: self.index, why })
    }

    /// The name of the public key: the secret that holds it, or what comes with the request.
    fn key_name(&self) -> String {
        if let Some(remote) = &self.table.remote {
            return remote.name(self.table);
        }
        let names = self.source.secrets_in(self.source.provider.reach(self.table.key.1.places()));
        names.first().cloned().unwrap_or_else(|| "main".into())
    }

    /// What the source would fetch.
    pub(super) fn fetched(&self, keys: &PrivateKeys) -> Fetched {
        match self.table.fetches() {
            true => Fetched::given(keys.get(&self.key_name()).and_then(PrivateKey::public).map(Into::into)),
            false => Fetched::default(),
        }
    }
}
