//! A vector's request as its file writes it, and the tampered copies of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::request::Incoming;

/// A request, as written.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(super) struct Written {
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    pub(super) url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_base64: Option<String>,
}

fn post() -> String {
    "POST".into()
}

/// Path and query of a URL, as written.
pub(super) fn after_origin(url: &str) -> &str {
    if url.starts_with(['/', '?']) {
        return url;
    }
    let authority = url.find("://").map_or(0, |at| at + 3);
    url[authority..].find(['/', '?']).map_or("", |at| &url[authority + at..])
}

impl Written {
    /// As it would be received.
    pub(super) fn read(&self) -> Result<Incoming, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: HeaderName =
                name.to_ascii_lowercase().parse().map_err(|_| format!("{name:?} is not a header's name"))?;
            headers.append(
                name,
                HeaderValue::from_bytes(value.as_bytes()).map_err(|_| "a header's value cannot be sent")?,
            );
        }
        let body = match (&self.body, &self.body_base64) {
            (_, Some(text)) => STANDARD.decode(text).map_err(|error| format!("body_base64: {error}"))?,
            (Some(text), None) => text.clone().into_bytes(),
            (None, None) => Vec::new(),
        };
        // As written: a sender that signs a URL without a path signs none.
        let target = after_origin(&self.url).to_owned();
        Ok(Incoming {
            method: self.method.clone(),
            target,
            headers,
            body: body.into(),
            peer: None,
            received: Timestamp::UNIX_EPOCH,
        })
    }

    /// The copy that is changed by `body`, `url` or `replace:A:B`.
    pub(super) fn tampered(&self, how: &str) -> Result<Self, String> {
        let mut copy = self.clone();
        match how {
            "body" => match (&mut copy.body, &mut copy.body_base64) {
                (_, Some(text)) => {
                    let mut bytes = STANDARD.decode(&*text).map_err(|error| format!("body_base64: {error}"))?;
                    match bytes.last_mut() {
                        Some(byte) => *byte ^= 1,
                        None => bytes.push(b'x'),
                    }
                    *text = STANDARD.encode(bytes);
                }
                (body, None) => body.get_or_insert_default().push('x'),
            },
            "url" => copy.url.push('x'),
            replace => {
                let (from, to) = replace
                    .strip_prefix("replace:")
                    .and_then(|pair| {
                        // The texts may hold colons themselves: both have the same length.
                        let at = pair.len() / 2;
                        pair.is_char_boundary(at)
                            .then(|| pair.split_at(at))
                            .and_then(|(from, to)| Some((from, to.strip_prefix(':')?)))
                            .or_else(|| pair.split_once(':'))
                    })
                    .ok_or_else(|| format!("tamper {replace:?} is not body, url or replace:A:B"))?;
                let swap = |text: &mut String| *text = text.replace(from, to);
                swap(&mut copy.url);
                copy.headers.values_mut().for_each(swap);
                copy.body.iter_mut().for_each(swap);
                if let Some(text) = &mut copy.body_base64 {
                    let bytes = STANDARD.decode(&*text).map_err(|error| format!("body_base64: {error}"))?;
                    *text = STANDARD.encode(replaced(&bytes, from.as_bytes(), to.as_bytes()));
                }
                if copy != *self {
                    return Ok(copy);
                }
                // Perhaps the texts are those of the request as it is written in the file, quotes included.
                let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
                copy = serde_json::from_str(&text.replace(from, to))
                    .map_err(|error| format!("tamper {replace:?}: {error}"))?;
                if copy == *self {
                    return Err(format!("tamper {replace:?} changes nothing"));
                }
            }
        }
        Ok(copy)
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while !rest.is_empty() {
        match rest.strip_prefix(from) {
            Some(after) if !from.is_empty() => {
                out.extend_from_slice(to);
                rest = after;
            }
            _ => {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    out
}
