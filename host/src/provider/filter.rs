//! Filters: `${body|sha256|hex}`. Each takes bytes and gives bytes; a text that it cannot take gives nothing.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use md5::Md5;
use memchr::memchr2;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use sm3::Sm3;

/// What RFC 3986 leaves alone.
pub(super) const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One filter.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// As written behind the `|`.
    pub name: &'static str,
    run: fn(&[u8]) -> Option<Vec<u8>>,
}

impl Filter {
    /// The filter of that name.
    pub fn named(name: &str) -> Option<Self> {
        FILTERS.iter().copied().find(|filter| filter.name == name)
    }

    /// Runs it.
    pub fn run(self, bytes: &[u8]) -> Option<Vec<u8>> {
        (self.run)(bytes)
    }
}

/// Every filter.
pub const FILTERS: &[Filter] = &[
    Filter { name: "lower", run: |bytes| Some(bytes.to_ascii_lowercase()) },
    Filter { name: "upper", run: |bytes| Some(bytes.to_ascii_uppercase()) },
    Filter { name: "trim", run: |bytes| Some(bytes.trim_ascii().to_vec()) },
    Filter { name: "hex", run: |bytes| Some(hex::encode(bytes).into_bytes()) },
    Filter { name: "base64", run: |bytes| Some(STANDARD.encode(bytes).into_bytes()) },
    Filter { name: "unbase64", run: |bytes| lenient_base64(&unwrapped(bytes), &alphabet::STANDARD) },
    Filter { name: "urlencode", run: |bytes| Some(percent_encode(bytes, UNRESERVED).to_string().into_bytes()) },
    Filter { name: "urldecode", run: |bytes| Some(form_decode(bytes).into_owned()) },
    Filter { name: "md5", run: |bytes| Some(Md5::digest(bytes).to_vec()) },
    Filter { name: "sha1", run: |bytes| Some(Sha1::digest(bytes).to_vec()) },
    Filter { name: "sha256", run: |bytes| Some(Sha256::digest(bytes).to_vec()) },
    Filter { name: "sha512", run: |bytes| Some(Sha512::digest(bytes).to_vec()) },
    Filter { name: "crc32", run: |bytes| Some(crc32fast::hash(bytes).to_string().into_bytes()) },
    Filter { name: "sm3", run: |bytes| Some(Sm3::digest(bytes).to_vec()) },
    Filter {
        name: "json",
        run: |bytes| {
            let mut literal = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 2);
            super::json::write_string(bytes, &mut literal);
            Some(literal)
        },
    },
];

/// Base64 with or without padding.
pub fn lenient_base64(bytes: &[u8], alphabet: &alphabet::Alphabet) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config).decode(bytes).ok()
}

/// Without the line breaks that MIME puts into base64.
fn unwrapped(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// Percent-decoding in which `+` is a space; a `%` without two hex digits stays.
pub fn form_decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(b'+', b'%', bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let spaced: Vec<u8> = bytes.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(percent_encoding::percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_may_be_wrapped_into_lines() {
        let unbase64 = Filter::named("unbase64").unwrap();
        assert_eq!(unbase64.run(b"aGVs\nbG8\n").as_deref(), Some(&b"hello"[..]));
        assert_eq!(unbase64.run(b"aGVs*bG8"), None);
    }
}
