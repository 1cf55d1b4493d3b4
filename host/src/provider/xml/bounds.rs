//! The bounds of an XML text. The reader compares the attributes of an element with each other, copies the namespaces of
//! its parents and makes room by counting signs: all of that is bounded before it begins.

use roxmltree::Document;

use super::{MAX_DEPTH, MAX_NODES};

/// Attributes of one element, and namespaces of a document.
const MAX_NAMES: usize = 256;
/// `<` and `=` of a text: the reader makes room for that many nodes and attributes.
const MAX_SIGNS: usize = 10 * MAX_NODES as usize;

/// What can be seen without reading the document.
pub(super) fn before(text: &str) -> Result<(), &'static str> {
    if !text.trim_start_matches('\u{feff}').trim_ascii_start().starts_with('<') {
        return Err("it does not begin with <");
    }
    if text.len() > u32::MAX as usize {
        return Err("longer than 4 GiB");
    }
    let count = |sign: u8| text.bytes().filter(|byte| *byte == sign).count();
    if count(b'<') > MAX_SIGNS || count(b'=') > MAX_SIGNS {
        return Err("more than 1000000 < or =");
    }
    if text.matches("xmlns").nth(MAX_NAMES).is_some() {
        return Err("more than 256 namespaces");
    }
    if text.split('<').any(|piece| attributes(piece) > MAX_NAMES) {
        return Err("more than 256 attributes on one element");
    }
    match encoding(text) {
        Some(name) if !["utf-8", "utf8"].contains(&name.to_ascii_lowercase().as_str()) => {
            Err("it declares an encoding that is not UTF-8")
        }
        _ => Ok(()),
    }
}

/// The attributes of a start tag, which is what stands behind a `<`; no value of an attribute has one.
fn attributes(piece: &str) -> usize {
    if piece.starts_with(['!', '?', '/']) {
        return 0;
    }
    let (mut quote, mut count) = (None, 0);
    for byte in piece.bytes() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => count += 1,
            (None, b'>') => break,
            (None, _) => {}
        }
    }
    count
}

/// The encoding that the XML declaration names.
fn encoding(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).strip_prefix("<?xml")?;
    let declaration = text.starts_with(|c: char| c.is_ascii_whitespace()).then(|| text.split_once("?>"))??.0;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split(quote).next()
}

/// Refuses what is nested too deep. Parents come before their children, so one pass is enough.
pub(super) fn deep(document: &Document<'_>) -> Result<(), &'static str> {
    let mut depths: Vec<usize> = Vec::new();
    for node in document.descendants() {
        let depth = node.parent().map_or(0, |parent| depths[parent.id().get_usize()] + 1);
        if node.is_element() && depth > MAX_DEPTH {
            return Err("nested deeper than 128");
        }
        depths.push(depth);
    }
    Ok(())
}
