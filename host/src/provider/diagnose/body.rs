//! The body: changed on its way, by an editor, a shell, or a program that read it and wrote it anew.

use super::Variant;
use super::layout::{LAYOUTS, STRINGS, rewrite};
use crate::provider::json::Document;
use crate::provider::source::Source;
use crate::request::Incoming;

const BOM: &[u8] = b"\xEF\xBB\xBF";

const AS_RECEIVED: &str = "send the bytes as received, for example with curl --data-binary @file";
const ANEW: &str =
    "it was read and written anew on its way: pass on the bytes as received, before anything parses them";

pub(super) fn variants(_: &Source, request: &Incoming) -> Vec<Variant> {
    let body: &[u8] = &request.body;
    if body.is_empty() {
        return Vec::new();
    }
    let mut bodies: Vec<(Vec<u8>, String)> = vec![(body.to_vec(), String::new())];
    let changed = plain(body).into_iter().map(|(bytes, is)| (bytes, format!("when the body {is}: {AS_RECEIVED}")));
    let anew = anew(body).into_iter().map(|(bytes, is)| (bytes, format!("when the body {is}: {ANEW}")));
    for (bytes, says) in changed.chain(anew) {
        if !bodies.iter().any(|(known, _)| *known == bytes) {
            bodies.push((bytes, says));
        }
    }
    let varied = bodies.into_iter().skip(1);
    varied.map(|(body, says)| Variant::of_request(Incoming { body: body.into(), ..request.clone() }, says)).collect()
}

/// Other ends of the whole and of its lines.
fn plain(body: &[u8]) -> Vec<(Vec<u8>, &'static str)> {
    let without = |end: &[u8]| body.strip_suffix(end).unwrap_or(body);
    let line = without(b"\n").strip_suffix(b"\r").unwrap_or(without(b"\n"));
    let lf = lf(body);
    vec![
        (line.to_vec(), "has no newline at its end"),
        (body.trim_ascii().to_vec(), "has no white space around it"),
        ([body, b"\n"].concat(), "has a newline at its end"),
        ([body, b"\r\n"].concat(), "has CRLF at its end"),
        (lf.clone(), "has LF at the end of its lines, not CRLF"),
        (crlf(&lf), "has CRLF at the end of its lines, not LF"),
        (body.strip_prefix(BOM).unwrap_or(body).to_vec(), "has no byte order mark in front"),
        ([BOM, body].concat(), "has a byte order mark in front"),
    ]
}

fn lf(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for (at, &byte) in body.iter().enumerate() {
        if byte != b'\r' || body.get(at + 1) != Some(&b'\n') {
            out.push(byte);
        }
    }
    out
}

fn crlf(lf: &[u8]) -> Vec<u8> {
    lf.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..])
}

/// As JSON writers write it: every layout, then every way to write strings in it.
fn anew(body: &[u8]) -> Vec<(Vec<u8>, String)> {
    let bare = body.strip_prefix(BOM).unwrap_or(body);
    let Some(text) = Document::parse(bare).ok().and_then(|_| std::str::from_utf8(bare).ok()) else { return Vec::new() };
    let both = STRINGS.into_iter().flat_map(|strings| LAYOUTS.map(|layout| (layout, strings)));
    both.map(|(layout, strings)| {
        let is: Vec<_> = [layout.is, strings.is].into_iter().filter(|is| !is.is_empty()).collect();
        (rewrite(text, layout, strings).into_bytes(), is.join(", and "))
    })
    .collect()
}
