//! A request without what nobody else should see: what the description does not read goes, what it redacts is masked, and
//! what was made with the provider's key gives way to what a test key makes.

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::provider::place::Place;
use crate::provider::sign::{PrivateKeys, sign};
use crate::provider::source::Source;
use crate::request::Incoming;

/// A run of letters and digits that is as long was made and not written.
const MADE: usize = 16;

/// The request with what the description reads, masked as it says.
pub(super) fn clean(source: &Source, request: &Incoming) -> Incoming {
    let reads = source.provider.reads_of_requests();
    let is_read = |name: &HeaderName| {
        let same = |place: &Place| match place {
            Place::Header(read) => read == name,
            Place::HeaderSeq(prefix) => name.as_str().starts_with(prefix.as_str()),
            _ => false,
        };
        name == CONTENT_TYPE || reads.iter().any(same)
    };
    let mut copy = request.clone();
    copy.peer = None;
    let dropped: Vec<HeaderName> = request.headers.keys().filter(|name| !is_read(name)).cloned().collect();
    dropped.iter().for_each(|name| drop(copy.headers.remove(name)));
    for name in signatures(source) {
        let blanked =
            copy.headers.get(&name).and_then(|value| HeaderValue::from_str(&blank(value.to_str().ok()?)).ok());
        blanked.map(|value| copy.headers.insert(&name, value));
    }
    let named = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        reads.iter().any(|place| matches!(place, Place::Query(read) if read == name))
    };
    let query: Vec<&str> = request.query().split('&').filter(named).collect();
    copy.target = match query.as_slice() {
        [] => request.path().to_owned(),
        query => format!("{}?{}", request.path(), query.join("&")),
    };
    copy.body = source.redact(&request.body);
    copy
}

/// Signed by the test keys; nothing of the captured signature is left.
pub(super) fn signed(
    source: &Source,
    captured: &Incoming,
    cleaned: Incoming,
    keys: &PrivateKeys,
    now: Timestamp,
) -> Result<Incoming, String> {
    let mut request = sign(source, &cleaned, keys, now).map_err(|error| error.to_string())?.request;
    for name in signatures(source) {
        // Of several ways to sign one is used; the others' headers are the provider's still.
        if request.headers.get(&name) == captured.headers.get(&name) {
            request.headers.remove(&name);
        }
    }
    Ok(request)
}

/// The name of a secret of the provider's that a text has.
pub(super) fn leaks<'s>(real: &'s Source, text: &[u8]) -> Option<&'s str> {
    let has = |secret: &[u8]| !secret.is_empty() && memchr::memmem::find(text, secret).is_some();
    real.secrets().find(|(_, secret)| has(secret.expose_secret().as_bytes())).map(|(name, _)| name)
}

/// The headers that carry signatures, but for tokens, whose claims are theirs to keep.
fn signatures(source: &Source) -> Vec<HeaderName> {
    let tables = source.provider.description.verify.iter().filter(|table| !table.alg.starts_with("jwt"));
    let header = |from: &String| match from.parse() {
        Ok(Place::Header(name)) => Some(name),
        _ => None,
    };
    tables.flat_map(|table| table.from.iter()).filter_map(header).collect()
}

/// The text with zeros for all that a key made.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let is_made = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let mut rest = text;
    while let Some(start) = rest.find(is_made) {
        let run = rest[start..].find(|c| !is_made(c)).unwrap_or(rest.len() - start);
        out.push_str(&rest[..start]);
        match run >= MADE {
            true => out.extend(std::iter::repeat_n('0', run)),
            false => out.push_str(&rest[start..start + run]),
        }
        rest = &rest[start + run..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_made_is_blanked_and_the_rest_stays() {
        assert_eq!(
            blank("t=1772442900,v1=5257a869e7ecebeda32affa62cdca3fa"),
            format!("t=1772442900,v1={}", "0".repeat(32))
        );
        assert_eq!(blank("sha256=abc"), "sha256=abc");
        assert_eq!(blank(""), "");
    }
}
