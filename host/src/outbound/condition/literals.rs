//! Whole numbers in an expression that are too large for CEL's `int`: they are written on as what holds them.
//!
//! A person writes `18446744073709551615`; CEL wants a `u` behind it, and refuses what is larger still.

/// The same expression, with `u` or `.0` behind whole numbers that need it.
pub(super) fn widen(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => quoted(rest, is_raw(&out)),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '0'..='9' => rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len()),
            _ if is_word(first) => rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        out.push_str(token);
        out.push_str(suffix(token));
        rest = after;
    }
    out
}

fn suffix(token: &str) -> &'static str {
    if !token.bytes().all(|byte| byte.is_ascii_digit()) || token.parse::<i64>().is_ok() {
        ""
    } else if token.parse::<u64>().is_ok() {
        "u"
    } else {
        ".0"
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether the string that follows was opened by `r"`, where a backslash is only a backslash.
fn is_raw(before: &str) -> bool {
    let word = before.rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
    matches!(word.to_ascii_lowercase().as_str(), "r" | "br" | "rb")
}

/// The length of the string that `text` begins with.
fn quoted(text: &str, raw: bool) -> usize {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let mark = if text.starts_with(&triple) { triple.as_str() } else { quote };
    let mut at = mark.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(mark) {
            return at + mark.len();
        }
        let step = rest.chars().next().map_or(1, char::len_utf8);
        let escaped = if raw || step > 1 || !rest.starts_with('\\') { 0 } else { 1 };
        at += step + rest[step..].chars().next().map_or(0, char::len_utf8) * escaped;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::widen;

    #[test]
    fn only_whole_numbers_beyond_int_are_changed() {
        for (text, expected) in [
            ("x == 9223372036854775807", "x == 9223372036854775807"),
            ("x == 9223372036854775808", "x == 9223372036854775808u"),
            ("x == 18446744073709551615", "x == 18446744073709551615u"),
            ("x == 18446744073709551616", "x == 18446744073709551616.0"),
            ("x == 18446744073709551615u", "x == 18446744073709551615u"),
            ("x < 18446744073709551616.5", "x < 18446744073709551616.5"),
            ("x < 1e300", "x < 1e300"),
            ("a18446744073709551615", "a18446744073709551615"),
            ("x[18446744073709551615]", "x[18446744073709551615u]"),
        ] {
            assert_eq!(widen(text), expected);
        }
    }

    #[test]
    fn strings_and_comments_stay() {
        for text in [
            r#"x == "18446744073709551615""#,
            r#"x == '\'18446744073709551615'"#,
            r#"x == """a"18446744073709551615""""#,
            r"x == r'\' || 1 == 2",
            "true // 18446744073709551615",
            r#"x == "ä18446744073709551615"#,
            r#"x == "\"#,
        ] {
            assert_eq!(widen(text), text);
        }
        assert_eq!(widen(r"x == r'\' && y == 18446744073709551615"), r"x == r'\' && y == 18446744073709551615u");
    }
}
