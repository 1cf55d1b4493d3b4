//! How a signature is written.

use base64::alphabet;

use crate::provider::filter::lenient_base64;

/// The names of encodings.
pub(super) const ENCODINGS: &str = "hex, base64, base64url, utf8, either (hex or base64)";

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Any case.
    Hex,
    /// With or without padding.
    Base64,
    /// With or without padding.
    Base64Url,
    /// As it is.
    Utf8,
}

impl Encoding {
    /// What a name stands for; `either` is hex and base64.
    pub fn named(name: &str) -> Option<&'static [Self]> {
        Some(match name {
            "hex" => &[Self::Hex],
            "base64" => &[Self::Base64],
            "base64url" => &[Self::Base64Url],
            "utf8" => &[Self::Utf8],
            "either" => &[Self::Hex, Self::Base64],
            _ => return None,
        })
    }

    pub(super) fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => unhex(text),
            Self::Base64 => lenient_base64(text.as_bytes(), &alphabet::STANDARD),
            Self::Base64Url => lenient_base64(text.as_bytes(), &alphabet::URL_SAFE),
            Self::Utf8 => Some(text.as_bytes().to_vec()),
        }
    }

    /// Writes a signature.
    pub fn encode(self, signature: &[u8]) -> String {
        use base64::Engine;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
        match self {
            Self::Hex => hex::encode(signature),
            Self::Base64 => STANDARD.encode(signature),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(signature),
            Self::Utf8 => String::from_utf8_lossy(signature).into_owned(),
        }
    }
}

/// Digits in pairs, in any case.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    let mut bytes = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let [high, low] = pair.map(|digit| DIGITS[usize::from(digit)]);
        if high > 15 || low > 15 {
            return None;
        }
        bytes.push(high << 4 | low);
    }
    odd.is_empty().then_some(bytes)
}

/// What each byte is worth as a hexadecimal digit; more than 15 where it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut worth = 0;
    while worth < 16 {
        digits[b"0123456789abcdef"[worth] as usize] = worth as u8;
        digits[b"0123456789ABCDEF"[worth] as usize] = worth as u8;
        worth += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hexadecimal_digits_are_read_as_others_read_them(text in "[0-9a-gA-G]{0,8}|[0-9a-fA-F]{0,64}|.{0,6}") {
            prop_assert_eq!(unhex(&text), hex::decode(&text).ok());
        }
    }
}
