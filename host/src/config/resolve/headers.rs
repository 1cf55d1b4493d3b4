//! `[destinations.NAME] headers` and those of `[traces]`: names that may be set, and values that a header can carry. Values are never repeated.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use zeroize::Zeroizing;

use super::Check;
use crate::config::written::HeaderText;

impl Check<'_> {
    pub(super) fn headers(
        &mut self,
        destination: &str,
        written: &BTreeMap<String, HeaderText>,
        url: Option<&Url>,
    ) -> HeaderMap {
        self.headers_at(&["destinations", destination, "headers"], written, url)
    }

    /// The same of a table that is there.
    pub(super) fn headers_at(
        &mut self,
        table: &[&str],
        written: &BTreeMap<String, HeaderText>,
        url: Option<&Url>,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, text) in written {
            let key = [table, &[name.as_str()]].concat();
            let secret = text.load(self.draft.origin.environment()).map_err(|message| self.complain(&key, message));
            let parsed = match name_of(name) {
                Ok(parsed) => parsed,
                Err(wrong) => {
                    self.complain(&key, wrong);
                    continue;
                }
            };
            if parsed == header::AUTHORIZATION && url.is_some_and(|url| !url.username().is_empty()) {
                self.complain(&key, "is already made of the name and password in `url`: keep one of them");
            }
            match text {
                HeaderText::Plain(_) if names_a_secret(&parsed) => self.warn(
                    &key,
                    "is a secret by its name: { env = \"NAME\" } or { file = \"path\" } keeps it out of this file",
                ),
                HeaderText::Secret(secret) => self.warn_if_here(&key, secret),
                HeaderText::Plain(_) => {}
            }
            let Ok(secret) = secret else { continue };
            match value(&secret) {
                Some(_) if headers.contains_key(&parsed) => {
                    self.complain(&key, "is there twice: case does not matter in a header's name");
                }
                Some(value) => drop(headers.insert(parsed, value)),
                None => {
                    self.complain(&key, "has a value that no header can carry: only visible ASCII, spaces and tabs")
                }
            }
        }
        headers
    }
}

/// The name, unless it is none or not for the operator to set.
fn name_of(text: &str) -> Result<HeaderName, String> {
    let name: HeaderName = text.parse().map_err(|_| "is not a header's name, such as X-Team".to_owned())?;
    let why = match name.as_str() {
        "host" => "it follows from `url`",
        "content-length" | "transfer-encoding" | "content-encoding" => "it follows from the body",
        "content-type" => "it follows from `format`",
        "connection" | "keep-alive" | "proxy-connection" | "te" | "trailer" | "upgrade" | "expect"
        | "http2-settings" => "it belongs to the connection",
        name if name.starts_with("webhook-") || name.starts_with("hookport-") => {
            "it carries the gateway's id or signature"
        }
        _ => return Ok(name),
    };
    Err(format!("cannot be set here: {why}"))
}

fn names_a_secret(name: &HeaderName) -> bool {
    let name = name.as_str();
    ["authorization", "cookie", "token", "secret", "api-key", "apikey", "password"]
        .iter()
        .any(|part| name.contains(part))
}

/// Marked as sensitive, whatever it is, so that nobody prints it; its memory is wiped with the last copy.
pub(in crate::config) fn value(secret: &SecretString) -> Option<HeaderValue> {
    struct Wiped(Zeroizing<Vec<u8>>);
    impl AsRef<[u8]> for Wiped {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let text = secret.expose_secret();
    let visible = text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    if !visible || text.trim() != text {
        return None;
    }
    let bytes = Bytes::from_owner(Wiped(Zeroizing::new(text.as_bytes().to_vec())));
    let mut value = HeaderValue::from_maybe_shared(bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}
