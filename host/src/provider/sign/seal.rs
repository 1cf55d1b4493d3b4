//! `[[open]]` the other way round: fields encrypted for the source's own key, so that it can open what a sample says.

use aws_lc_rs::rsa::{Pkcs1PublicEncryptingKey, PrivateDecryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookport_plugin_api::description::Content;
use secrecy::ExposeSecret;

use super::super::compile::Opened;
use super::super::json::{Document, Kind, Value};
use super::super::open::private_der;
use super::super::place::Place;
use super::super::source::Source;
use super::super::template::Template;
use super::super::view::{Parsed, View};
use super::edit;
use crate::request::Incoming;

/// Encrypts anew what the sample has encrypted and `plain`, the document that it opens to, has as text.
///
/// Fields whose key the source does not have stay as they are.
pub fn seal(source: &Source, sample: &Incoming, plain: &[u8]) -> Result<Incoming, String> {
    let mut request = sealed(source, sample, plain)?;
    let (Ok(sealed), Ok(plain)) = (Document::parse(&sample.body), Document::parse(plain)) else { return Ok(request) };
    for opened in &source.provider.opened {
        let Some(key) = key(source, opened)? else { continue };
        for field in &opened.fields {
            let text = |root: Value<'_>| {
                let value = root.at(field).filter(|value| value.kind() == Kind::String && !value.is_empty());
                value.map(|value| value.text().into_owned())
            };
            let (Some(old), Some(text)) = (text(sealed.root()), text(plain.root())) else { continue };
            if old != text {
                let sealed = encrypted(&key, text.as_bytes())?;
                edit::put(&mut request, &Place::Json(field.clone()), &sealed).map_err(|error| error.to_string())?;
            }
        }
    }
    Ok(request)
}

/// The whole document encrypted for this source, where the sample's was encrypted for another.
fn sealed(source: &Source, sample: &Incoming, plain: &[u8]) -> Result<Incoming, String> {
    let mut request = sample.clone();
    let Some(decrypt) = &source.provider.payload.decrypt else { return Ok(request) };
    let parsed = Parsed::new(sample, source.provider.reads);
    let view = source.view(&parsed);
    let foreign = source.provider.payload.read(source, &view).is_err();
    if !foreign || source.provider.content != Content::Json || Document::parse(plain).is_err() {
        return Ok(request);
    }
    let names = source.secrets_in(source.provider.reach(decrypt.templates().flat_map(Template::places)));
    let ways = source.combinations(&names);
    let secrets = ways.first().map(|way| source.chosen(way)).unwrap_or_default();
    let text = decrypt.seal(&View { secrets: &secrets, ..view }, plain).map_err(|error| error.to_string())?;
    let place = decrypt.place().ok_or("the sample's ciphertext is made of several places: it cannot be made anew")?;
    edit::put(&mut request, place, &text).map_err(|error| error.to_string())?;
    Ok(request)
}

/// The public half of the key that the source opens with.
fn key(source: &Source, opened: &Opened) -> Result<Option<Pkcs1PublicEncryptingKey>, String> {
    let Some(secret) = source.secrets.get(&opened.key).and_then(|values| values.first()) else { return Ok(None) };
    let wrong = |_| format!("secrets.{}: the key cannot encrypt", opened.key);
    let key = PrivateDecryptingKey::from_pkcs8(&private_der(secret.expose_secret())?)
        .map_err(|_| format!("secrets.{}: the key is not an RSA private key", opened.key))?;
    let key = Pkcs1PublicEncryptingKey::new(key.public_key()).map_err(wrong)?;
    if key.ciphertext_size() != opened.block {
        return Err(format!("secrets.{}: the key gives blocks of {} bytes", opened.key, key.ciphertext_size()));
    }
    Ok(Some(key))
}

/// Block by block, as long texts are.
fn encrypted(key: &Pkcs1PublicEncryptingKey, plain: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    for piece in plain.chunks(key.max_plaintext_size()) {
        let mut block = vec![0; key.ciphertext_size()];
        out.extend_from_slice(key.encrypt(piece, &mut block).map_err(|_| "a field cannot be encrypted")?);
    }
    Ok(STANDARD.encode(out))
}
