//! JSON strings: written with the fewest escapes, read with all of them.

use std::borrow::Cow;

/// Writes a JSON string literal in which only what JSON demands is escaped. The bytes may be any; they pass as they are.
pub fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let (as_it_is, behind) = rest.split_at(plain(rest));
        out.extend_from_slice(as_it_is);
        let Some((&byte, behind)) = behind.split_first() else { break };
        rest = behind;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[byte as usize >> 4], HEX[byte as usize & 15]]),
        }
    }
    out.push(b'"');
}

/// How many bytes stand in a string as they are, up to the first that does not. Whole blocks are looked at without a
/// branch for each byte.
pub(super) fn plain(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let none = |block: &&[u8]| !block.iter().fold(false, |found, &byte| found | special(byte));
    let clear = bytes.chunks_exact(BLOCK).take_while(none).count() * BLOCK;
    clear + bytes[clear..].iter().take_while(|&&byte| !special(byte)).count()
}

/// Resolves the escapes of a string that was checked before; half a surrogate pair becomes U+FFFD.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find('\\') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while let Some(escape) = rest.strip_prefix('\\') {
        let (character, used) = match escape.as_bytes()[0] {
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'u' => unicode(escape),
            other => (other as char, 1),
        };
        out.push(character);
        let plain = &escape[used..];
        let end = plain.find('\\').unwrap_or(plain.len());
        out.push_str(&plain[..end]);
        rest = &plain[end..];
    }
    Cow::Owned(out)
}

/// The character of `u0041`, or of two halves `ud83d` and `ude00`, and how many bytes it took.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |text: &str| u32::from_str_radix(text, 16).unwrap_or(0xFFFD);
    let first = unit(&escape[1..5]);
    if (0xD800..0xDC00).contains(&first) && escape[5..].starts_with("\\u") {
        let second = unit(&escape[7..11]);
        if (0xDC00..0xE000).contains(&second) {
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return (char::from_u32(code).unwrap_or('\u{FFFD}'), 11);
        }
    }
    (char::from_u32(first).unwrap_or('\u{FFFD}'), 5)
}
