//! JSON for reading: indented, every text and number as it came.

/// The document with a line for each member. What is not JSON comes out with its own characters, too.
pub(super) fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if quoted {
            out.push(character);
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            ' ' | '\t' | '\r' | '\n' => continue,
            '"' => quoted = true,
            _ => {}
        }
        let empty = |next: Option<&char>| matches!(next, Some('}' | ']'));
        match character {
            '{' | '[' if !empty(characters.peek()) => {
                depth += 1;
                out.push(character);
                new_line(&mut out, depth);
            }
            '}' | ']' if !out.ends_with(['{', '[']) => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(character);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(character),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_stay_as_they_came() {
        let text = r#"{"a":10.00,"b":[],"c":{"d":"x, \"y\": {"},"e":[1,2]}"#;
        let expected = "{\n  \"a\": 10.00,\n  \"b\": [],\n  \"c\": {\n    \"d\": \"x, \\\"y\\\": {\"\n  },\n  \"e\": [\n    1,\n    2\n  ]\n}";
        assert_eq!(indented(text), expected);
    }

    #[test]
    fn an_indented_text_stays_the_same() {
        let once = indented(r#"{"a":{},"b":[{"c":"\\"}]}"#);
        assert_eq!(indented(&once), once);
    }
}
