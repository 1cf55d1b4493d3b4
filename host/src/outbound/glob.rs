//! Globs over event types: `*` is any characters, dots included, `?` is one; case matters.

/// Whether the whole text matches.
pub fn matches(glob: &str, text: &str) -> bool {
    let (mut glob, mut text) = (glob, text);
    // Where the last star stood, and the text that it has not swallowed yet.
    let mut star: Option<(&str, &str)> = None;
    loop {
        let mut rest = text.chars();
        match (glob.chars().next(), rest.next()) {
            (Some('*'), _) => {
                glob = &glob[1..];
                star = Some((glob, text));
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                glob = &glob[wanted.len_utf8()..];
                text = rest.as_str();
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        // A mismatch: the last star swallows one character more.
        let Some((after, swallowed)) = star else { return false };
        let mut longer = swallowed.chars();
        if longer.next().is_none() {
            return false;
        }
        glob = after;
        text = longer.as_str();
        star = Some((after, text));
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_glob_covers_the_whole_type() {
        for (glob, text) in [
            ("*", ""),
            ("*", "a.b.c"),
            ("eiotclub.*", "eiotclub.CardStopped"),
            ("wallet-openapi.*", "wallet-openapi.card.status.active"),
            ("*.card.*", "wallet-openapi.card.status.active"),
            ("*active", "wallet-openapi.card.status.active"),
            ("a?c", "abc"),
            ("a?c", "aßc"),
            ("**", "x"),
            ("a*b*c", "a-b-b-c"),
            ("*?", "x"),
            ("", ""),
            ("a.b", "a.b"),
        ] {
            assert!(matches(glob, text), "{glob} should match {text}");
        }
        for (glob, text) in [
            ("eiotclub.cardstopped", "eiotclub.CardStopped"),
            ("eiotclub.", "eiotclub.CardStopped"),
            ("CardStopped", "eiotclub.CardStopped"),
            ("a?c", "ac"),
            ("a?c", "abbc"),
            ("?", ""),
            ("", "a"),
            ("a*b*c", "a-b-b"),
            ("*.x", "a.y"),
            ("a.b", "axb"),
        ] {
            assert!(!matches(glob, text), "{glob} should not match {text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_glob_is_what_a_regular_expression_says(glob in "[ab.*?]{0,12}", text in "[ab.é]{0,12}") {
            let pattern = regex::escape(&glob).replace(r"\*", ".*").replace(r"\?", ".");
            let expected = regex::Regex::new(&format!("^(?s:{pattern})$")).unwrap().is_match(&text);
            proptest::prop_assert_eq!(matches(&glob, &text), expected);
        }
    }

    #[test]
    fn many_stars_end_soon() {
        let glob = "*a".repeat(50);
        assert!(!matches(&glob, &"a".repeat(49)));
        assert!(matches(&glob, &"a".repeat(5000)));
    }
}
