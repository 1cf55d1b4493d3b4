//! `token_pattern`: which texts of a request may be answered or signed for whoever asks.

use regex::bytes::{Regex, RegexBuilder};

/// What a token is unless the description says otherwise.
const DEFAULT: &str = "^[A-Za-z0-9_-]{1,128}$";
/// Bytes of a token, whatever the pattern says.
pub(super) const LONGEST: usize = 1024;
/// Bytes of a compiled pattern.
const SIZE: usize = 1 << 20;

/// A compiled pattern; it always stands for the whole text.
pub(super) struct Token(Regex);

impl Token {
    /// Compiles one.
    pub(super) fn compile(pattern: Option<&str>) -> Result<Self, String> {
        let pattern = pattern.unwrap_or(DEFAULT);
        let regex = |text: &str| {
            let built = RegexBuilder::new(text).size_limit(SIZE).build();
            built.map_err(|error| format!("{pattern:?} cannot be used: {error}"))
        };
        // By itself first: `a)|(b` would come out of the anchors.
        regex(pattern)?;
        regex(&format!("^(?:{pattern})$")).map(Self)
    }

    /// Whether the whole text is one.
    pub(super) fn fits(&self, text: &[u8]) -> bool {
        text.len() <= LONGEST && self.0.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_whole_text_and_short() {
        let token = Token::compile(None).unwrap();
        assert!(token.fits(b"aZ_-9"));
        for wrong in ["", "a b", "a\n", "a.b", "\u{e9}", &"a".repeat(129)] {
            assert!(!token.fits(wrong.as_bytes()), "{wrong:?}");
        }
        let loose = Token::compile(Some("a|b+")).unwrap();
        assert!(loose.fits(b"bb") && !loose.fits(b"ab") && !loose.fits(b"xa"));
        assert!(!Token::compile(Some("(?s).*")).unwrap().fits(&[b'a'; LONGEST + 1]));
    }

    #[test]
    fn a_pattern_cannot_leave_its_anchors_or_grow_without_end() {
        for wrong in ["a)|(b", "(", "(?x)a # ", "[a-z]{1000000}"] {
            assert!(Token::compile(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
