//! JSON as its writers write it: white space between values, and escapes in strings. Numbers and order stay.

use crate::provider::json::write_string;

/// Where white space stands.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// What a body is that has it.
    pub(super) is: &'static str,
    space: Space,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Space {
    Kept,
    None,
    Behind,
    Indent(usize),
}

pub(super) const LAYOUTS: [Layout; 5] = [
    Layout { is: "", space: Space::Kept },
    Layout { is: "is JSON without white space", space: Space::None },
    Layout { is: "is JSON with a space behind each comma and colon, as Python writes it", space: Space::Behind },
    Layout { is: "is JSON indented by 2 spaces", space: Space::Indent(2) },
    Layout { is: "is JSON indented by 4 spaces", space: Space::Indent(4) },
];

/// How strings are written.
#[derive(Clone, Copy)]
pub(super) struct Strings {
    /// What a body does that has them.
    pub(super) is: &'static str,
    kept: bool,
    ascii: bool,
    slash: bool,
    html: bool,
}

const PLAIN: Strings =
    Strings { is: "has nothing escaped that need not be", kept: false, ascii: false, slash: false, html: false };

pub(super) const STRINGS: [Strings; 6] = [
    Strings { is: "", kept: true, ..PLAIN },
    PLAIN,
    Strings { is: "has what is not ASCII escaped as \\uXXXX", ascii: true, ..PLAIN },
    Strings { is: "has / escaped as \\/", slash: true, ..PLAIN },
    Strings { is: "has / and what is not ASCII escaped, as PHP writes it", ascii: true, slash: true, ..PLAIN },
    Strings { is: "has <, > and & escaped, as Go writes it", html: true, ..PLAIN },
];

/// A text that is JSON, written anew.
pub(super) fn rewrite(text: &str, layout: Layout, strings: Strings) -> String {
    let mut writer = Writer { out: String::with_capacity(text.len() * 2), space: layout.space, depth: 0 };
    let mut rest = text;
    let mut before = ' ';
    while let Some(character) = rest.chars().next() {
        let length = if character == '"' { string(rest) } else { character.len_utf8() };
        let (token, after) = rest.split_at(length);
        rest = after;
        match character {
            '"' => writer.out.push_str(&strings.write(token)),
            ' ' | '\t' | '\r' | '\n' => {
                if layout.space == Space::Kept {
                    writer.out.push(character);
                }
                continue;
            }
            _ => writer.sign(character, before),
        }
        // An empty list or object stays together.
        if matches!(character, '{' | '[') && !rest.trim_start().starts_with(['}', ']']) {
            writer.line();
        }
        before = character;
    }
    writer.out
}

/// How long the string is that the text begins with, quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

struct Writer {
    out: String,
    space: Space,
    depth: usize,
}

impl Writer {
    fn sign(&mut self, character: char, before: char) {
        match character {
            '{' | '[' => self.depth += 1,
            '}' | ']' => {
                self.depth = self.depth.saturating_sub(1);
                if !matches!(before, '{' | '[') {
                    self.line();
                }
            }
            _ => {}
        }
        self.out.push(character);
        match (character, self.space) {
            (',', Space::Indent(_)) => self.line(),
            (',' | ':', Space::Behind) | (':', Space::Indent(_)) => self.out.push(' '),
            _ => {}
        }
    }

    fn line(&mut self) {
        if let Space::Indent(width) = self.space {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', width * self.depth));
        }
    }
}

impl Strings {
    /// A string literal; one that holds half a surrogate pair stays.
    fn write(self, literal: &str) -> String {
        let text = serde_json::from_str::<String>(literal).ok().filter(|_| !self.kept);
        let Some(text) = text else { return literal.to_owned() };
        let mut plain = Vec::new();
        write_string(text.as_bytes(), &mut plain);
        let mut out = String::new();
        for character in String::from_utf8_lossy(&plain).chars() {
            match character {
                '/' if self.slash => out.push_str("\\/"),
                '<' | '>' | '&' if self.html => escape(character, &mut out),
                _ if self.ascii && !character.is_ascii() => escape(character, &mut out),
                _ => out.push(character),
            }
        }
        out
    }
}

fn escape(character: char, out: &mut String) {
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_is_what_its_writer_writes() {
        let text = "{ \"a\" : [1,2.0, {}] ,\"b, :\\\"\":[ ], \"c\":null}\n";
        let written = LAYOUTS.map(|layout| rewrite(text, layout, STRINGS[0]));
        assert_eq!(written[0], text);
        assert_eq!(written[1], r#"{"a":[1,2.0,{}],"b, :\"":[],"c":null}"#);
        assert_eq!(written[2], r#"{"a": [1, 2.0, {}], "b, :\"": [], "c": null}"#);
        let indented = "{\n  \"a\": [\n    1,\n    2.0,\n    {}\n  ],\n  \"b, :\\\"\": [],\n  \"c\": null\n}";
        assert_eq!(written[3], indented);
        assert_eq!(written[4], indented.replace("  ", "    "));
    }

    #[test]
    fn strings_are_escaped_as_their_writers_do() {
        let write = |index: usize| rewrite(r#"["\u00e9/😀","a<b"]"#, LAYOUTS[0], STRINGS[index]);
        assert_eq!(write(0), r#"["\u00e9/😀","a<b"]"#);
        assert_eq!(write(1), r#"["é/😀","a<b"]"#);
        assert_eq!(write(2), r#"["\u00e9/\ud83d\ude00","a<b"]"#);
        assert_eq!(write(3), r#"["é\/😀","a<b"]"#);
        assert_eq!(write(4), r#"["\u00e9\/\ud83d\ude00","a<b"]"#);
        assert_eq!(write(5), r#"["é/😀","a\u003cb"]"#);
    }
}
