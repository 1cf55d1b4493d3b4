//! Case files (`*.http`): a request as it is on the wire, and behind lines of dashes what is expected of it.
//!
//! Request line, headers, blank line, body. The body is every byte behind the blank line; one newline directly before a
//! `----------` line is not body.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::request::Incoming;

/// A case file, read.
#[derive(Debug, Clone)]
pub struct Case {
    /// The request.
    pub request: Incoming,
    /// The headers' names as the file spells them.
    names: Vec<String>,
    /// What stands behind `---------- NAME`, by name, in order.
    pub sections: Vec<(String, Vec<u8>)>,
}

const RULE: &[u8] = b"----------";

impl Case {
    /// Reads a case file.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let (request, sections) = split(text);
        let mut names = Vec::new();
        Ok(Self { request: read(request, &mut names)?, names, sections })
    }

    /// The file with another request in it: headers that it has are spelt as before, and its sections stay.
    pub fn with(&self, request: &Incoming) -> Vec<u8> {
        let mut out = written(request, &self.names);
        for (at, (name, text)) in self.sections.iter().enumerate() {
            // Before the first line of dashes one newline is not body.
            out.extend_from_slice(if at == 0 { b"\n" } else { b"" });
            out.extend_from_slice([RULE, b" ", name.as_bytes(), b"\n", text].concat().as_slice());
        }
        out
    }

    /// A section's text.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        self.sections.iter().find(|(section, _)| section == name).map(|(_, text)| text.as_slice())
    }
}

/// The request's bytes, and the sections behind it.
fn split(text: &[u8]) -> (&[u8], Vec<(String, Vec<u8>)>) {
    let mut marks = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        if let Some(name) = line.strip_prefix(RULE).filter(|name| name.first().is_none_or(u8::is_ascii_whitespace)) {
            marks.push((at, at + line.len(), String::from_utf8_lossy(name).trim().to_owned()));
        }
        at += line.len();
    }
    let end = marks.first().map_or(text.len(), |(start, ..)| *start);
    let ends = marks.iter().skip(1).map(|(start, ..)| *start).chain([text.len()]);
    let sections =
        marks.iter().zip(ends).map(|((_, from, name), to)| (name.clone(), text[*from..to].to_vec())).collect();
    let request = if marks.is_empty() { text } else { without_newline(&text[..end]) };
    (request, sections)
}

fn without_newline(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

fn read(text: &[u8], names: &mut Vec<String>) -> Result<Incoming, String> {
    let (mut line, mut rest) = next_line(text);
    let first = std::str::from_utf8(line).map_err(|_| "line 1: not text")?;
    let mut words = first.split_ascii_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(format!("line 1: {first:?} is not a request line such as \"POST /path HTTP/1.1\""));
    };
    let mut headers = HeaderMap::new();
    let mut number = 1;
    while !rest.is_empty() {
        (line, rest) = next_line(rest);
        number += 1;
        if line.is_empty() {
            break;
        }
        let colon = line
            .iter()
            .position(|&byte| byte == b':')
            .ok_or_else(|| format!("line {number}: a header is \"Name: value\""))?;
        let spelt = line[..colon].trim_ascii();
        let name = HeaderName::from_bytes(spelt).map_err(|_| format!("line {number}: not a header's name"))?;
        names.push(String::from_utf8_lossy(spelt).into_owned());
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii())
            .map_err(|_| format!("line {number}: not a header's value"))?;
        headers.append(name, value);
    }
    // An absolute URL names its host; what stands in a relative one's query is none of our business.
    let target = match target.split_once("://").filter(|_| !target.starts_with('/')) {
        Some((_, rest)) => rest.find(['/', '?']).map_or("/", |path| &rest[path..]),
        None => target,
    };
    let (method, target, body) = (method.to_ascii_uppercase(), target.to_owned(), rest.to_vec().into());
    Ok(Incoming { method, target, headers, body, peer: None, received: Timestamp::UNIX_EPOCH })
}

fn next_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| byte == b'\n');
    let (line, rest) = end.map_or((text, &b""[..]), |end| (&text[..end], &text[end + 1..]));
    (line.strip_suffix(b"\r").unwrap_or(line), rest)
}

/// Writes a request as a case file holds it.
pub fn write(request: &Incoming) -> Vec<u8> {
    written(request, &[])
}

fn written(request: &Incoming, names: &[String]) -> Vec<u8> {
    let mut out = format!("{} {} HTTP/1.1\n", request.method, request.target).into_bytes();
    for (name, value) in &request.headers {
        let spelt = names.iter().find(|spelt| spelt.eq_ignore_ascii_case(name.as_str()));
        out.extend_from_slice(spelt.map_or(name.as_str(), String::as_str).as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(&request.body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_before_the_line_of_dashes_is_not_body() {
        let case = Case::parse(
            b"POST /a?b HTTP/1.1\r\nX-A: 1\r\n\r\n{}\n\n---------- event\n{\"a\":1}\n---------- ack\n200\n",
        )
        .unwrap();
        assert_eq!((case.request.method.as_str(), case.request.target.as_str()), ("POST", "/a?b"));
        assert_eq!(&case.request.body[..], b"{}\n");
        assert_eq!(case.section("event"), Some(&b"{\"a\":1}\n"[..]));
        assert_eq!(case.section("ack"), Some(&b"200\n"[..]));
    }

    #[test]
    fn a_file_with_its_own_request_in_it_is_the_same_file() {
        for file in [
            "POST /a?b HTTP/1.1\nX-A: 1\nhost: x\n\n{}\n\n---------- event\n{\"a\":1}\n---------- ack\n200\n\nok\n",
            "POST / HTTP/1.1\n\n\n---------- rejected\nmethod",
            "GET / HTTP/1.1\n\nbody",
        ] {
            let case = Case::parse(file.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(case.with(&case.request)).unwrap(), file);
        }
    }

    #[test]
    fn a_file_without_sections_is_all_request() {
        let case = Case::parse(b"GET https://x.example/p?q=1\n\nbody\n").unwrap();
        assert_eq!((case.request.target.as_str(), &case.request.body[..]), ("/p?q=1", &b"body\n"[..]));
        let case = Case::parse(b"GET /p?u=https://x.example/q&s=1\n\n").unwrap();
        assert_eq!(case.request.target, "/p?u=https://x.example/q&s=1");
        assert!(Case::parse(b"nonsense\n").is_err());
        assert!(Case::parse(b"GET /\nno colon\n\n").is_err());
    }
}
