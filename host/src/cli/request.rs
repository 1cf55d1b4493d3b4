//! A kept request as the API shows it, for people: its line, its headers and its body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::Deserialize;

use super::{Failure, output};
use crate::request::Incoming;

/// A request of the API's document.
#[derive(Deserialize)]
pub(super) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
}

impl Request {
    /// Prints it below whatever stands above, set off by an empty line.
    pub(super) fn print(&self) -> Result<(), Failure> {
        output::line(format_args!("\n{}", output::plain(format_args!("{} {}", self.method, self.target))))?;
        for (name, value) in &self.headers {
            output::line(output::plain(format_args!("{name}: {value}")))?;
        }
        match (&self.body, &self.body_base64) {
            (Some(body), _) => output::line(format_args!("\n{}", output::plain(body))),
            (None, Some(text)) => output::line(format_args!("\n({} bytes, not text: see --json)", decoded(text))),
            (None, None) => Ok(()),
        }
    }
}

impl Request {
    /// As it came, as far as the API shows it.
    pub(super) fn whole(self) -> Result<Incoming, Failure> {
        let wrong =
            |error: &dyn std::fmt::Display| Failure::refused(format!("the kept request cannot be read: {error}"));
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(&error))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|error| wrong(&error))?);
        }
        let body = match (self.body, self.body_base64) {
            (Some(body), _) => body.into(),
            (None, Some(text)) => STANDARD.decode(text).map_err(|error| wrong(&error))?.into(),
            (None, None) => Bytes::new(),
        };
        let (method, target) = (self.method, self.target);
        Ok(Incoming { method, target, headers, body, peer: None, received: Timestamp::UNIX_EPOCH })
    }
}

/// How many bytes a padded base64 text stands for.
fn decoded(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_behind_a_base64_text_are_counted() {
        assert_eq!(["", "/w==", "//8=", "////", "/////w=="].map(decoded), [0, 1, 2, 3, 4]);
    }
}
